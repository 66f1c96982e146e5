//! The signature of a webhook, by which its receiver can tell that amiwarden sent it, and when.

use std::fmt::Write;

use amiwarden_core::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::Secret;

/// The header's value: `t=<seconds since 1970>,v1=<HMAC-SHA256>`, where what is signed is the time, a dot and the body
/// exactly as it is sent. A receiver that refuses old times cannot be fed an old request again.
pub(super) fn signature(secret: &Secret, at: Timestamp, body: &str) -> Option<String> {
    let at = at.as_second();
    // A key may have any length, so there always is one.
    let mut code = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    code.update(format!("{at}.").as_bytes());
    code.update(body.as_bytes());
    let mut value = format!("t={at},v1=");
    for byte in code.finalize().into_bytes() {
        // Writing to a String cannot fail.
        let _ = write!(value, "{byte:02x}");
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_others_compute() {
        let at = Timestamp::from_second(1_780_000_000).unwrap();
        // printf '%s' '1780000000.{"a":1}' | openssl dgst -sha256 -hmac 'hunter2'
        let expected = "t=1780000000,v1=9d1a85000f297ee95a1a15be19f49f16e23faa408dca64f39bd12ad3caabc302";
        assert_eq!(signature(&Secret::new("hunter2"), at, "{\"a\":1}").unwrap(), expected);
    }
}
