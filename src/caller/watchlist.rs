//! The id and the name of a watchlist.

use std::fmt;
use std::str::FromStr;

use rand::RngExt;

use super::base62;
use super::label::Text;

/// The length of an id in base62 characters: 95 bits, too many to guess.
const ID_CHARS: usize = 16;

/// The name of a watchlist. Only its owner sees it.
pub type WatchlistName = Text<100>;

/// The random id of a watchlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchlistId(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the id of a watchlist: {ID_CHARS} letters and digits")]
pub struct WatchlistIdError;

impl WatchlistId {
    pub fn random() -> Self {
        let mut rng = rand::rng();
        Self((0..ID_CHARS).map(|_| char::from(base62(rng.random_range(0..62)))).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WatchlistId {
    type Err = WatchlistIdError;

    fn from_str(text: &str) -> Result<Self, WatchlistIdError> {
        let fits = text.len() == ID_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if fits { Ok(Self(text.to_owned())) } else { Err(WatchlistIdError) }
    }
}

impl fmt::Display for WatchlistId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formatted_id_is_parsed_to_the_same_id_and_other_text_is_rejected() {
        let id = WatchlistId::random();
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        assert_ne!(WatchlistId::random(), id);
        for text in
            ["", "0123456789abcde", "0123456789abcdefg", "0123456789abcde\0", "0123456789abcdé"]
        {
            assert_eq!(text.parse::<WatchlistId>(), Err(WatchlistIdError), "{text:?}");
        }
    }
}
