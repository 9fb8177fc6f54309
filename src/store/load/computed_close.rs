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

/// Takes the column `computed` for the adjusted close.
macro_rules! with_computed {
    ("adjusted_close", $type:literal) => {
        "computed AS adjusted_close"
    };
    ($name:literal, $type:literal) => {
        $name
    };
}

/// The adjusted close of a row `p` of `prices` or `staging`, from the table `factors`.
///
/// Doubles decide the rounding unless the value is close to the middle of two results: then, or if
/// the value is very large or small, whole numbers decide.
pub(super) fn computed() -> String {
    let places = places("value");
    let rounded = rounded(
        "(
        SELECT ((whole + CASE WHEN 2 * rest > unit OR (2 * rest = unit AND whole % 2 = 1)
                     THEN 1 ELSE 0 END)
                * ('1e' || -places)::numeric)::float8
        FROM (SELECT p.close::text::numeric * numerator * ('1e' || places)::numeric AS exact,
                     denominator AS unit) a
        CROSS JOIN LATERAL (SELECT div(exact, unit) AS whole) b
        CROSS JOIN LATERAL (SELECT exact - whole * unit AS rest) c)",
    );
    format!(
        "coalesce((
            SELECT {rounded}
            FROM (SELECT factor, numerator, denominator, p.close * factor AS value FROM factors f
                  WHERE f.stock_id = p.stock_id AND f.before > p.date
                  ORDER BY f.before LIMIT 1) f
            CROSS JOIN LATERAL (SELECT {places} AS places) of_value
        ), p.close)"
    )
}

/// Replaces `staging` by a table with the computed adjusted closes, which takes less time than an
/// update of each row.
///
/// One join finds the factors of all rows, and [`computed`] serves the few unclear ones. `OFFSET 0`
/// keeps Postgres from computing the logarithm again wherever its result is used.
pub(super) fn replace_staging() -> String {
    let places = places("close * factor");
    let rounded = rounded(&computed());
    format!(
        "CREATE TEMP TABLE adjusted ON COMMIT DROP AS
         SELECT line, stock_id, {columns}, vwap, trades FROM (
             SELECT p.*, {rounded} AS computed
             FROM (SELECT *, close * factor AS value, {places} AS places
                   FROM (SELECT s.*,
                                coalesce(factors[width_bucket(date, days) + 1], 1) AS factor
                         FROM staging s LEFT JOIN (
                             SELECT stock_id, array_agg(before ORDER BY before) AS days,
                                    array_agg(factor ORDER BY before) AS factors
                             FROM factors GROUP BY stock_id
                         ) f USING (stock_id)) with_factors
                   OFFSET 0) p
         ) rows;
         DROP TABLE staging;
         ALTER TABLE adjusted RENAME TO staging",
        columns = bar_columns!(with_computed)
    )
}

/// The decimal places that a value has after the rounding.
fn places(value: &str) -> String {
    format!("{} - floor(log10({value}))::int", PRICE_DIGITS - 1)
}

/// The product `value` of `p.close` and `factor`, rounded to `places`. `exact` replaces it where
/// doubles can't decide.
fn rounded(exact: &str) -> String {
    let powers: Vec<_> = POWERS_OF_10.iter().map(|power| format!("{power:e}")).collect();
    let power = format!("('{{{}}}'::float8[])[places + 1]", powers.join(","));
    let scaled = format!("value * {power}");
    format!(
        "CASE WHEN factor = 1 THEN p.close
              WHEN value >= {CLEAR_MIN:e} AND value < {CLEAR_MAX:e}
                   AND abs({scaled} - floor({scaled}) - 0.5) >= {UNCLEAR_WITHIN:e}
                  THEN round({scaled}) / {power}
              ELSE {exact} END"
    )
}
