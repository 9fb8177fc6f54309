//! Enums whose values are written as fixed words in requests and answers.

/// A text that is none of an enum's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct UnknownWord {
    /// The words, as a person reads them.
    pub expected: &'static str,
}

/// Defines an enum with a word for each value: `ALL`, `WORDS`, `as_str` and `FromStr`. The text
/// after the enum's name tells a client which words are expected.
macro_rules! word_enum {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident: $expected:literal {
            $($(#[$of_value:meta])* $value:ident = $word:literal),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$of_value])* $value),+
        }

        impl $name {
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$value),+];
            /// The words of [`Self::ALL`], in the same order.
            pub const WORDS: [&'static str; [$($word),+].len()] = [$($word),+];

            pub const fn as_str(self) -> &'static str {
                Self::WORDS[self as usize]
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::market::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut all = Self::ALL.into_iter();
                let found = all.find(|value| value.as_str() == text);
                found.ok_or($crate::market::UnknownWord { expected: $expected })
            }
        }
    };
}
pub(crate) use word_enum;

#[cfg(test)]
mod tests {
    word_enum! {
        pub enum Direction: "up or down" {
            Up = "up",
            Down = "down",
        }
    }

    #[test]
    fn a_value_is_written_as_its_word_and_read_from_it_alone() {
        for (value, word) in Direction::ALL.into_iter().zip(Direction::WORDS) {
            assert_eq!((value.as_str(), word.parse()), (word, Ok(value)));
        }
        for text in ["", "Up", "up ", "left"] {
            let error = text.parse::<Direction>().unwrap_err();
            assert_eq!(error.to_string(), "expected up or down", "{text:?}");
        }
    }
}
