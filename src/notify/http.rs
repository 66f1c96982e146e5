//! Sends a notification to a URL.
//!
//! Deliberately absent: following redirects, which would take a signed body or a secret path to somebody else, and
//! telling which status may be worth another attempt. A receiver that is being repaired may answer anything.

use std::error::Error;

use amiwarden_core::{Duration, Timestamp};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, Url};

use super::deliver::{Attempt, DeliveryError};
use super::sign;
use crate::config::{Secret, url_fault};
use crate::report::plain;
use crate::store::NewNotification;

/// The signature, where the notifier has a secret.
const SIGNATURE_HEADER: &str = "x-amiwarden-signature";

/// The same for all attempts at one delivery.
const DELIVERY_HEADER: &str = "x-amiwarden-delivery";
const EVENT_HEADER: &str = "x-amiwarden-event";

/// So much of a refusal is read and kept.
const REFUSAL_BYTES_MAX: usize = 300;

/// Words of a URL that are shorter are no secrets; hiding them would make a message unreadable.
const SECRET_WORD_MIN: usize = 6;

/// A client for all notifiers.
pub(super) fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("amiwarden/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(std::time::Duration::from_secs(10))
        .build()
}

/// Where to and how a request is sent.
pub(super) struct Destination<'a> {
    pub(super) url: &'a Secret,
    /// Whether it may do without encryption.
    pub(super) may_be_plain: bool,
    pub(super) signed_with: Option<&'a Secret>,
}

/// One attempt. What is said of a failure holds neither the URL nor the secret.
pub(super) async fn post(
    client: &Client,
    to: &Destination<'_>,
    attempt: Attempt<'_>,
) -> Result<(), DeliveryError> {
    let secrets: Vec<Secret> = secrets_of(to.url).into_iter().chain(to.signed_with.cloned()).collect();
    let hide = |text: String| secrets.iter().fold(text, |text, secret| secret.hide_in(&text));
    if let Some(fault) = url_fault(to.url.expose(), to.may_be_plain) {
        return Err(DeliveryError::of(fault));
    }
    let NewNotification { delivery_id, event, body, .. } = attempt.notification;
    let mut request = client
        .post(to.url.expose())
        .timeout(attempt.timeout)
        .header(CONTENT_TYPE, "application/json")
        .header(EVENT_HEADER, event)
        .header(DELIVERY_HEADER, delivery_id)
        .body(body.clone());
    if let Some(secret) = to.signed_with {
        let signature = sign::signature(secret, attempt.now, body);
        let signature = signature.ok_or_else(|| DeliveryError::of("it could not be signed"))?;
        request = request.header(SIGNATURE_HEADER, signature);
    }
    let response = request.send().await.map_err(|error| DeliveryError::of(hide(reason(error, &attempt))))?;
    if response.status().is_success() {
        return Ok(());
    }
    Err(refusal(response, attempt.now).await.map_reason(hide))
}

/// The URL and whatever of it may be secret by itself, the longest first: a receiver may quote any part of it.
fn secrets_of(url: &Secret) -> Vec<Secret> {
    let Ok(parsed) = Url::parse(url.expose()) else { return vec![url.clone()] };
    let whole = [url.expose(), parsed.as_str(), parsed.path(), parsed.query().unwrap_or("")];
    let parts = [parsed.username(), parsed.password().unwrap_or("")];
    let words = parsed.path().split('/').chain(parsed.query().unwrap_or("").split(['&', '=']));
    let mut secrets: Vec<&str> = whole
        .into_iter()
        .chain(parts)
        .filter(|part| part.len() > 1)
        .chain(words.filter(|word| word.len() >= SECRET_WORD_MIN))
        .collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().map(Secret::new).collect()
}

/// Why no reply came, without the URL.
fn reason(error: reqwest::Error, attempt: &Attempt<'_>) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", attempt.timeout.as_secs());
    }
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    plain(&reason).into_owned()
}

async fn refusal(mut response: Response, now: Timestamp) -> DeliveryError {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| wait(value.to_str().ok()?, now));
    let mut said = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        said.extend_from_slice(&chunk);
        if said.len() >= REFUSAL_BYTES_MAX {
            said.truncate(REFUSAL_BYTES_MAX);
            break;
        }
    }
    let said = String::from_utf8_lossy(&said);
    let said = plain(said.trim());
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let note = if status.is_redirection() { " (redirects are not followed)" } else { "" };
    DeliveryError { reason: format!("it answered with status {status}{note}{said}"), retry_after }
}

/// How long the receiver asks to wait: seconds, or the date until which (RFC 9110, section 10.2.3).
fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(Duration::from_seconds(seconds.into()));
    }
    let until = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    (until > now).then(|| Duration::between(now, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_url_that_may_be_secret_is_shown() {
        let url = Secret::new("https://me:pass@hooks.example.com/services/T1/abcdefgh?token=hunter2&v=1");
        let check = |text: &str, expected: &str| {
            let hidden = secrets_of(&url).iter().fold(text.to_owned(), |text, secret| secret.hide_in(&text));
            assert_eq!(hidden, expected);
        };
        check("no hook abcdefgh at /services/T1/abcdefgh", "no hook (hidden) at (hidden)");
        check("bad token hunter2", "bad token (hidden)");
        check("user me: pass", "user (hidden): (hidden)");
        check(url.expose(), "(hidden)");
        check("v1 of T1 at hooks.example.com", "v1 of T1 at hooks.example.com");
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        let check = |value: &str, seconds: Option<i64>| {
            assert_eq!(wait(value, now).map(Duration::as_seconds), seconds, "{value}");
        };
        check("30", Some(30));
        check(" 0 ", Some(0));
        check("Sat, 21 Nov 2026 08:01:00 GMT", Some(60));
        check("Sat, 21 Nov 2026 07:59:00 GMT", None);
        check("-1", None);
        check("soon", None);
    }
}
