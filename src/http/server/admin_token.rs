//! The token that authenticates operators.

use std::path::PathBuf;

use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};

use crate::config::AdminConfig;

/// Guesses are not limited, so the token must be long: 24 characters of base64 are 144 bits.
const TOKEN_CHARS_MIN: usize = 24;

#[derive(Debug, thiserror::Error)]
pub enum AdminTokenError {
    #[error("ADMIN_TOKEN_FILE can't be read from {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(
        "the admin token is not usable: expected {TOKEN_CHARS_MIN} printable ASCII characters or \
         more, such as the output of `openssl rand -hex 32` (ADMIN_TOKEN)"
    )]
    Unusable,
}

/// A keyed digest of the token. The token itself is not kept in memory.
pub struct AdminToken {
    /// Random for each process, so the digest is useless outside of it.
    key: [u8; 32],
    digest: blake3::Hash,
}

impl AdminToken {
    /// Reads the configured token; `None` if there is none.
    ///
    /// # Errors
    /// If its file can't be read, or the token is too short or not printable ASCII.
    pub fn read(config: &AdminConfig) -> Result<Option<Self>, AdminTokenError> {
        let token = match (&config.admin_token, &config.admin_token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(path)) => {
                let file = |source| AdminTokenError::File { path: path.clone(), source };
                let text = std::fs::read_to_string(path).map_err(file)?;
                SecretString::from(text.lines().next().unwrap_or_default())
            }
            (None, None) => return Ok(None),
        };
        Self::new(&token).map(Some)
    }

    fn new(token: &SecretString) -> Result<Self, AdminTokenError> {
        let token = token.expose_secret();
        if token.len() < TOKEN_CHARS_MIN || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(AdminTokenError::Unusable);
        }
        let key = rand::rng().random();
        Ok(Self { digest: blake3::keyed_hash(&key, token.as_bytes()), key })
    }

    /// Whether `token` is the configured one. It compares digests in constant time, so the duration
    /// reveals nothing about the configured token.
    pub fn is(&self, token: &str) -> bool {
        blake3::keyed_hash(&self.key, token.as_bytes()) == self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_matches() {
        let text = "0123456789abcdef01234567";
        let token = AdminToken::new(&text.into()).unwrap();
        assert!(token.is(text));
        for other in
            ["", "0123456789abcdef0123456", "0123456789abcdef012345678", "0123456789ABCDEF01234567"]
        {
            assert!(!token.is(other), "{other}");
        }
    }

    #[test]
    fn short_or_unprintable_tokens_are_rejected() {
        for text in [
            "",
            "secret",
            "0123456789abcdef0123456",
            "0123456789abcdef 0123456789",
            "0123456789abcdef01234567\u{e9}",
        ] {
            assert!(AdminToken::new(&text.into()).is_err(), "{text}");
        }
    }
}
