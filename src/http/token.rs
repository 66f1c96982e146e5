//! The token that orders take.
//!
//! Only its SHA-256 is kept, so it cannot come out, and two digests are compared in constant time.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::App;
use super::answer::Failure;
use crate::config::{ReadSecretError, SecretFile};

/// Fewer can be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// A token.
pub(crate) struct Token {
    digest: [u8; 32],
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadTokenError {
    /// The file cannot be read.
    #[error("the token of [http] token_file cannot be read")]
    Read(#[from] ReadSecretError),
    /// What it holds is no token.
    #[error(
        "[http] token_file holds no token: at least {TOKEN_CHARS_MIN} characters without spaces are expected, such as `openssl rand -hex 32` makes"
    )]
    Unfit,
}

impl Token {
    /// Reads the token. White space around it does not count.
    pub(crate) fn load(file: &SecretFile) -> Result<Self, LoadTokenError> {
        Self::new(file.read()?.expose().trim()).ok_or(LoadTokenError::Unfit)
    }

    /// A token of this text, if it is fit to be one: a header can hold it, and nobody guesses it.
    pub(super) fn new(text: &str) -> Option<Self> {
        let is_fit = text.len() >= TOKEN_CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_fit.then(|| Self { digest: Sha256::digest(text).into() })
    }

    pub(super) fn is(&self, presented: &[u8]) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        self.digest.ct_eq(&presented).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Lets only those pass who have the token.
pub(super) async fn required(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match judge(app.parts.token.as_ref(), request.headers().get(header::AUTHORIZATION).map(AsRef::as_ref)) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

fn judge(token: Option<&Token>, header: Option<&[u8]>) -> Result<(), Failure> {
    let Some(token) = token else {
        let message = "no token is configured, so nothing can be ordered: set [http] token_file and restart";
        return Err(Failure::of(StatusCode::FORBIDDEN, "no-token-configured", message));
    };
    let refused = |message: &str| Failure::of(StatusCode::UNAUTHORIZED, "unauthorized", message);
    let Some(header) = header else {
        return Err(refused("the token is missing: send the header `Authorization: Bearer TOKEN`"));
    };
    // The name of the scheme is the same in capitals (RFC 9110, section 11.1).
    match header.split_at_checked(7) {
        Some((scheme, presented))
            if scheme.eq_ignore_ascii_case(b"bearer ") && token.is(presented.trim_ascii()) =>
        {
            Ok(())
        }
        Some(_) | None => Err(refused("this is not the token")),
    }
}
