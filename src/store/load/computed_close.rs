//! The adjusted close of a row as SQL: the rule of [`Ratio::of_price`] for many rows at once.
//!
//! [`Ratio::of_price`]: crate::market::Ratio::of_price

use crate::market::{CLEAR_MAX, CLEAR_MIN, POWERS_OF_10, PRICE_DIGITS, UNCLEAR_WITHIN};

/// Creates the table that [`computed`] reads. `factor` is `numerator / denominator` as a double.
/// The server's own setting of `extra_float_digits` may be to write fewer digits than a double has.
pub(super) const CREATE_FACTORS: &str = "
    SET LOCAL extra_float_digits = 1;
    CREATE TEMP TABLE factors (stock_id int, before date, factor float8, numerator numeric,
                               denominator numeric) ON COMMIT DROP";

/// The adjusted close of a row `p` of `prices` or `staging`, from the table `factors`.
///
/// Doubles decide the rounding unless the value is close to the middle of two results: then, or if
/// the value is very large or small, whole numbers decide.
pub(super) fn computed() -> String {
    let powers: Vec<_> = POWERS_OF_10.iter().map(|power| format!("{power:e}")).collect();
    let powers = format!("('{{{}}}'::float8[])[places + 1]", powers.join(","));
    let digits = PRICE_DIGITS - 1;
    format!(
        "coalesce((
            SELECT CASE
                WHEN factor = 1 THEN p.close
                WHEN value >= {CLEAR_MIN:e} AND value < {CLEAR_MAX:e}
                     AND abs(scaled - floor(scaled) - 0.5) >= {UNCLEAR_WITHIN:e}
                    THEN round(scaled) / {powers}
                ELSE (
                    SELECT ((whole + CASE
                                WHEN 2 * rest > unit OR (2 * rest = unit AND whole % 2 = 1)
                                    THEN 1 ELSE 0 END)
                            * ('1e' || -places)::numeric)::float8
                    FROM (SELECT p.close::text::numeric * numerator * ('1e' || places)::numeric
                                     AS exact, denominator AS unit) a
                    CROSS JOIN LATERAL (SELECT div(exact, unit) AS whole) b
                    CROSS JOIN LATERAL (SELECT exact - whole * unit AS rest) c
                ) END
            FROM (SELECT factor, numerator, denominator, p.close * factor AS value FROM factors f
                  WHERE f.stock_id = p.stock_id AND f.before > p.date
                  ORDER BY f.before LIMIT 1) f
            CROSS JOIN LATERAL (SELECT {digits} - floor(log10(value))::int AS places) of_value
            CROSS JOIN LATERAL (SELECT value * {powers} AS scaled) of_places
        ), p.close)"
    )
}
