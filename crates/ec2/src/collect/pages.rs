//! Reading page after page, written once.
//!
//! The SDK's paginators are not used: they end silently when a token comes back, so a truncated list looks like a
//! complete one.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;

use amiwarden_core::{Gap, Listing};

use crate::errors::Failure;

/// How many items are asked for a page: what EC2's documentation uses throughout (EC2 Developer Guide,
/// "Pagination").
pub(super) const PAGE_SIZE: i32 = 1000;

/// How many defects a gap spells out; the rest are counted.
const DEFECTS_SHOWN_MAX: usize = 3;

/// A paginated operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    /// Its name.
    pub(super) name: &'static str,
    /// The IAM permissions that it needs, for the gap when they are missing.
    pub(super) permissions: &'static str,
    /// Bounds of the loop.
    pub(super) limits: PageLimits,
}

/// Bounds, so that no answer keeps amiwarden reading for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageLimits {
    /// Pages in all.
    pub(super) pages_max: usize,
    /// Pages in a row without any item. EC2 filters after it has cut the pages, so a few are normal.
    pub(super) empty_in_a_row_max: usize,
}

impl PageLimits {
    /// Ten million items, far beyond every quota.
    pub(super) const EC2: Self = Self { pages_max: 10_000, empty_in_a_row_max: 100 };
}

/// One page, converted.
#[derive(Debug)]
pub(super) struct Page<T> {
    items: Vec<T>,
    defects: Vec<String>,
    is_empty: bool,
    next_token: Option<String>,
}

impl<T> Page<T> {
    /// Converts each of `raw`. What cannot be converted is a defect; what is not wanted yields `None`. No list at
    /// all, as opposed to an empty one, is a defect of the whole page.
    pub(super) fn convert<R, E: fmt::Display>(
        raw: Option<Vec<R>>,
        next_token: Option<String>,
        mut convert: impl FnMut(R) -> Result<Option<T>, E>,
    ) -> Self {
        let Some(raw) = raw else {
            return Self {
                items: Vec::new(),
                defects: vec!["the reply has no list".to_owned()],
                is_empty: true,
                next_token,
            };
        };
        let is_empty = raw.is_empty();
        let mut items = Vec::with_capacity(raw.len());
        let mut defects = Vec::new();
        for entry in raw {
            match convert(entry) {
                Ok(item) => items.extend(item),
                Err(defect) => defects.push(defect.to_string()),
            }
        }
        Self { items, defects, is_empty, next_token }
    }
}

/// What was read, and the failure that ended it, if one did.
#[derive(Debug)]
pub(super) struct Reading<T> {
    pub(super) listing: Listing<T>,
    pub(super) failure: Option<Failure>,
}

/// Reads every page that `fetch` yields, from the one without a token on. Ends at the first page without a token, or
/// with a gap at the first failure, token seen before, or limit.
pub(super) async fn read<T, F, P>(operation: Operation, fetch: F) -> Listing<T>
where
    F: FnMut(Option<String>) -> P,
    P: Future<Output = Result<Page<T>, Failure>>,
{
    read_to_failure(operation, fetch).await.listing
}

/// The same, for those who tell one failure from another.
pub(super) async fn read_to_failure<T, F, P>(operation: Operation, fetch: F) -> Reading<T>
where
    F: FnMut(Option<String>) -> P,
    P: Future<Output = Result<Page<T>, Failure>>,
{
    let mut items = Vec::new();
    let mut defects = Vec::new();
    let failure = walk(operation, fetch, &mut items, &mut defects).await;
    let gap = spell_out(defects).map(|defects| Gap::new(format!("{}: {defects}", operation.name)));
    Reading { listing: Listing { items, gap }, failure }
}

async fn walk<T, F, P>(
    operation: Operation,
    mut fetch: F,
    items: &mut Vec<T>,
    defects: &mut Vec<String>,
) -> Option<Failure>
where
    F: FnMut(Option<String>) -> P,
    P: Future<Output = Result<Page<T>, Failure>>,
{
    let limits = operation.limits;
    let mut tokens_seen = BTreeSet::new();
    let mut token = None;
    let mut empty_in_a_row = 0;
    for number in 1..=limits.pages_max {
        let page = match fetch(token.clone()).await {
            Ok(page) => page,
            Err(failure) => {
                defects.push(format!("page {number}: {}", failure.reason(operation.permissions)));
                return Some(failure);
            }
        };
        items.extend(page.items);
        defects.extend(page.defects.into_iter().map(|defect| format!("page {number}: {defect}")));
        empty_in_a_row = if page.is_empty { empty_in_a_row + 1 } else { 0 };
        let next = page.next_token.filter(|next| !next.is_empty())?;
        if !tokens_seen.insert(next.clone()) {
            defects.push(format!("page {number}: the token for the next page had been sent before"));
            return None;
        }
        if empty_in_a_row > limits.empty_in_a_row_max {
            defects.push(format!(
                "page {number}: {empty_in_a_row} pages in a row without any item, and still more"
            ));
            return None;
        }
        token = Some(next);
    }
    defects.push(format!("more than {} pages", limits.pages_max));
    None
}

/// Several defects in one text, if there are any. The last one comes first: it ended the reading, if anything did.
pub(super) fn spell_out(defects: Vec<String>) -> Option<String> {
    if defects.is_empty() {
        return None;
    }
    let more = defects.len().saturating_sub(DEFECTS_SHOWN_MAX);
    let shown: Vec<_> = defects.into_iter().rev().take(DEFECTS_SHOWN_MAX).collect();
    let shown = shown.join("; ");
    Some(if more > 0 { format!("{shown}; and {more} more") } else { shown })
}

/// One gap for several, if there are any.
pub(super) fn join(gaps: impl IntoIterator<Item = Gap>) -> Option<Gap> {
    spell_out(gaps.into_iter().map(|gap| gap.reason).collect()).map(Gap::new)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const LIMITS: PageLimits = PageLimits { pages_max: 5, empty_in_a_row_max: 2 };
    const OPERATION: Operation =
        Operation { name: "DescribeThings", permissions: "ec2:DescribeThings", limits: LIMITS };

    /// One page: its items, and the token of the next one.
    type Script<'a> = &'a [(&'a [u32], Option<&'a str>)];

    async fn read_script(script: Script<'_>) -> (Listing<u32>, Vec<Option<String>>) {
        let mut asked = Vec::new();
        let listing = read(OPERATION, |token| {
            let (items, next) = script[asked.len()];
            asked.push(token);
            let page = Page::convert(Some(items.to_vec()), next.map(str::to_owned), |item| {
                Ok::<_, Infallible>(Some(item))
            });
            std::future::ready(Ok(page))
        })
        .await;
        (listing, asked)
    }

    async fn check(script: Script<'_>, items: &[u32], gap: Option<&str>) {
        let (listing, asked) = read_script(script).await;
        assert_eq!(listing.items, items, "{script:?}");
        assert_eq!(listing.gap.map(|gap| gap.reason), gap.map(str::to_owned), "{script:?}");
        assert_eq!(asked[0], None);
        for (token, page) in asked[1..].iter().zip(script) {
            assert_eq!(token.as_deref(), page.1, "{script:?}");
        }
    }

    #[tokio::test]
    async fn reading_ends_without_a_token_and_with_a_gap_for_all_else() {
        check(&[(&[1, 2], None)], &[1, 2], None).await;
        check(&[(&[1], Some("a")), (&[2], Some("b")), (&[3], Some(""))], &[1, 2, 3], None).await;
        check(&[(&[], None)], &[], None).await;
        check(
            &[(&[1], Some("a")), (&[2], Some("a"))],
            &[1, 2],
            Some("DescribeThings: page 2: the token for the next page had been sent before"),
        )
        .await;
        check(
            &[(&[1], Some("a")), (&[2], Some("b")), (&[3], Some("a"))],
            &[1, 2, 3],
            Some("DescribeThings: page 3: the token for the next page had been sent before"),
        )
        .await;
    }

    #[tokio::test]
    async fn empty_pages_are_passed_over_up_to_the_limit() {
        check(&[(&[], Some("a")), (&[], Some("b")), (&[1], None)], &[1], None).await;
        check(
            &[(&[], Some("a")), (&[], Some("b")), (&[], Some("c"))],
            &[],
            Some("DescribeThings: page 3: 3 pages in a row without any item, and still more"),
        )
        .await;
    }

    #[tokio::test]
    async fn pages_are_read_up_to_the_limit() {
        let tokens = ["a", "b", "c", "d", "e"];
        let mut script: Vec<(&[u32], Option<&str>)> = tokens.map(|token| (&[7][..], Some(token))).to_vec();
        check(&script, &[7; 5], Some("DescribeThings: more than 5 pages")).await;
        script[4].1 = None;
        check(&script, &[7; 5], None).await;
    }

    #[test]
    fn defects_beyond_the_third_are_counted() {
        let defects = (1..=5).map(|number| format!("defect {number}")).collect();
        assert_eq!(spell_out(defects).as_deref(), Some("defect 5; defect 4; defect 3; and 2 more"));
        assert_eq!(spell_out(Vec::new()), None);
    }
}
