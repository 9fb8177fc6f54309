//! What a route takes: said once, for reading a request and for the reference of the API.

/// A parameter of a query.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    pub name: &'static str,
    pub takes: Takes,
    pub required: bool,
    /// A sentence for the reference.
    pub about: &'static str,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// `YYYY-MM-DD`.
    Date,
    Number(Whole),
    /// The same, or `all`.
    NumberOrAll(Whole),
    /// `true` or `false`; `false` where it is not given.
    Flag,
    /// 1 to 100 characters.
    Text,
    /// One of these words; the first where it is not given.
    OneOf(&'static [&'static str]),
    /// One of these words, for what is of that kind alone; for all kinds where it is not given.
    Only(&'static [&'static str]),
    /// Some of these words, each once, parted by commas.
    SomeOf(&'static [&'static str]),
    /// 1 to 100 symbols, parted by commas.
    Symbols,
    /// What an earlier answer gave.
    Cursor,
}

/// A whole number within bounds.
#[derive(Debug, Clone, Copy)]
pub struct Whole {
    pub min: u32,
    pub max: u32,
    pub default: u32,
}

impl Whole {
    /// The number that a text is, where it is one within the bounds.
    pub fn read(self, text: &str) -> Option<u32> {
        // Rust would also read "+5".
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
        fn a_number_is_read_within_its_bounds_and_nowhere_else(number: u32, a: u32, b: u32) {
            let whole = Whole { min: a.min(b), max: a.max(b), default: 0 };
            let edges = [whole.min, whole.max].map(|edge| [edge.saturating_sub(1), edge, edge.saturating_add(1)]);
            for number in edges.into_iter().flatten().chain([number]) {
                let read = whole.read(&number.to_string());
                prop_assert_eq!(read, (whole.min <= number && number <= whole.max).then_some(number));
            }
        }

        #[test]
        fn what_is_no_number_in_digits_is_refused(text in "[^0-9]{0,5}[0-9]{0,12}[^0-9]{1,5}|[+-][0-9]{1,9}|") {
            prop_assert_eq!(Whole { min: 0, max: u32::MAX, default: 0 }.read(&text), None);
        }
    }
}
