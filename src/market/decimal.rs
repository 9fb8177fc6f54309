//! Decimal numbers without rounding errors. A double stands for its shortest decimal: the one with
//! the fewest digits that is read back as the same double.

use num_bigint::BigUint;
use num_integer::Integer;

/// Decimals of [`percent_change`].
const PERCENT_DECIMALS: i32 = 4;

/// A decimal of 0 or more: `digits * 10^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub digits: u64,
    pub exponent: i32,
}

impl Decimal {
    /// The shortest decimal of a finite number, without its sign.
    pub fn of(number: f64) -> Self {
        // As in `1.25e-3`: at most 17 digits.
        let text = format!("{:e}", number.abs());
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let fraction_digits = i32::try_from(fraction.len()).unwrap_or_default();
        Self {
            digits: format!("{whole}{fraction}").parse().unwrap_or_default(),
            exponent: exponent.parse::<i32>().unwrap_or_default() - fraction_digits,
        }
    }

    /// The nearest decimals below and above with at most this many significant digits: the decimal
    /// itself if it has no more.
    pub fn neighbours(self, significant_digits: u32) -> (f64, f64) {
        let digits_count = self.digits.checked_ilog10().map_or(1, |log| log + 1);
        let dropped = digits_count.saturating_sub(significant_digits);
        let unit = 10u64.pow(dropped);
        let exponent = self.exponent + dropped.cast_signed();
        let (below, above) = (self.digits / unit, self.digits.div_ceil(unit));
        (nearest_double(&below.into(), exponent), nearest_double(&above.into(), exponent))
    }

    /// The whole number `digits * 10^(exponent - unit)`. `unit` must not be above the exponent.
    pub fn in_units(self, unit: i32) -> BigUint {
        BigUint::from(self.digits) * power_of_10(self.exponent - unit)
    }
}

/// The exponent of the smallest unit among these decimals.
pub(super) fn smallest_unit(decimals: &[Decimal]) -> i32 {
    decimals.iter().map(|decimal| decimal.exponent).min().unwrap_or_default()
}

/// `10^exponent`; 1 for negative exponents.
pub(super) fn power_of_10(exponent: i32) -> BigUint {
    BigUint::from(10u8).pow(exponent.unsigned_abs() * u32::from(exponent > 0))
}

/// `numerator / denominator`, rounded to a whole number: a half is rounded to the even one.
pub(super) fn rounded_quotient(numerator: &BigUint, denominator: &BigUint) -> BigUint {
    let (quotient, rest) = numerator.div_rem(denominator);
    let is_up = match (rest * 2u8).cmp(denominator) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient.is_odd(),
        std::cmp::Ordering::Greater => true,
    };
    if is_up { quotient + 1u8 } else { quotient }
}

/// The double nearest to `digits * 10^exponent`.
pub(super) fn nearest_double(digits: &BigUint, exponent: i32) -> f64 {
    format!("{digits}e{exponent}").parse().expect("a formatted number is a number")
}

/// `a - b` of two prices, exact as decimals: 27.95 - 27.8 is 0.15, where binary floating point
/// alone gives 0.14999999999999858.
pub fn decimal_difference(a: f64, b: f64) -> f64 {
    let (decimal_a, decimal_b) = (Decimal::of(a), Decimal::of(b));
    let unit = smallest_unit(&[decimal_a, decimal_b]);
    let [units_a, units_b] = [decimal_a, decimal_b].map(|decimal| decimal.in_units(unit));
    if units_a >= units_b {
        nearest_double(&(units_a - units_b), unit)
    } else {
        -nearest_double(&(units_b - units_a), unit)
    }
}

/// The change from price `a` to price `b` in percent of `a`, rounded once to 4 decimals, half to
/// even.
pub fn percent_change(a: f64, b: f64) -> f64 {
    let change = decimal_difference(b, a);
    let (decimal_change, decimal_a) = (Decimal::of(change), Decimal::of(a));
    let unit = smallest_unit(&[decimal_change, decimal_a]);
    // Percent, in units of the last decimal.
    let scaled = decimal_change.in_units(unit) * power_of_10(2 + PERCENT_DECIMALS);
    let units = rounded_quotient(&scaled, &decimal_a.in_units(unit));
    let percent = nearest_double(&units, -PERCENT_DECIMALS);
    // No negative zero, which JSON would write as -0.0.
    if change < 0.0 && percent > 0.0 { -percent } else { percent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_percentage_is_rounded_once_and_half_to_even() {
        for (a, b, expected) in [
            (27.8, 27.95, 0.5396),
            (50.3685, 51.1, 1.4523),
            (20_000.0, 20_000.01, 0.0), // 0.00005: the even neighbour is 0
            (20_000.0, 20_000.03, 0.0002), // 0.00015
            (20_000.0, 19_999.99, 0.0),
            (3.0, 2.0, -33.3333),
            (3.0, 1.0, -66.6667),
            (0.0001, 1.0, 999_900.0),
        ] {
            let percent = percent_change(a, b);
            assert_eq!(percent, expected, "{a} to {b}");
            assert!(percent != 0.0 || percent.is_sign_positive(), "{a} to {b} is -0");
        }
    }

    proptest! {
        #[test]
        fn a_decimal_is_the_shortest_of_its_double(number in 0.0f64..) {
            let Decimal { digits, exponent } = Decimal::of(number);
            prop_assert_eq!(nearest_double(&digits.into(), exponent), number);
            prop_assert!(digits < 100_000_000_000_000_000);
        }

        #[test]
        fn neighbours_enclose_a_decimal_and_have_the_significant_digits(
            number in 1e-9f64..1e12, significant_digits in 1u32..18
        ) {
            let (below, above) = Decimal::of(number).neighbours(significant_digits);
            prop_assert!(below <= number && number <= above, "{below} {number} {above}");
            for neighbour in [below, above] {
                let digits = Decimal::of(neighbour).digits;
                prop_assert!(digits < 10u64.pow(significant_digits), "{neighbour}");
            }
            prop_assert_eq!(Decimal::of(below).neighbours(significant_digits), (below, below));
        }

        #[test]
        fn a_difference_of_cents_is_exact(a in 0i64..100_000_000, b in 0i64..100_000_000) {
            let difference = decimal_difference(a as f64 / 100.0, b as f64 / 100.0);
            prop_assert_eq!(difference, (a - b) as f64 / 100.0);
        }

        #[test]
        fn a_difference_of_ten_digit_prices_has_no_digit_too_many(
            a in 1i64..10_000_000_000, b in 1i64..10_000_000_000, places in 0i32..6
        ) {
            let price = |digits: i64| format!("{digits}e-{places}").parse::<f64>().unwrap();
            let difference = decimal_difference(price(a), price(b));
            prop_assert_eq!(difference, format!("{}e-{places}", a - b).parse::<f64>().unwrap());
        }
    }
}
