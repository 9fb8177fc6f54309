//! The parameters of a route: one definition for parsing requests and for the API reference.

/// A query parameter.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    pub name: &'static str,
    pub takes: Takes,
    pub required: bool,
    /// The description in the reference.
    pub about: &'static str,
}

/// The values that a parameter takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// `YYYY-MM-DD`.
    Date,
    /// `YYYY-MM-DD`, or a time of RFC 3339.
    DateOrTime,
    Number(Whole),
    /// A number, or `all`.
    NumberOrAll(Whole),
    /// `true` or `false`. The default is `false`.
    Flag,
    /// 1 to 100 characters.
    Text,
    /// One of these words. The first is the default.
    OneOf(&'static [&'static str]),
    /// One of these words, which filters by a kind. The default is no filter.
    Only(&'static [&'static str]),
    /// Some of these words, each once, separated by commas.
    SomeOf(&'static [&'static str]),
    /// 1 to 100 symbols, separated by commas.
    Symbols,
    /// The cursor from an earlier response.
    Cursor,
}

impl Takes {
    /// Whether it takes several values, separated by commas or given one by one.
    pub fn is_list(self) -> bool {
        matches!(self, Self::SomeOf(_) | Self::Symbols)
    }
}

/// A whole number from `min` to `max`.
#[derive(Debug, Clone, Copy)]
pub struct Whole {
    pub min: u32,
    pub max: u32,
    pub default: u32,
}

impl Whole {
    /// Parses a number. `None` if it is out of bounds or not written in digits alone.
    pub fn read(self, text: &str) -> Option<u32> {
        // `parse` also accepts "+5".
        let number = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))?;
        (self.min..=self.max).contains(&number).then_some(number)
    }
}

impl Parameter {
    pub const fn new(name: &'static str, takes: Takes, about: &'static str) -> Self {
        Self { name, takes, required: false, about }
    }

    pub const fn required(name: &'static str, takes: Takes, about: &'static str) -> Self {
        Self { name, takes, required: true, about }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_is_read_if_it_is_within_its_bounds(number: u32, a: u32, b: u32) {
            let whole = Whole { min: a.min(b), max: a.max(b), default: 0 };
            let edges = [whole.min, whole.max]
                .map(|edge| [edge.saturating_sub(1), edge, edge.saturating_add(1)]);
            for number in edges.into_iter().flatten().chain([number]) {
                let read = whole.read(&number.to_string());
                let is_within = whole.min <= number && number <= whole.max;
                prop_assert_eq!(read, is_within.then_some(number));
            }
        }

        #[test]
        fn text_with_other_characters_than_digits_is_no_number(
            text in "[^0-9]{0,5}[0-9]{0,12}[^0-9]{1,5}|[+-][0-9]{1,9}|"
        ) {
            prop_assert_eq!(Whole { min: 0, max: u32::MAX, default: 0 }.read(&text), None);
        }
    }
}
