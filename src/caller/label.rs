//! Short texts that operators give to keys: what could forge a line of a list or a log is none.

use std::fmt;
use std::str::FromStr;

use super::TOKEN_PREFIX;

/// One to so many printable characters, not all of them blank, and no token: texts are listed,
/// logged and backed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<const CHARS_MAX: usize>(String);

/// An owner, or a name.
pub type Label = Text<200>;
/// What operators want to remember of a key.
pub type Note = Text<1000>;

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

/// Whether it ends a line, or changes how others are shown: a control or format character.
fn is_hidden(c: char) -> bool {
    let formats = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    formats || c.is_control()
}

impl<const CHARS_MAX: usize> fmt::Display for Text<CHARS_MAX> {
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
        fn a_label_is_kept_as_it_was_written_and_is_one_line_that_shows(text in ".{0,30}|[ a-z\n\r\u{7}]{1,5}|\\PC{190,210}") {
            match text.parse::<Label>() {
                Ok(label) => {
                    prop_assert_eq!(label.to_string(), text.clone());
                    prop_assert!(!text.contains(char::is_control));
                    prop_assert!(text.chars().count() <= 200 && text.chars().any(|c| !c.is_whitespace()));
                }
                Err(error) => prop_assert!(error.to_string().starts_with("expected 1 to 200 printable characters")),
            }
        }
    }
}
