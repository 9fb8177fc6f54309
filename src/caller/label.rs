//! Short texts of keys and watchlists: owners, names and notes. Also the actors of the audit.
//!
//! Lists, logs and backups show them. They therefore contain no character that could forge a line,
//! and no token.

use std::fmt;
use std::str::FromStr;

use super::TOKEN_PREFIX;

/// 1 to `CHARS_MAX` printable characters that are not all blank and contain no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<const CHARS_MAX: usize>(String);

/// The owner or the name of a key, or the name of an actor.
pub type Label = Text<200>;
/// The note of an operator about a key.
pub type Note = Text<1000>;

/// The name under which the audit records a change of keys or tiers: a person or program, with the
/// interface that it used, as in `cli:ann` or `http:sign-up`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {chars_max} printable characters, and no key among them")]
pub struct TextError {
    chars_max: usize,
}

impl<const CHARS_MAX: usize> Text<CHARS_MAX> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const CHARS_MAX: usize> FromStr for Text<CHARS_MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let fits = !text.trim().is_empty()
            && text.chars().count() <= CHARS_MAX
            && !text.chars().any(is_hidden);
        if fits && !text.contains(TOKEN_PREFIX) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError { chars_max: CHARS_MAX })
        }
    }
}

/// Whether `c` ends a line or changes how other characters appear: a control or format character.
fn is_hidden(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    );
    is_format || c.is_control()
}

impl<const CHARS_MAX: usize> fmt::Display for Text<CHARS_MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Actor {
    pub fn cli(name: &Label) -> Self {
        Self(format!("cli:{name}"))
    }

    pub fn http(name: &Label) -> Self {
        Self(format!("http:{name}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_label_keeps_its_text_and_is_one_visible_line(
            text in ".{0,30}|[ a-z\n\r\u{7}]{1,5}|\\PC{190,210}",
        ) {
            match text.parse::<Label>() {
                Ok(label) => {
                    prop_assert_eq!(label.to_string(), text.clone());
                    prop_assert!(!text.contains(char::is_control));
                    prop_assert!(text.chars().count() <= 200);
                    prop_assert!(text.chars().any(|c| !c.is_whitespace()));
                }
                Err(error) => {
                    let expected = "expected 1 to 200 printable characters";
                    prop_assert!(error.to_string().starts_with(expected));
                }
            }
        }
    }
}
