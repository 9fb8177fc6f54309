//! The numbers by which prices are multiplied, as exact fractions, and the one place where an
//! adjusted number is rounded.

use num_bigint::BigUint;
use num_integer::Integer;
use num_traits::ToPrimitive;

use super::decimal::{Decimal, nearest_double, power_of_10, rounded_quotient, smallest_unit};

/// Significant digits of an adjusted price: more than nearly all prices have.
pub const PRICE_DIGITS: i32 = 10;
/// From this size on a fraction is reduced and then, if it must be, rounded to [`KEPT_BITS`]. The
/// error is far too small to move a price of [`PRICE_DIGITS`] digits to another one.
const EXACT_BITS: u64 = 256;
const KEPT_BITS: u64 = 192;
/// The values that [`rounded_if_clear`] rounds. Their powers of ten are exact as doubles.
pub const CLEAR_MIN: f64 = 1e-12;
pub const CLEAR_MAX: f64 = 1e9;
/// The distance from a half, in units of the last digit, within which a double does not decide the
/// rounding. Errors of doubles are below a tenth of it.
pub const UNCLEAR_WITHIN: f64 = 1e-4;
/// The powers of ten that are exact as doubles.
pub const POWERS_OF_10: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// A fraction above 0 that prices are multiplied by.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    numerator: BigUint,
    denominator: BigUint,
    /// The double next to the fraction, up to rounding errors of a few units in the last place.
    approximate: f64,
    /// Whether the fraction was never rounded to [`KEPT_BITS`].
    is_exact: bool,
}

impl Ratio {
    pub fn one() -> Self {
        Self::exact(1u8.into(), 1u8.into())
    }

    /// `a / b` of two positive numbers.
    pub fn of(a: f64, b: f64) -> Self {
        let decimals = [Decimal::of(a), Decimal::of(b)];
        let unit = smallest_unit(&decimals);
        let [a, b] = decimals.map(|decimal| decimal.in_units(unit));
        Self::exact(a, b)
    }

    /// `close / (close + dividends * splits)`: the close is that of shares after the splits, and
    /// the dividends were paid on those before.
    pub fn of_dividends(
        close: f64,
        dividends: impl IntoIterator<Item = f64>,
        splits: &Self,
    ) -> Self {
        let mut decimals = vec![Decimal::of(close)];
        decimals.extend(dividends.into_iter().map(Decimal::of));
        let unit = smallest_unit(&decimals);
        let close = decimals[0].in_units(unit) * &splits.denominator;
        let dividends: BigUint = decimals[1..].iter().map(|decimal| decimal.in_units(unit)).sum();
        let total = &close + dividends * &splits.numerator;
        Self { is_exact: splits.is_exact, ..Self::exact(close, total) }
    }

    fn exact(numerator: BigUint, denominator: BigUint) -> Self {
        let approximate = quotient(&numerator, &denominator);
        Self { numerator, denominator, approximate, is_exact: true }
    }

    pub fn times(&self, other: &Self) -> Self {
        let mut product = Self {
            numerator: &self.numerator * &other.numerator,
            denominator: &self.denominator * &other.denominator,
            approximate: 1.0,
            is_exact: self.is_exact && other.is_exact,
        };
        if product.is_exact && product.is_large() {
            let divisor = product.numerator.gcd(&product.denominator);
            product.numerator /= &divisor;
            product.denominator /= &divisor;
        }
        if product.is_large() {
            product.round();
        }
        product.approximate = quotient(&product.numerator, &product.denominator);
        product
    }

    fn is_large(&self) -> bool {
        self.numerator.bits().max(self.denominator.bits()) > EXACT_BITS
    }

    /// Rounds the fraction to a numerator of [`KEPT_BITS`] over a power of two.
    fn round(&mut self) {
        let shift = (KEPT_BITS + self.denominator.bits()).saturating_sub(self.numerator.bits());
        self.numerator = (&self.numerator << shift) / &self.denominator;
        self.denominator = BigUint::from(1u8) << shift;
        self.is_exact = false;
    }

    /// Whether a double can't tell the fraction from 1. It then changes no price.
    pub fn is_one(&self) -> bool {
        self.approximate == 1.0
    }

    /// The fraction as a double.
    pub fn approximate(&self) -> f64 {
        self.approximate
    }

    /// The smaller of the two sides of the reduced fraction, as a double.
    pub(super) fn smaller_side(&self) -> f64 {
        let divisor = self.numerator.gcd(&self.denominator);
        let smaller = (&self.numerator).min(&self.denominator);
        (smaller / divisor).to_f64().unwrap_or(f64::INFINITY)
    }

    /// Numerator and denominator in decimal.
    pub fn parts(&self) -> (String, String) {
        (self.numerator.to_string(), self.denominator.to_string())
    }

    /// A price times the fraction, rounded once to [`PRICE_DIGITS`] significant digits, half to
    /// even. Every adjusted price is made here, or by the same rule in the SQL of a load.
    pub fn of_price(&self, price: f64) -> f64 {
        if self.is_one() {
            return price;
        }
        rounded_if_clear(price * self.approximate).unwrap_or_else(|| self.of_price_exactly(price))
    }

    fn of_price_exactly(&self, price: f64) -> f64 {
        let Decimal { digits, exponent } = Decimal::of(price);
        let numerator = &self.numerator * digits * power_of_10(exponent);
        let denominator = &self.denominator * power_of_10(-exponent);
        rounded_to_digits(&numerator, &denominator)
    }

    /// A number of shares divided by the fraction, rounded half to even.
    pub fn of_shares(&self, shares: i64) -> i64 {
        if self.is_one() {
            return shares;
        }
        let numerator = &self.denominator * shares.unsigned_abs();
        let shares = rounded_quotient(&numerator, &self.numerator);
        i64::try_from(shares).unwrap_or(i64::MAX)
    }
}

/// The average of prices, each weighted by a number of shares, rounded as adjusted prices are.
/// `None` if there are no shares.
pub fn weighted_average(of: &[(f64, i64)]) -> Option<f64> {
    let weighted: Vec<_> = of.iter().filter(|(_, shares)| *shares > 0).collect();
    let decimals: Vec<_> = weighted.iter().map(|(price, _)| Decimal::of(*price)).collect();
    let unit = smallest_unit(&decimals);
    let (mut total, mut shares) = (BigUint::ZERO, BigUint::ZERO);
    for (decimal, (_, of_price)) in decimals.iter().zip(weighted) {
        total += decimal.in_units(unit) * of_price.unsigned_abs();
        shares += of_price.unsigned_abs();
    }
    (shares != BigUint::ZERO).then(|| {
        let numerator = total * power_of_10(unit);
        rounded_to_digits(&numerator, &(shares * power_of_10(-unit)))
    })
}

fn quotient(numerator: &BigUint, denominator: &BigUint) -> f64 {
    let double = |number: &BigUint| number.to_f64().unwrap_or(f64::INFINITY);
    double(numerator) / double(denominator)
}

/// Rounds a value that is known as a double, if the errors of doubles can't change the result.
/// Whole number and power of ten are exact, so their quotient is the double next to the decimal.
fn rounded_if_clear(value: f64) -> Option<f64> {
    if !(CLEAR_MIN..CLEAR_MAX).contains(&value) {
        return None;
    }
    // Beside a power of ten the logarithm may be rounded. The result is that power either way.
    let places = PRICE_DIGITS - 1 - value.log10().floor() as i32;
    let scale = POWERS_OF_10.get(usize::try_from(places).ok()?)?;
    let scaled = value * scale;
    let is_clear = (scaled - scaled.floor() - 0.5).abs() >= UNCLEAR_WITHIN;
    is_clear.then(|| scaled.round() / scale)
}

fn rounded_to_digits(numerator: &BigUint, denominator: &BigUint) -> f64 {
    let bits = |number: &BigUint| number.bits() as f64;
    let magnitude = ((bits(numerator) - bits(denominator)) * std::f64::consts::LOG10_2).floor();
    let mut places = PRICE_DIGITS - 1 - magnitude as i32;
    loop {
        let scaled = numerator * power_of_10(places);
        let unit = denominator * power_of_10(-places);
        let whole = &scaled / &unit;
        // The estimate of the magnitude is one too high or too low at most.
        if whole >= power_of_10(PRICE_DIGITS) {
            places -= 1;
        } else if whole < power_of_10(PRICE_DIGITS - 1) {
            places += 1;
        } else {
            return nearest_double(&rounded_quotient(&scaled, &unit), -places);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The significant digits of a number as it is shown.
    fn digits_shown(number: f64) -> usize {
        Decimal::of(number).digits.to_string().trim_end_matches('0').len()
    }

    #[test]
    fn a_price_is_rounded_to_ten_digits_and_a_tie_to_the_even_digit() {
        for (from, to, price, expected) in [
            (1.0, 20.0, 1007.37, 50.3685),
            (1.0, 10.0, 123.45, 12.345),
            (1.0, 3.0, 100.0, 33.333_333_33),
            (2.0, 3.0, 0.05, 0.033_333_333_33),
            (10.0, 1.0, 0.0123, 0.123),
            (1000.0, 1253.0, 175.0, 139.664_804_5),
            // 77160.493125 and 77160.493375 lie in the middle.
            (1.0, 16.0, 1_234_567.89, 77_160.493_12),
            (1.0, 16.0, 1_234_567.894, 77_160.493_38),
            (1.0, 2.0, 1.000_000_001, 0.500_000_000_5),
            (1.0, 4.0, 8_000_000_002.0, 2_000_000_000.0),
            (1.0, 4.0, 8_000_000_006.0, 2_000_000_002.0),
            (1.0, 4.0, 8_000_000_002e10, 2_000_000_000e10),
            (1.0, 2.0, 999_999_999.9, 500_000_000.0),
            (3.0, 1.0, 0.333_333_333_333, 1.0),
            (7.0, 7.0, 1.234_567_890_123_45, 1.234_567_890_123_45),
        ] {
            assert_eq!(Ratio::of(from, to).of_price(price), expected, "{price} * {from} / {to}");
        }
    }

    #[test]
    fn shares_are_divided_without_loss_beyond_the_whole_numbers_of_doubles() {
        for (from, to, shares, expected) in [
            (1.0, 2.0, 32_000_001, 64_000_002),
            (10.0, 1.0, 25, 2),
            (10.0, 1.0, 35, 4),
            (1.0, 1.5, 3, 4),
            (1.0, 3.0, 9_007_199_254_740_993, 27_021_597_764_222_979),
            (1.0, 2.0, i64::MAX, i64::MAX),
        ] {
            assert_eq!(Ratio::of(from, to).of_shares(shares), expected, "{shares}");
        }
    }

    /// Numbers as files have them: up to 12 digits, up to 6 of them after the point.
    fn decimal() -> impl Strategy<Value = f64> {
        (1u64..1_000_000_000_000, 0i32..7)
            .prop_map(|(digits, places)| nearest_double(&digits.into(), -places))
    }

    /// The exact product of a price and fractions, rounded to ten digits with whole numbers alone.
    fn expected(price: f64, fractions: &[(f64, f64)]) -> f64 {
        // Written in full, as digits with a point: (digits, unit).
        let whole = |number: f64| {
            let text = number.to_string();
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let unit = BigUint::from(10u8).pow(u32::try_from(fraction.len()).unwrap());
            (format!("{whole}{fraction}").parse::<BigUint>().unwrap(), unit)
        };
        let (mut numerator, mut denominator) = whole(price);
        for (a, b) in fractions {
            let [(a, unit_of_a), (b, unit_of_b)] = [*a, *b].map(whole);
            numerator *= a * unit_of_b;
            denominator *= b * unit_of_a;
        }
        // Long division: all digits before the point, and many after it.
        let shifted = (&numerator * BigUint::from(10u8).pow(60)) / &denominator;
        let exact = &shifted * &denominator == numerator * BigUint::from(10u8).pow(60);
        let text = shifted.to_string();
        let (kept, cut) = text.split_at(10);
        let half = format!("5{}", "0".repeat(cut.len() - 1));
        let kept_number: u64 = kept.parse().unwrap();
        let is_up = match (cut.cmp(&half), exact) {
            (std::cmp::Ordering::Equal, true) => kept_number % 2 == 1,
            (order, _) => order != std::cmp::Ordering::Less,
        };
        let kept_number = kept_number + u64::from(is_up);
        format!("{kept_number}e{}", cut.len() as i32 - 60).parse().unwrap()
    }

    proptest! {
        #[test]
        fn an_adjusted_price_is_the_exact_product_rounded_once(
            price in decimal(),
            fractions in prop::collection::vec((decimal(), decimal()), 1..40)
        ) {
            let mut product = Ratio::one();
            for (a, b) in &fractions {
                product = product.times(&Ratio::of(*a, *b));
            }
            let approximate = product.approximate();
            if !(1e-20..1e20).contains(&approximate) {
                return Ok(());
            }
            let shown = product.of_price(price);
            prop_assert_eq!(shown, expected(price, &fractions));
            prop_assert!(digits_shown(shown) <= 10, "{shown}");
            prop_assert_eq!(product.of_price_exactly(price), shown);
        }

        #[test]
        fn ties_are_found_and_rounded_to_even(
            price in decimal(), power in 1i32..24, reverse: bool
        ) {
            let (a, b) = if reverse { (2f64.powi(power), 1.0) } else { (1.0, 2f64.powi(power)) };
            let shown = Ratio::of(a, b).of_price(price);
            prop_assert_eq!(shown, expected(price, &[(a, b)]));
        }

        #[test]
        fn adjusting_keeps_the_order_of_prices(
            mut prices in prop::collection::vec(decimal(), 2),
            fractions in prop::collection::vec((decimal(), decimal()), 1..4)
        ) {
            prices.sort_by(f64::total_cmp);
            let ratio = fractions
                .iter()
                .fold(Ratio::one(), |product, (a, b)| product.times(&Ratio::of(*a, *b)));
            prop_assert!(ratio.of_price(prices[0]) <= ratio.of_price(prices[1]));
        }
    }
}
