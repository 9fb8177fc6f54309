//! The rounding of adjusted numbers as SQL: the rule of [`Ratio::of_price`] and
//! [`Ratio::of_shares`], for many rows at once.
//!
//! [`Ratio::of_price`]: crate::market::Ratio::of_price
//! [`Ratio::of_shares`]: crate::market::Ratio::of_shares

use crate::market::{CLEAR_MAX, CLEAR_MIN, POWERS_OF_10, PRICE_DIGITS, UNCLEAR_WITHIN};

/// The server's own setting may be to write fewer digits than a double has. It comes before a
/// statement with [`exact_price`].
pub(super) const EXACT_TEXTS: &str = "SET LOCAL extra_float_digits = 1";

/// The decimal places that a price has after the rounding.
pub(super) fn places(price: &str) -> String {
    format!("{} - floor(log10({price}))::int", PRICE_DIGITS - 1)
}

/// The column `value`, a price times a factor as doubles, rounded to the column `places`.
///
/// Doubles decide the rounding unless the value is close to the middle of two results: then, or if
/// the value is very large or small, `exact` decides.
pub(super) fn rounded_price(exact: &str) -> String {
    let powers: Vec<_> = POWERS_OF_10.iter().map(|power| format!("{power:e}")).collect();
    let power = format!("('{{{}}}'::float8[])[places + 1]", powers.join(","));
    let scaled = format!("value * {power}");
    format!(
        "CASE WHEN value >= {CLEAR_MIN:e} AND value < {CLEAR_MAX:e}
                   AND abs({scaled} - floor({scaled}) - 0.5) >= {UNCLEAR_WITHIN:e}
                  THEN round({scaled}) / {power}
              ELSE {exact} END"
    )
}

/// A price times a fraction, rounded to the column `places` by whole numbers alone.
pub(super) fn exact_price(price: &str, numerator: &str, denominator: &str) -> String {
    let exact = format!("{price}::text::numeric * {numerator} * ('1e' || places)::numeric");
    let units = rounded_quotient(&exact, denominator);
    format!("({units} * ('1e' || -places)::numeric)::float8")
}

/// The quotient of two numbers, rounded to a whole number, half to even.
pub(super) fn rounded_quotient(exact: &str, unit: &str) -> String {
    format!(
        "(SELECT whole + CASE WHEN 2 * rest > unit OR (2 * rest = unit AND whole % 2 = 1)
                              THEN 1 ELSE 0 END
          FROM (SELECT {exact} AS exact, {unit} AS unit) a
          CROSS JOIN LATERAL (SELECT div(exact, unit) AS whole) b
          CROSS JOIN LATERAL (SELECT exact - whole * unit AS rest) c)"
    )
}
