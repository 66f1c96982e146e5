//! Pagination with opaque tokens, and the ways in which a listing can lie.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::Context;
use crate::protocol::{ApiError, Parameters, Xml};

/// A fault of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListingTwist {
    /// The reply to a request with a token returns that same token again.
    RepeatedToken,
    /// The page is empty, yet has a token; following it loses nothing.
    EmptyPage,
    /// The page has no token although more would follow.
    EndsEarly,
    /// Only this share of the items is listed, and there is no token.
    FewerItems {
        /// In percent.
        keep_percent: u8,
    },
    /// Images of other accounts are listed for the owner `self`.
    ForeignImages,
    /// Images have no tags.
    TagsGone,
    /// Images have no dates.
    DatesMissing,
    /// Every date of an image is 1970-01-01.
    DatesAtEpoch,
    /// Every date of an image lies in the future.
    DatesInFuture,
}

/// The paging parameters of a request.
#[derive(Debug)]
pub(crate) struct PageRequest {
    items_max: Option<usize>,
    token: Option<String>,
}

/// One page of items.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    next_token: Option<String>,
}

impl PageRequest {
    /// Reads `MaxResults`, which must lie between `least` and `most`, and `NextToken`.
    pub(crate) fn parse(parameters: &Parameters, least: u64, most: u64) -> Result<Self, ApiError> {
        Ok(Self {
            items_max: read_size(parameters, "MaxResults", &(least..=most))?,
            token: read_next_token(parameters),
        })
    }

    /// As [`Self::parse`], for services that always answer in pages: the size has a name of its own, and a
    /// default.
    pub(crate) fn parse_sized(
        parameters: &Parameters,
        name: &str,
        range: RangeInclusive<u64>,
        default: usize,
    ) -> Result<Self, ApiError> {
        let items_max = read_size(parameters, name, &range)?.unwrap_or(default);
        Ok(Self { items_max: Some(items_max), token: read_next_token(parameters) })
    }

    pub(crate) fn is_paginated(&self) -> bool {
        self.items_max.is_some()
    }

    /// The key after which the page begins.
    pub(crate) fn after(&self, context: &Context<'_>) -> Result<String, ApiError> {
        self.token.as_ref().map_or_else(|| Ok(String::new()), |token| read_token(token, context))
    }

    /// Cuts the page out of items that are sorted by their keys. Because a token names the last key
    /// that was seen, items that come or go between two pages shift nothing.
    pub(crate) fn cut<T>(
        &self,
        items: impl Iterator<Item = (String, T)>,
        context: &Context<'_>,
    ) -> Result<Page<T>, ApiError> {
        let after = self.after(context)?;
        if context.twist == Some(ListingTwist::EmptyPage) {
            return Ok(Page { items: Vec::new(), next_token: Some(make_token(&after, context)) });
        }
        let items = items.filter(|(key, _)| *key > after);
        let page_size = match (self.items_max, &self.token) {
            (Some(wanted), _) => wanted.min(context.page_size_max),
            (None, Some(_)) => context.page_size_max,
            (None, None) => usize::MAX,
        };
        if let Some(ListingTwist::FewerItems { keep_percent }) = context.twist {
            return Ok(thinned(items.map(|(_, item)| item).collect(), keep_percent, page_size));
        }
        let mut last_key = None;
        let mut page = Page { items: Vec::new(), next_token: None };
        for (key, item) in items {
            if page.items.len() == page_size {
                page.next_token = last_key.map(|key: String| make_token(&key, context));
                break;
            }
            page.items.push(item);
            last_key = Some(key);
        }
        match context.twist {
            Some(ListingTwist::RepeatedToken) if self.token.is_some() => {
                page.next_token.clone_from(&self.token);
            }
            Some(ListingTwist::EndsEarly) => page.next_token = None,
            Some(
                ListingTwist::RepeatedToken
                | ListingTwist::EmptyPage
                | ListingTwist::FewerItems { .. }
                | ListingTwist::ForeignImages
                | ListingTwist::TagsGone
                | ListingTwist::DatesMissing
                | ListingTwist::DatesAtEpoch
                | ListingTwist::DatesInFuture,
            )
            | None => {}
        }
        Ok(page)
    }
}

impl<T> Page<T> {
    /// Writes `nextToken`, where there is one.
    pub(crate) fn write_token(&self, xml: &mut Xml) {
        self.write_token_as(xml, "nextToken");
    }

    /// As [`Self::write_token`], in another spelling.
    pub(crate) fn write_token_as(&self, xml: &mut Xml, name: &str) {
        xml.optional(name, self.next_token.as_deref());
    }

    /// Adds `NextToken` to a JSON object, where there is one.
    pub(crate) fn add_token(&self, body: &mut Value) {
        if let Some(token) = &self.next_token {
            body["NextToken"] = json!(token);
        }
    }
}

fn read_size(
    parameters: &Parameters,
    name: &str,
    range: &RangeInclusive<u64>,
) -> Result<Option<usize>, ApiError> {
    let Some(wanted) = parameters.number(name)? else {
        return Ok(None);
    };
    let size = usize::try_from(wanted).ok().filter(|_| range.contains(&wanted));
    size.map(Some).ok_or_else(|| {
        ApiError::invalid_value(
            name,
            &wanted.to_string(),
            &format!("Expecting a value between {} and {}.", range.start(), range.end()),
        )
    })
}

fn read_next_token(parameters: &Parameters) -> Option<String> {
    parameters.text("NextToken").filter(|token| !token.is_empty()).map(str::to_owned)
}

/// A page that passes for all there is, with a share of the items, evenly spread.
fn thinned<T>(items: Vec<T>, keep_percent: u8, page_size: usize) -> Page<T> {
    let share = |count: usize| count.saturating_mul(usize::from(keep_percent)) / 100;
    let kept = items.into_iter().enumerate().filter(|(index, _)| share(index + 1) > share(*index));
    Page { items: kept.map(|(_, item)| item).take(page_size).collect(), next_token: None }
}

/// Hexadecimal, so that nobody is tempted to read it, and bound to the action and Region.
fn make_token(last_key: &str, context: &Context<'_>) -> String {
    use std::fmt::Write as _;
    let plain = format!("{}|{}|{last_key}", context.action, context.region);
    plain.bytes().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn read_token(token: &str, context: &Context<'_>) -> Result<String, ApiError> {
    let bytes: Option<Vec<u8>> =
        (0..token.len()).step_by(2).map(|at| u8::from_str_radix(token.get(at..at + 2)?, 16).ok()).collect();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|plain| {
            let rest = plain.strip_prefix(context.action)?.strip_prefix('|')?;
            Some(rest.strip_prefix(context.region)?.strip_prefix('|')?.to_owned())
        })
        .ok_or_else(|| ApiError::invalid_value("NextToken", token, "Unable to parse pagination token"))
}

#[cfg(test)]
mod tests {
    use super::{Context, ListingTwist, PageRequest};
    use crate::protocol::Parameters;

    fn context(twist: Option<ListingTwist>) -> Context<'static> {
        Context {
            account: "111122223333",
            action: "DescribeThings",
            region: "us-east-1",
            request_id: "r",
            now: jiff::Timestamp::UNIX_EPOCH,
            page_size_max: 2,
            twist,
        }
    }

    fn page(token: Option<String>, twist: Option<ListingTwist>) -> (Vec<u32>, Option<String>) {
        let request = PageRequest { items_max: Some(1000), token };
        let items = (1..=5).map(|n| (format!("{n}"), n));
        let page = request.cut(items, &context(twist)).unwrap();
        (page.items, page.next_token)
    }

    #[test]
    fn following_the_tokens_yields_every_item_once() {
        let (first, token) = page(None, None);
        let (second, token) = page(token, None);
        let (third, token) = page(token, None);
        assert_eq!([first, second, third].concat(), [1, 2, 3, 4, 5]);
        assert_eq!(token, None);
    }

    #[test]
    fn twists_change_the_token_and_lose_no_items_unless_they_say_so() {
        let (_, token) = page(None, None);
        assert_eq!(page(token.clone(), Some(ListingTwist::RepeatedToken)).1, token);
        let (nothing, start) = page(None, Some(ListingTwist::EmptyPage));
        assert!(nothing.is_empty());
        assert_eq!(page(start, None).0, [1, 2]);
        assert_eq!(page(None, Some(ListingTwist::EndsEarly)), (vec![1, 2], None));
        for (keep_percent, left) in [(0, vec![]), (39, vec![3]), (40, vec![3, 5]), (100, vec![1, 2])] {
            let (items, token) = page(None, Some(ListingTwist::FewerItems { keep_percent }));
            assert_eq!((items, token), (left, None), "{keep_percent} %, pages holding two");
        }
    }

    #[test]
    fn bad_tokens_and_sizes_are_refused() {
        for token in ["zz", "abc", "é", "616263"] {
            let request = PageRequest { items_max: None, token: Some(token.to_owned()) };
            let items = std::iter::empty::<(String, u32)>();
            let error = request.cut(items, &context(None)).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValue", "{token}");
        }
        for (size, accepted) in [("4", false), ("5", true), ("200", true), ("201", false)] {
            let parameters = Parameters::parse(format!("MaxResults={size}").as_bytes());
            assert_eq!(PageRequest::parse(&parameters, 5, 200).is_ok(), accepted, "{size}");
        }
    }
}
