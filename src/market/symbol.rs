//! A ticker symbol, upper-cased and within the alphabet that US exchanges use.

use std::fmt;
use std::str::FromStr;

/// The longest symbol, in characters. Exchanges use up to 6; suffixes as in `BRK.B` or `0700.HK`
/// need a few more.
pub const SYMBOL_CHARS_MAX: usize = 12;

/// The listed form of the mark of a preferred share, which the letter of the series follows.
const PREFERRED: &[u8] = b".PR";

/// The suffix that some vendors give every US stock.
const US_SUFFIX: &str = ".US";

/// A ticker symbol such as `AAPL` or `BRK.B`: 1 to 12 of `A-Z 0-9 . -`, starting with a letter or a
/// digit.
///
/// Parsing turns lower case into upper case, so that equal symbols are equal values. It also reads
/// other spellings: `BRK/B` is `BRK.B`, and the preferred shares `BCpC` and `BC^C` are `BC.PRC`.
/// Any other mixed case is rejected, because vendors tell stocks apart by case alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol {
    // Zero-padded, so that the derived order is the order of the text.
    bytes: [u8; SYMBOL_CHARS_MAX],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    #[error(
        "expected a ticker symbol: 1 to {SYMBOL_CHARS_MAX} of A-Z, 0-9, '.' and '-', starting \
         with a letter or a digit"
    )]
    Characters,
    #[error(
        "expected a ticker symbol all in upper case or all in lower case, because vendors tell \
         stocks apart by case: the preferred share BCpC is not BCPC"
    )]
    MixedCase,
}

impl Symbol {
    pub fn as_str(&self) -> &str {
        let length = self.bytes.iter().position(|&b| b == 0).unwrap_or(SYMBOL_CHARS_MAX);
        std::str::from_utf8(&self.bytes[..length]).expect("a symbol holds ASCII only")
    }

    /// What `find` finds under this symbol or, if nothing, under the one other spelling of it that
    /// finds something: `BRK-B` and `BRK-B.US` find what is listed as `BRK.B`. `None` if two do.
    pub fn find_spelled<T>(self, mut find: impl FnMut(Self) -> Option<T>) -> Option<T> {
        if let Some(found) = find(self) {
            return Some(found);
        }
        let mut others = self.other_spellings().filter_map(find);
        let first = others.next();
        first.filter(|_| others.next().is_none())
    }

    /// The spellings of other vendors: with the other mark of a share class, without `.US`.
    pub fn other_spellings(self) -> impl Iterator<Item = Self> {
        let without_suffix = self.without_suffix();
        let others = [
            self.with_other_mark(),
            without_suffix,
            without_suffix.and_then(Self::with_other_mark),
        ];
        others.into_iter().flatten()
    }

    /// Whether it is `listed` with the other mark of a share class. The two may also be two stocks:
    /// `AGM.A` is a share class, and some vendors write a preferred share as `AGM-A`.
    pub fn has_other_mark_than(self, listed: Self) -> bool {
        let spellings = [Some(self), self.without_suffix()];
        spellings.into_iter().flatten().any(|symbol| symbol.with_other_mark() == Some(listed))
    }

    fn without_suffix(self) -> Option<Self> {
        self.as_str().strip_suffix(US_SUFFIX).and_then(|text| text.parse().ok())
    }

    /// `BRK-B` for `BRK.B`, and the reverse. `None` unless a share class follows the only mark: one
    /// letter, or as in `BC.PRC` and `ABC.WS`.
    fn with_other_mark(self) -> Option<Self> {
        let text = self.as_str();
        let at = text.find(['.', '-'])?;
        let class = &text[at + 1..];
        let is_class = class.len() == 1 || class == "WS" || class.starts_with("PR");
        let is_only_mark = class.bytes().all(|b| b.is_ascii_alphabetic());
        if !is_class || !is_only_mark || class.len() > 3 {
            return None;
        }
        let mut other = self;
        other.bytes[at] = if self.bytes[at] == b'.' { b'-' } else { b'.' };
        Some(other)
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        if let Some((company, series)) = preferred(text) {
            return Self::of([company, PREFERRED, series].concat().into_iter());
        }
        let has = |is_case: fn(&u8) -> bool| text.as_bytes().iter().any(is_case);
        if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) {
            return Err(SymbolError::MixedCase);
        }
        Self::of(text.bytes())
    }
}

impl Symbol {
    fn of(mut text: impl Iterator<Item = u8>) -> Result<Self, SymbolError> {
        let mut bytes = [0; SYMBOL_CHARS_MAX];
        for (at, to) in bytes.iter_mut().enumerate() {
            let Some(from) = text.next() else { break };
            *to = match from {
                b'/' if at > 0 => b'.',
                b'.' | b'-' if at > 0 => from,
                _ if from.is_ascii_alphanumeric() => from.to_ascii_uppercase(),
                _ => return Err(SymbolError::Characters),
            };
        }
        let is_whole = text.next().is_none();
        if is_whole && bytes[0] != 0 { Ok(Self { bytes }) } else { Err(SymbolError::Characters) }
    }
}

/// The company and the series of a preferred share that is written as `BCpC` or `BC^C`. A share
/// without a series is written as `BCp`.
fn preferred(text: &str) -> Option<(&[u8], &[u8])> {
    let at = text.find(['p', '^'])?;
    let (company, series) = (&text.as_bytes()[..at], &text.as_bytes()[at + 1..]);
    let is_upper = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    let is_preferred = !company.is_empty()
        && company.iter().all(is_upper)
        && company.iter().any(u8::is_ascii_uppercase)
        && series.len() <= 1
        && series.iter().all(u8::is_ascii_uppercase);
    is_preferred.then_some((company, series))
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
        for text in
            ["", ".", "-A", "A B", " A", "/A", "ÄPL", "AAPL;", "ABCDEFGHIJKLM", "A%00", "^GSPC"]
        {
            assert_eq!(text.parse::<Symbol>(), Err(SymbolError::Characters), "{text:?}");
        }
    }

    #[test]
    fn mixed_case_is_not_folded() {
        for text in ["Aapl", "BCPc", "bcPC", "BcPC", "BCppC", "ABCw", "BCpCD"] {
            assert_eq!(text.parse::<Symbol>(), Err(SymbolError::MixedCase), "{text:?}");
        }
    }

    #[test]
    fn spellings_of_share_classes_and_preferred_shares_have_one_form() {
        for (text, symbol) in [
            ("BRK/B", "BRK.B"),
            ("brk/b", "BRK.B"),
            ("BCpC", "BC.PRC"),
            ("BC^C", "BC.PRC"),
            ("BCp", "BC.PR"),
            ("bcpc", "BCPC"),
            ("p", "P"),
        ] {
            assert_eq!(text.parse::<Symbol>().unwrap().as_str(), symbol, "{text:?}");
        }
    }

    #[test]
    fn another_spelling_is_found_only_if_it_is_the_only_one() {
        let found = |listed: &[&str], text: &str| {
            let symbol: Symbol = text.parse().unwrap();
            let found = symbol.find_spelled(|symbol| {
                listed.contains(&symbol.as_str()).then(|| symbol.as_str().to_owned())
            });
            found.unwrap_or_default()
        };
        assert_eq!(found(&["BRK.B"], "BRK-B"), "BRK.B");
        assert_eq!(found(&["BRK-B"], "BRK/B"), "BRK-B");
        assert_eq!(found(&["BRK.B", "BRK-B"], "BRK-B"), "BRK-B");
        assert_eq!(found(&["BRK.B"], "brk-b.us"), "BRK.B");
        assert_eq!(found(&["BRK.B", "BRK-B"], "brk-b.us"), "");
        assert_eq!(found(&["AAPL"], "aapl.us"), "AAPL");
        assert_eq!(found(&["BC.PRC"], "BC-PRC"), "BC.PRC");
        for (listed, text) in [("RY.TO", "RY-TO"), ("A.B-C", "A-B-C"), ("BRKB", "BRK.B")] {
            assert_eq!(found(&[listed], text), "", "{text}");
        }
    }

    #[test]
    fn only_the_mark_of_a_share_class_makes_another_spelling_that_may_be_another_stock() {
        for (written, listed, is_other) in [
            ("AGM-A", "AGM.A", true),
            ("AGM.A", "AGM-A", true),
            ("AGM-A.US", "AGM.A", true),
            ("AGM.A", "AGM.A", false),
            ("AGM.A.US", "AGM.A", false),
            ("AAPL.US", "AAPL", false),
            ("AGM-A", "AGM.B", false),
        ] {
            let (written, listed): (Symbol, Symbol) =
                (written.parse().unwrap(), listed.parse().unwrap());
            assert_eq!(written.has_other_mark_than(listed), is_other, "{written} {listed}");
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
