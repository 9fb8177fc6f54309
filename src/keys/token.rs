//! The token that a client sends: `tk_live_<id>_<secret><checksum>`.
//!
//! - `id`: 12 base62 characters. It is public: logs, lists and commands name keys by it.
//! - `secret`: 32 base62 characters, 190 bits.
//! - `checksum`: the CRC-32 (IEEE) of everything before it, in 6 base62 characters. It rejects
//!   typos and garbage before any I/O, and lets secret scanners recognize a leaked token.

use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};

pub use crate::caller::TOKEN_PREFIX;
use crate::caller::{ID_CHARS, KeyId, base62};

const SECRET_CHARS: usize = 32;
const CHECKSUM_CHARS: usize = 6;
/// The length of every token, in characters.
pub const TOKEN_CHARS: usize = TOKEN_PREFIX.len() + ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS;

/// A well-formed token with a correct checksum. Its key need not exist.
#[derive(Debug)]
pub struct Token {
    pub id: KeyId,
    pub secret: SecretString,
}

impl Token {
    /// A new random token for a new random id.
    pub fn random() -> Self {
        Self::for_id(KeyId::random())
    }

    /// A new random token for a given id.
    pub fn for_id(id: KeyId) -> Self {
        let mut rng = rand::rng();
        let secret: String =
            (0..SECRET_CHARS).map(|_| char::from(base62(rng.random_range(0..62)))).collect();
        Self { id, secret: secret.into() }
    }

    /// The text of the token, for its holder only. It is never stored.
    pub fn reveal(&self) -> SecretString {
        let body = format!("{TOKEN_PREFIX}{}_{}", self.id, self.secret.expose_secret());
        let checksum = checksum(&body);
        SecretString::from(body + std::str::from_utf8(&checksum).expect("a checksum is base62"))
    }

    /// `None` if the text has another format or a wrong checksum.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TOKEN_CHARS || !text.is_ascii() {
            return None;
        }
        let (body, expected) = text.split_at(TOKEN_CHARS - CHECKSUM_CHARS);
        let (id, secret) = body.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
        let secret_is_base62 =
            secret.len() == SECRET_CHARS && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        if !secret_is_base62 || checksum(body) != expected.as_bytes() {
            return None;
        }
        Some(Self { id: id.parse().ok()?, secret: secret.into() })
    }
}

/// CRC-32 (IEEE 802.3) of `body`, in base62, most significant digit first.
fn checksum(body: &str) -> [u8; CHECKSUM_CHARS] {
    let mut rest = crc32fast::hash(body.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = base62(rest % 62);
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_issued_token_is_parsed_to_the_same_id_and_secret() {
        let token = Token::random();
        let text = token.reveal();
        let parsed = Token::parse(text.expose_secret()).unwrap();
        assert_eq!(text.expose_secret().len(), TOKEN_CHARS);
        assert_eq!(parsed.id, token.id);
        assert_eq!(parsed.secret.expose_secret(), token.secret.expose_secret());
    }

    #[test]
    fn the_published_format_stays_valid() {
        let text = "tk_live_000000000000_00000000000000000000000000000000";
        let sum = String::from_utf8(checksum(text).to_vec()).unwrap();
        assert_eq!(sum, "1mMAdn");
        assert!(Token::parse(&format!("{text}{sum}")).is_some());
    }

    #[test]
    fn debug_output_contains_no_secret() {
        let token = Token::random();
        assert!(!format!("{token:?}").contains(token.secret.expose_secret()));
    }

    proptest! {
        #[test]
        fn a_token_with_one_wrong_character_is_never_parsed(replacement in "[A-Za-z0-9_]") {
            let text = Token::random().reveal().expose_secret().to_owned();
            for at in 0..TOKEN_CHARS {
                let mut wrong = text.clone();
                wrong.replace_range(at..=at, &replacement);
                prop_assert!(wrong == text || Token::parse(&wrong).is_none(), "at {}", at);
            }
        }

        #[test]
        fn other_text_is_rejected_without_a_panic(text in ".{0,70}") {
            prop_assert!(Token::parse(&text).is_none());
        }
    }
}
