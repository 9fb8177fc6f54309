//! Identifiers of stocks beside their symbols, with their check digits.

use super::word_enum;

word_enum! {
    /// A system of identifiers.
    pub enum IdentifierKind: "isin, cusip, figi or cik" {
        /// International Securities Identification Number, ISO 6166: `US0378331005`.
        Isin = "isin",
        /// The number of CUSIP Global Services for North America: `037833100`.
        Cusip = "cusip",
        /// Financial Instrument Global Identifier: `BBG000B9XRY4`.
        Figi = "figi",
        /// The number of a filer at the US Securities and Exchange Commission, 10 digits:
        /// `0000320193`. Stocks of one company share it.
        Cik = "cik",
    }
}

/// An identifier whose form and check digit are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    pub kind: IdentifierKind,
    value: String,
}

/// Why a text is not an identifier of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    #[error("expected an ISIN: 2 letters, 9 letters or digits and a check digit")]
    Isin,
    #[error("expected a CUSIP: 8 letters or digits and a check digit")]
    Cusip,
    #[error("expected a FIGI: 2 letters, G, 8 letters or digits and a check digit")]
    Figi,
    #[error("expected a CIK: up to 10 digits")]
    Cik,
    #[error("expected a check digit of {expected}, because a character may be mistyped")]
    CheckDigit { expected: u8 },
}

impl Identifier {
    /// Parses an identifier in any case. A CIK gets its leading zeros.
    ///
    /// # Errors
    /// If the form is wrong, or the check digit does not match.
    pub fn parse(kind: IdentifierKind, text: &str) -> Result<Self, IdentifierError> {
        let text = text.to_ascii_uppercase();
        let value = match kind {
            IdentifierKind::Isin => {
                let digits = checked(&text, 12, IdentifierError::Isin)?;
                if !text.bytes().take(2).all(|b| b.is_ascii_alphabetic()) {
                    return Err(IdentifierError::Isin);
                }
                verify(luhn(&text[..11]), digits, text)?
            }
            IdentifierKind::Cusip => {
                let digits = checked(&text, 9, IdentifierError::Cusip)?;
                verify(alternating(&text[..8]), digits, text)?
            }
            IdentifierKind::Figi => {
                let digits = checked(&text, 12, IdentifierError::Figi)?;
                let starts_well = text.bytes().take(2).all(|b| b.is_ascii_alphabetic());
                if !starts_well || text.as_bytes()[2] != b'G' {
                    return Err(IdentifierError::Figi);
                }
                verify(alternating(&text[..11]), digits, text)?
            }
            IdentifierKind::Cik => {
                let is_number =
                    (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
                if !is_number {
                    return Err(IdentifierError::Cik);
                }
                format!("{text:0>10}")
            }
        };
        Ok(Self { kind, value })
    }

    pub fn as_str(&self) -> &str {
        &self.value
    }
}

/// The check digit of a text of letters and digits with this length.
fn checked(text: &str, length: usize, error: IdentifierError) -> Result<u8, IdentifierError> {
    let is_shaped = text.len() == length && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let last = text.bytes().last().filter(u8::is_ascii_digit);
    last.filter(|_| is_shaped).map(|digit| digit - b'0').ok_or(error)
}

fn verify(expected: u8, found: u8, text: String) -> Result<String, IdentifierError> {
    if expected == found { Ok(text) } else { Err(IdentifierError::CheckDigit { expected }) }
}

/// The value of a digit, or of a letter from A = 10.
fn value(byte: u8) -> u32 {
    char::from(byte).to_digit(36).unwrap_or(0)
}

/// The check digit of an ISIN (ISO 6166): letters become two digits, then the Luhn algorithm.
fn luhn(text: &str) -> u8 {
    let digits: String = text.bytes().map(|byte| value(byte).to_string()).collect();
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            let doubled = if at % 2 == 0 { digit * 2 } else { digit };
            doubled / 10 + doubled % 10
        })
        .sum();
    to_check_digit(sum)
}

/// The check digit of a CUSIP (ANSI X9.6) and of a FIGI (OMG): every second value is doubled, and
/// the digits of all values are added.
fn alternating(text: &str) -> u8 {
    let sum: u32 = text
        .bytes()
        .enumerate()
        .map(|(at, byte)| {
            let weighted = if at % 2 == 1 { value(byte) * 2 } else { value(byte) };
            weighted / 10 + weighted % 10
        })
        .sum();
    to_check_digit(sum)
}

fn to_check_digit(sum: u32) -> u8 {
    ((10 - sum % 10) % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_identifiers_are_accepted_in_any_case() {
        for (kind, text) in [
            (IdentifierKind::Isin, "US0378331005"),
            (IdentifierKind::Isin, "DE0007164600"),
            (IdentifierKind::Isin, "GB00BH4HKS39"),
            (IdentifierKind::Isin, "US5949181045"),
            (IdentifierKind::Cusip, "037833100"),
            (IdentifierKind::Cusip, "594918104"),
            (IdentifierKind::Cusip, "38259P508"),
            (IdentifierKind::Figi, "BBG000B9XRY4"),
            (IdentifierKind::Figi, "BBG000BLNNH6"),
            (IdentifierKind::Cik, "0000320193"),
        ] {
            let parsed = Identifier::parse(kind, &text.to_ascii_lowercase());
            assert_eq!(parsed.as_ref().map(Identifier::as_str), Ok(text));
        }
        let short = Identifier::parse(IdentifierKind::Cik, "320193").unwrap();
        assert_eq!(short.as_str(), "0000320193");
    }

    #[test]
    fn a_text_of_another_form_is_rejected_with_the_form() {
        for (kind, text) in [
            (IdentifierKind::Isin, "037833100"),
            (IdentifierKind::Isin, "120378331005"),
            (IdentifierKind::Cusip, "US0378331005"),
            (IdentifierKind::Figi, "BBX000B9XRY4"),
            (IdentifierKind::Cik, "12345678901"),
            (IdentifierKind::Cik, ""),
        ] {
            let error = Identifier::parse(kind, text).unwrap_err().to_string();
            let name = kind.as_str().to_ascii_uppercase();
            assert!(error.contains(&name), "{text}: {error}");
        }
    }

    proptest! {
        /// A check digit finds every single mistyped digit.
        #[test]
        fn one_wrong_digit_is_noticed(
            kind in prop::sample::select(vec![
                (IdentifierKind::Isin, "US0378331005"),
                (IdentifierKind::Cusip, "037833100"),
                (IdentifierKind::Figi, "BBG000B9XRY4"),
            ]),
            at in 3usize..12,
            by in 1u8..10
        ) {
            let (kind, text) = kind;
            let mut bytes = text.as_bytes().to_vec();
            let at = at % bytes.len();
            if bytes[at].is_ascii_digit() {
                bytes[at] = b'0' + (bytes[at] - b'0' + by) % 10;
                let text = String::from_utf8(bytes).unwrap();
                let is_check_digit_error = matches!(
                    Identifier::parse(kind, &text),
                    Err(IdentifierError::CheckDigit { .. })
                );
                prop_assert!(is_check_digit_error, "{text}");
            }
        }

        #[test]
        fn parsing_any_text_does_not_panic(text in ".{0,14}") {
            for kind in IdentifierKind::ALL {
                let _ = Identifier::parse(kind, &text);
            }
        }
    }
}
