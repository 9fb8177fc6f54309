//! Numbers as vendors write them: with a dollar sign, separated thousands, an exponent.

/// The words for a missing value, in any case. `\N` is that of databases.
const BLANKS: [&str; 10] = ["", "null", "nan", "n/a", "#n/a", "na", "<na>", "none", "-", "\\n"];

/// The largest exponent of ten. Numbers of markets stay far below.
const EXPONENT_MAX: i32 = 30;

/// Whether a text stands for a missing value.
pub fn is_blank(text: &str) -> bool {
    text.is_empty() || BLANKS.iter().any(|blank| text.eq_ignore_ascii_case(blank))
}

/// A number of 0 or more, rounded to a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeNumber {
    pub number: i64,
    /// Whether it was written with a fraction other than 0.
    pub is_rounded: bool,
}

/// A finite number. `None` for a text that is none, `inf` and `NaN` included, and for one like
/// `1,234`, which is 1234 or 1.234.
pub fn number(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let number: f64 = if is_plain {
        text.parse().ok()?
    } else {
        let is_ambiguous =
            text.contains(',') && !text.contains('.') && text.matches(',').count() == 1;
        let Decimal { is_negative, whole, fraction, exponent } = Decimal::of(text)?;
        let sign = if is_negative { "-" } else { "" };
        let text = format!("{sign}{whole}.{fraction}e{exponent}");
        text.parse().ok().filter(|_| !is_ambiguous)?
    };
    number.is_finite().then_some(number)
}

/// What was expected in the place of a text that is no [`number`].
pub fn expected_number(text: &str) -> &'static str {
    let is_number = |part: &str| part.bytes().any(|b| b.is_ascii_digit());
    match text.split_once(',') {
        Some((whole, rest)) if is_number(whole) && is_number(rest) && !rest.contains(',') => {
            if rest.len() == 3 && !whole.contains('.') {
                "expected a number without the comma, which may separate thousands or decimals"
            } else {
                "expected a number with a decimal point, as 1.23: decimal commas are not read"
            }
        }
        _ => "expected a number",
    }
}

/// A number of shares, or another number that is whole by its nature. Halves are rounded up.
pub fn whole_number(text: &str) -> Option<WholeNumber> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(WholeNumber { number: text.parse().ok()?, is_rounded: false });
    }
    let Decimal { is_negative, whole, fraction, exponent } = Decimal::of(text)?;
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let (kept, dropped) = match usize::try_from(point) {
        Ok(point) if point <= digits.len() => digits.split_at(point),
        Ok(point) => (&*format!("{digits:0<point$}"), ""),
        // The first digit after the point is 0.
        Err(_) => ("0", if digits.bytes().all(|b| b == b'0') { "" } else { "01" }),
    };
    let is_rounded = dropped.bytes().any(|b| b != b'0');
    let kept: i64 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    let number =
        if dropped.as_bytes().first() >= Some(&b'5') { kept.checked_add(1)? } else { kept };
    (!is_negative || number == 0 && !is_rounded).then_some(WholeNumber { number, is_rounded })
}

/// Whether the points of a number may separate thousands, as in `51.200` and `1.234.567`.
pub fn may_be_thousands(text: &str) -> bool {
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let mut groups = text.split('.');
    let is_first = groups.next().is_some_and(|first| (1..=3).contains(&first.len()));
    is_first
        && text.contains('.')
        && text.split('.').all(is_digits)
        && groups.all(|group| group.len() == 3)
}

/// The parts of a decimal number.
struct Decimal {
    is_negative: bool,
    /// Digits, without separators; at least one here or in `fraction`.
    whole: String,
    fraction: String,
    exponent: i32,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let (text, exponent) = match text.split_once(['e', 'E']) {
            Some((text, exponent)) => (text, exponent.parse().ok()?),
            None => (text, 0),
        };
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let text = text.strip_prefix('$').unwrap_or(text);
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let whole = without_separators(whole)?;
        let has_digits = !(whole.is_empty() && fraction.is_empty());
        let fits = (-EXPONENT_MAX..=EXPONENT_MAX).contains(&exponent);
        let fraction = fraction.to_owned();
        (has_digits && fits && is_number(&whole) && is_number(&fraction)).then_some(Self {
            is_negative,
            whole,
            fraction,
            exponent,
        })
    }
}

/// Removes the commas of `1,234,567`; `None` if they do not separate thousands.
fn without_separators(text: &str) -> Option<String> {
    let mut groups = text.split(',');
    let first = groups.next()?;
    let is_separated = text.len() > first.len();
    let has_first = !is_separated || (1..=3).contains(&first.len());
    (has_first && groups.all(|group| group.len() == 3)).then(|| text.replace(',', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_of_vendors_are_read_to_the_digit() {
        for (text, expected) in [
            ("31.41", 31.41),
            ("$31.41", 31.41),
            ("$1,234.50", 1234.5),
            ("1,234,567", 1_234_567.0),
            ("5e-05", 0.00005),
            ("1.2345678e+07", 12_345_678.0),
            ("1E3", 1000.0),
            (".5", 0.5),
            ("-2.5", -2.5),
        ] {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "abc",
            "inf",
            "NaN",
            "1,234",
            "1,5",
            "1,23,456",
            "1234,567.0",
            ",123.5",
            "$",
            "1e",
            "1e99",
            "1..2",
            "1.2.3",
            "--1",
            "1 000",
            "€5",
            "e5",
            ".",
            "12%",
            "0x10",
            "1_000",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn a_comma_is_explained_if_the_text_is_a_number_otherwise() {
        for (text, expected) in [
            ("1,23", "decimal commas are not read"),
            ("1.234,56", "decimal commas are not read"),
            ("-0,5", "decimal commas are not read"),
            ("1,234", "may separate thousands or decimals"),
            ("x", "expected a number"),
            ("1,23,4", "expected a number"),
        ] {
            assert_eq!(number(text), None, "{text}");
            assert!(expected_number(text).ends_with(expected), "{text}");
        }
    }

    #[test]
    fn points_between_groups_of_three_digits_may_separate_thousands() {
        for text in ["51.200", "1.234.567", "1.000"] {
            assert!(may_be_thousands(text), "{text}");
        }
        for text in ["", "51200", "51.2", "51.2000", "1234.567", "1.234,5", ".200", "1.23e4"] {
            assert!(!may_be_thousands(text), "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_exact_and_a_fraction_is_rounded() {
        for (text, number, is_rounded) in [
            ("9007199254740993", 9_007_199_254_740_993, false),
            ("9007199254740993.0", 9_007_199_254_740_993, false),
            ("9.007199254740993e15", 9_007_199_254_740_993, false),
            ("120300.0", 120_300, false),
            ("1,234,567", 1_234_567, false),
            ("1,234", 1234, false),
            ("1.2345678e+07", 12_345_678, false),
            ("1e3", 1000, false),
            ("99.5", 100, true),
            ("99.49", 99, true),
            ("0.4", 0, true),
            ("5e-1", 1, true),
            ("5e-2", 0, true),
            ("0e-9", 0, false),
            ("0", 0, false),
            ("-0", 0, false),
        ] {
            let expected = Some(WholeNumber { number, is_rounded });
            assert_eq!(whole_number(text), expected, "{text}");
        }
        for text in ["", "-5", "-0.1", "x", "9223372036854775808", "1e30", "9223372036854775807.5"]
        {
            assert_eq!(whole_number(text), None, "{text}");
        }
    }

    #[test]
    fn missing_values_are_known_in_any_case() {
        for text in ["", "null", "NULL", "NaN", "nan", "N/A", "None", "-", "NA", "<NA>", "\\N"] {
            assert!(is_blank(text), "{text}");
        }
        for text in ["0", "0.0", "--", "x"] {
            assert!(!is_blank(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_read_back_from_any_of_its_texts(number in 0.0f64..1e12) {
            for text in [number.to_string(), format!("{number:e}"), format!("${number}")] {
                prop_assert_eq!(super::number(&text), Some(number), "{}", text);
            }
        }

        #[test]
        fn a_whole_number_is_read_back_from_any_of_its_texts(number in 0i64..) {
            for text in [number.to_string(), format!("{number}.00"), format!("{number:e}")] {
                let expected = WholeNumber { number, is_rounded: false };
                prop_assert_eq!(whole_number(&text), Some(expected), "{}", text);
            }
        }

        #[test]
        fn reading_any_text_does_not_panic(text in "[-+$.,eE0-9]{0,20}|.{0,20}") {
            let _ = (number(&text), whole_number(&text), is_blank(&text));
        }
    }
}
