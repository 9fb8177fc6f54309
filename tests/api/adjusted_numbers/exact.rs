//! Adjusted numbers computed with whole numbers alone.

use num_bigint::BigUint;

/// A fraction of whole numbers.
#[derive(Debug, Clone)]
pub struct Fraction {
    numerator: BigUint,
    denominator: BigUint,
}

impl Fraction {
    pub fn one() -> Self {
        Self { numerator: 1u8.into(), denominator: 1u8.into() }
    }

    /// The fraction of a decimal as it is written in a file.
    pub fn of(text: &str) -> Self {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        Self {
            numerator: format!("{whole}{decimals}").parse().expect("digits"),
            denominator: BigUint::from(10u8).pow(u32::try_from(decimals.len()).expect("few")),
        }
    }

    pub fn times(&self, other: &Self) -> Self {
        Self {
            numerator: &self.numerator * &other.numerator,
            denominator: &self.denominator * &other.denominator,
        }
    }

    pub fn over(&self, other: &Self) -> Self {
        Self {
            numerator: &self.numerator * &other.denominator,
            denominator: &self.denominator * &other.numerator,
        }
    }

    pub fn plus(&self, other: &Self) -> Self {
        Self {
            numerator: &self.numerator * &other.denominator + &other.numerator * &self.denominator,
            denominator: &self.denominator * &other.denominator,
        }
    }

    pub fn is_one(&self) -> bool {
        self.numerator == self.denominator
    }

    /// The nearest whole number; of two, the even one.
    pub fn rounded(&self) -> BigUint {
        let whole = &self.numerator / &self.denominator;
        let twice_the_rest = (&self.numerator - &whole * &self.denominator) * 2u8;
        let is_odd = whole.bit(0);
        if twice_the_rest > self.denominator || (twice_the_rest == self.denominator && is_odd) {
            whole + 1u8
        } else {
            whole
        }
    }

    /// Rounded to this number of decimals.
    pub fn with_decimals(&self, decimals: i32) -> f64 {
        let unit = BigUint::from(10u8).pow(decimals.unsigned_abs());
        let scaled = match decimals >= 0 {
            true => {
                Self { numerator: &self.numerator * unit, denominator: self.denominator.clone() }
            }
            false => {
                Self { numerator: self.numerator.clone(), denominator: &self.denominator * unit }
            }
        };
        format!("{}e{}", scaled.rounded(), -decimals).parse().expect("a number")
    }

    /// Rounded to 10 significant digits.
    pub fn with_ten_digits(&self) -> f64 {
        let ten = BigUint::from(10u8);
        // Between 10^magnitude and 10^(magnitude + 1).
        let magnitude = (-40..40)
            .rev()
            .find(|power: &i32| {
                let unit = ten.pow(power.unsigned_abs());
                match *power >= 0 {
                    true => self.numerator >= &self.denominator * unit,
                    false => &self.numerator * unit >= self.denominator,
                }
            })
            .expect("a number of usual size");
        self.with_decimals(9 - magnitude)
    }
}
