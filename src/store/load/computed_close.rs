//! The adjusted closes of many rows as SQL.

use super::rounding::{exact_price, places, rounded_price};

/// Creates the table that [`computed`] reads. `factor` is `numerator / denominator` as a double.
pub(super) const CREATE_FACTORS: &str = "
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
pub(super) fn computed() -> String {
    let places = places("value");
    let rounded = rounded_price(&exact_price("p.close", "numerator", "denominator"));
    format!(
        "coalesce((
            SELECT CASE WHEN factor = 1 THEN p.close ELSE {rounded} END
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
/// keeps Postgres from computing the logarithm again wherever its result is used. To compile these
/// expressions (`jit`) takes longer than it saves.
pub(super) fn replace_staging() -> String {
    let places = places("close * factor");
    let rounded = rounded_price(&computed());
    format!(
        "SET LOCAL jit = off;
         CREATE TEMP TABLE adjusted ON COMMIT DROP AS
         SELECT line, stock_id, {columns}, vwap, trades FROM (
             SELECT p.*, CASE WHEN factor = 1 THEN close ELSE {rounded} END AS computed
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
         SET LOCAL jit TO DEFAULT;
         DROP TABLE staging;
         ALTER TABLE adjusted RENAME TO staging",
        columns = bar_columns!(with_computed)
    )
}
