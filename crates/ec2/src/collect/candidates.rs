//! Asking about several images in one request, so that one of them spoils no answer about the others.

use std::collections::BTreeMap;
use std::future::Future;

use amiwarden_core::{CallErrorKind, Gap, ImageId};
use futures::stream::StreamExt;

use super::pages::Reading;

/// How many requests are under way at once.
const IN_FLIGHT_MAX: usize = 8;

/// What was said about some images, and about which of them there may be more.
#[derive(Debug)]
pub(super) struct Answers<T> {
    pub(super) items: Vec<T>,
    pub(super) gaps: BTreeMap<ImageId, Gap>,
}

/// Asks by `ask` about `images`, at most `batch_max` at once. A batch that is refused, perhaps for the sake of one
/// image that is not there any more, is asked again image by image. Any other gap is one of the whole batch.
pub(super) async fn ask<T, F, P>(images: Vec<ImageId>, batch_max: usize, ask: F) -> Answers<T>
where
    F: Fn(Vec<ImageId>) -> P,
    P: Future<Output = Reading<T>>,
{
    let batches: Vec<_> = images.chunks(batch_max).map(<[ImageId]>::to_vec).collect();
    let answers: Vec<_> = futures::stream::iter(batches)
        .map(|batch| ask_batch(batch, &ask))
        .buffered(IN_FLIGHT_MAX)
        .collect()
        .await;
    let mut all = Answers { items: Vec::new(), gaps: BTreeMap::new() };
    for answer in answers {
        all.items.extend(answer.items);
        all.gaps.extend(answer.gaps);
    }
    all
}

async fn ask_batch<T, F, P>(batch: Vec<ImageId>, ask: &F) -> Answers<T>
where
    F: Fn(Vec<ImageId>) -> P,
    P: Future<Output = Reading<T>>,
{
    let whole = ask(batch.clone()).await;
    let is_refused = whole.failure.as_ref().is_some_and(|failure| {
        failure.has_reply() && matches!(failure.error.kind, CallErrorKind::Gone | CallErrorKind::Refused)
    });
    if !is_refused || batch.len() == 1 {
        let gap = whole.listing.gap;
        let gaps = batch.into_iter().filter_map(|image| Some((image, gap.clone()?))).collect();
        return Answers { items: whole.listing.items, gaps };
    }
    let mut answers = Answers { items: Vec::new(), gaps: BTreeMap::new() };
    for image in batch {
        let single = ask(vec![image.clone()]).await.listing;
        answers.items.extend(single.items);
        answers.gaps.extend(single.gap.map(|gap| (image, gap)));
    }
    answers
}
