//! Ratios of splits as vendors write them.

/// A split: `from` shares became `to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub from: f64,
    pub to: f64,
}

/// The largest and the smallest number of shares that one share may become.
const RATIO_MAX: f64 = 1e6;
/// The largest denominator that is looked for in a decimal.
const DENOMINATOR_MAX: u64 = 1000;

/// The most digits of a decimal that is taken for a fraction: more than a double has.
const DIGITS_MAX: usize = 25;
/// The decimals from which on a decimal may be the quotient of two doubles.
const DOUBLE_DECIMALS_MIN: u32 = 12;

/// What separates new from old shares, in lower case. The new shares come first.
const SEPARATORS: [&str; 6] = [":", "/", "-for-", " for ", "for", "\u{2236}"];

impl Split {
    /// A split in a ratio that a company may split in; `None` if it is out of all bounds.
    pub fn of(from: f64, to: f64) -> Option<Self> {
        let is_plausible = from > 0.0 && to > 0.0 && from.max(to) / from.min(to) <= RATIO_MAX;
        is_plausible.then_some(Self { from, to })
    }

    /// Whether it changes no number of shares.
    pub fn is_none(self) -> bool {
        self.from == self.to
    }

    /// Parses a ratio of new to old shares: `4:1`, `4/1`, `4-for-1` or `4.0` for four for one,
    /// `0.1` for one for ten. Most rows of a history have none: 0 and 1 are a ratio of 1 to 1.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if let Some((to, from)) = SEPARATORS.iter().find_map(|mark| text.split_once(mark)) {
            return Self::of(number(from)?, number(to)?);
        }
        let ratio = number(&text)?;
        if ratio == 0.0 {
            return Self::of(1.0, 1.0);
        }
        let (to, from) = fraction(&text).unwrap_or((ratio, 1.0));
        Self::of(from, to)
    }
}

fn number(text: &str) -> Option<f64> {
    let is_decimal = |b: u8| b.is_ascii_digit() || b == b'.';
    let text = text.trim();
    text.parse().ok().filter(|_| text.bytes().all(is_decimal))
}

/// The fraction that a decimal stands for. Cut or rounded ones become exact again: 0.333333 is 1/3
/// and 1.6667 is 5/3. The more digits it has, the larger the denominator may be: fractions with
/// denominators up to `10^(d / 2 - 1)` are far apart for `d` decimals.
fn fraction(text: &str) -> Option<(f64, f64)> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() + decimals.len() > DIGITS_MAX {
        return None;
    }
    let digits: u128 = format!("{whole}{decimals}").parse().ok()?;
    let count = u32::try_from(decimals.len()).ok()?;
    let unit = 10u128.pow(count);
    if let Some(whole) = one_for(digits, unit) {
        return Some((1.0, whole as f64));
    }
    let divisor = gcd(digits, unit);
    let exact = (digits / divisor, unit / divisor);
    let largest = 10f64.powf(f64::from(count) / 2.0 - 1.0).min(DENOMINATOR_MAX as f64) as u128;
    let simple = (2..=largest.min(exact.1.saturating_sub(1))).find_map(|denominator| {
        let numerator = (digits * denominator + unit / 2) / unit;
        let rest = numerator * unit % denominator;
        let cut = numerator * unit / denominator;
        let is_rounded_up = 2 * rest >= denominator && cut + 1 == digits;
        // The last digits of a quotient of doubles may be wrong.
        let is_near = count >= DOUBLE_DECIMALS_MIN && cut.abs_diff(digits) <= 10;
        let is_of = cut == digits || is_rounded_up || is_near;
        (is_of && numerator > 0).then_some((numerator, denominator))
    });
    let (numerator, denominator) = simple.unwrap_or(exact);
    Some((numerator as f64, denominator as f64))
}

/// The number of old shares that become one, if the decimal `digits / unit` is the rounded or cut
/// quotient: 0.0333 is one for 30. Reverse splits are of this form. One decimal proves too little:
/// 0.3 may be three for ten.
fn one_for(digits: u128, unit: u128) -> Option<u128> {
    if digits == 0 || digits >= unit || unit < 100 {
        return None;
    }
    let whole = (unit + digits / 2) / digits;
    let is_rounded = (unit + whole / 2) / whole == digits;
    ((is_rounded || unit / whole == digits) && whole <= u128::from(DENOMINATOR_MAX))
        .then_some(whole)
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(f64, f64)> {
        Split::parse(text).map(|split| (split.from, split.to))
    }

    #[test]
    fn a_rounded_reverse_split_is_one_share_for_a_whole_number() {
        for (text, from) in [
            ("0.0333", 30.0),
            ("0.0667", 15.0),
            ("0.067", 15.0),
            ("0.0286", 35.0),
            ("0.02857", 35.0),
            ("0.0133", 75.0),
            ("0.00667", 150.0),
            ("0.33", 3.0),
            ("0.083", 12.0),
            ("0.05", 20.0),
            ("0.5", 2.0),
        ] {
            assert_eq!(parsed(text), Some((from, 1.0)), "{text}");
        }
        assert_eq!(parsed("0.3"), Some((10.0, 3.0)));
        assert_eq!(parsed("0.29"), Some((100.0, 29.0)));
    }

    #[test]
    fn ratios_are_read_in_every_form_with_the_new_shares_first() {
        for text in ["4:1", "4/1", "4.000000/1.000000", "4-for-1", "4 for 1", "4", "4.0", "4.0000"]
        {
            assert_eq!(parsed(text), Some((1.0, 4.0)), "{text}");
        }
        for text in ["1:10", "1/10", "1-for-10", "0.1", "0.10000"] {
            assert_eq!(parsed(text), Some((10.0, 1.0)), "{text}");
        }
        for (text, from, to) in
            [("1.5", 2.0, 3.0), ("3:2", 2.0, 3.0), ("1.05", 20.0, 21.0), ("1.253", 1000.0, 1253.0)]
        {
            assert_eq!(parsed(text), Some((from, to)), "{text}");
        }
        for text in ["0", "0.0", "1", "1.0", "1:1", "1.000000"] {
            assert!(Split::parse(text).is_some_and(Split::is_none), "{text}");
        }
    }

    #[test]
    fn rounded_decimals_of_simple_fractions_become_exact() {
        for (text, from, to) in [
            ("0.333", 3.0, 1.0),
            ("0.333333", 3.0, 1.0),
            ("0.3333333333333333", 3.0, 1.0),
            ("0.6666", 3.0, 2.0),
            ("0.666667", 3.0, 2.0),
            ("1.33333", 3.0, 4.0),
            ("1.6666666666666667", 3.0, 5.0),
            ("0.066667", 15.0, 1.0),
            ("0.142857", 7.0, 1.0),
            ("0.76190", 21.0, 16.0),
            ("0.14285714285714285", 7.0, 1.0),
            ("0.006666666666666667", 150.0, 1.0),
            // The last digit is that of a double.
            ("5.545454545454546", 11.0, 61.0),
            ("2.190476190476191", 21.0, 46.0),
            // Not a rounded third, and decimals that are exact.
            ("0.334", 500.0, 167.0),
            ("0.3125", 16.0, 5.0),
            ("1.2531", 10_000.0, 12_531.0),
        ] {
            assert_eq!(parsed(text), Some((from, to)), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_ratio_is_refused() {
        for text in ["", "x", "4:", ":1", "4:0", "0:1", "-4", "4:1:1", "1e3", "nan", "10000001"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_fraction_is_found_in_its_decimal(
            numerator in 1u32..100, denominator in 1u32..30, decimals in 5usize..16
        ) {
            let text = format!("{:.decimals$}", f64::from(numerator) / f64::from(denominator));
            let split = Split::parse(&text).unwrap();
            let error = split.to * f64::from(denominator) - split.from * f64::from(numerator);
            proptest::prop_assert!(error.abs() < 1e-9, "{text} is {split:?}");
        }

        #[test]
        fn parsing_any_text_does_not_panic(text in ".{0,40}|[0-9.:/]{0,50}") {
            let _ = Split::parse(&text);
        }
    }
}
