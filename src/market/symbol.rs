//! A ticker symbol, upper-cased and within the alphabet that US exchanges use.

use std::fmt;
use std::str::FromStr;

/// The longest symbol, in characters. Exchanges use up to 6; suffixes as in `BRK.B` or `0700.HK`
/// need a few more.
pub const SYMBOL_CHARS_MAX: usize = 12;

/// A ticker symbol such as `AAPL` or `BRK.B`: 1 to 12 of `A-Z 0-9 . -`, starting with a letter or a
/// digit.
///
/// Parsing turns lower case into upper case, so that equal symbols are equal values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol {
    // Zero-padded, so that the derived order is the order of the text.
    bytes: [u8; SYMBOL_CHARS_MAX],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a ticker symbol: 1 to {SYMBOL_CHARS_MAX} of A-Z, 0-9, '.' and '-', starting with a \
     letter or a digit"
)]
pub struct SymbolError;

impl Symbol {
    pub fn as_str(&self) -> &str {
        let length = self.bytes.iter().position(|&b| b == 0).unwrap_or(SYMBOL_CHARS_MAX);
        std::str::from_utf8(&self.bytes[..length]).expect("a symbol holds ASCII only")
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let first_is_alphanumeric = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !first_is_alphanumeric || text.len() > SYMBOL_CHARS_MAX {
            return Err(SymbolError);
        }
        let mut bytes = [0; SYMBOL_CHARS_MAX];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            if !(from.is_ascii_alphanumeric() || from == b'.' || from == b'-') {
                return Err(SymbolError);
            }
            *to = from.to_ascii_uppercase();
        }
        Ok(Self { bytes })
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lower_case_is_the_same_symbol() {
        assert_eq!("brk.b".parse::<Symbol>(), "BRK.B".parse());
    }

    #[test]
    fn texts_outside_the_alphabet_or_length_are_rejected() {
        for text in ["", ".", "-A", "A B", "ÄPL", "AAPL;", "ABCDEFGHIJKLM", "A/B", "A%00"] {
            assert_eq!(text.parse::<Symbol>(), Err(SymbolError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_symbol_is_parsed_back_from_its_text(text in "[A-Z0-9][A-Z0-9.-]{0,11}") {
            let symbol: Symbol = text.parse().unwrap();
            prop_assert_eq!(symbol.as_str(), &text);
            prop_assert_eq!(symbol.to_string().parse::<Symbol>(), Ok(symbol));
        }

        #[test]
        fn parsing_any_text_does_not_panic(text in ".{0,20}") {
            let _ = text.parse::<Symbol>();
        }

        #[test]
        fn symbols_sort_like_their_texts(a in "[A-Z]{1,12}", b in "[A-Z]{1,12}") {
            let (x, y): (Symbol, Symbol) = (a.parse().unwrap(), b.parse().unwrap());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }
    }
}
