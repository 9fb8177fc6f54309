//! The statements that merge staged prices with the stored ones.

/// The staged value of a row of `staging s`.
macro_rules! staged {
    ($name:literal, $type:literal) => {
        concat!("s.", $name)
    };
}

/// The value of a row of `prices old` before the merge.
macro_rules! old {
    ($name:literal, $type:literal) => {
        concat!("old.", $name)
    };
}

/// Replaces the stored value by the staged one.
macro_rules! assigned {
    ($name:literal, $type:literal) => {
        concat!($name, " = excluded.", $name)
    };
}

/// The value of a row of `prices p`.
macro_rules! stored {
    ($name:literal, $type:literal) => {
        concat!("p.", $name)
    };
}

/// Replaces the stored value by that of a row of `staging s`.
macro_rules! assigned_staged {
    ($name:literal, $type:literal) => {
        concat!($name, " = s.", $name)
    };
}

/// Replaces the bar of a row of `prices p` by the one in `$new`. Without details, those of a bar
/// that does not change stay.
macro_rules! assigned_bar {
    ($assigned:ident, $new:literal) => {
        concat!(
            bar_values!($assigned),
            ", vwap = coalesce(",
            $new,
            ".vwap, CASE WHEN ",
            same_bar!($new),
            " THEN p.vwap END), trades = coalesce(",
            $new,
            ".trades, CASE WHEN ",
            same_bar!($new),
            " THEN p.trades END)"
        )
    };
}

/// Whether the bar of a row of `prices p` is the one in `$new`.
macro_rules! same_bar {
    ($new:literal) => {
        concat!(
            "p.close = ",
            $new,
            ".close AND p.volume = ",
            $new,
            ".volume AND p.open = ",
            $new,
            ".open AND p.high = ",
            $new,
            ".high AND p.low = ",
            $new,
            ".low"
        )
    };
}

/// [`Table::merge`] of prices, for any file.
///
/// Prices that equal the stored ones are left out by a join, because each conflict locks a row and
/// writes to it.
///
/// [`Table::merge`]: super::Table::merge
pub(super) const MERGE_PRICES: &str = concat!(
    "WITH merged AS (
         INSERT INTO prices AS p (change_id, stock_id, ",
    bar_columns!(),
    ", ",
    bar_details!(),
    ") SELECT (SELECT current_change()), s.stock_id, ",
    bar_columns!(staged),
    ", s.vwap, s.trades FROM staging s
      LEFT JOIN prices old ON old.stock_id = s.stock_id AND old.date = s.date
      WHERE (",
    bar_values!(old),
    ") IS DISTINCT FROM (",
    bar_values!(staged),
    ") OR (num_nonnulls(s.vwap, s.trades) > 0 AND (
             SELECT (d.vwap, d.trades) IS DISTINCT FROM
                    (coalesce(s.vwap, d.vwap), coalesce(s.trades, d.trades))
             FROM prices d WHERE d.stock_id = s.stock_id AND d.date = s.date))
         ORDER BY s.stock_id, s.date
         ON CONFLICT (stock_id, date) DO UPDATE SET
             change_id = excluded.change_id, ",
    assigned_bar!(assigned, "excluded"),
    " RETURNING stock_id, date, xmax = 0 AS added)
     SELECT stock_id, count(*) FILTER (WHERE added) AS added,
            count(*) FILTER (WHERE NOT added) AS changed,
            min(date) FILTER (WHERE NOT added) AS first,
            max(date) FILTER (WHERE NOT added) AS last
     FROM merged GROUP BY stock_id"
);

/// Merges the staged prices of the stock `$1`. Returns the number of added and of changed rows, and
/// the first and the last changed day. No two staged rows have the same key.
///
/// An update of the stored rows takes less time than an insert that conflicts with each of them,
/// and writes less: a conflict looks the key up again and locks the row.
pub(super) const MERGE_HISTORY: &str = concat!(
    "WITH updated AS (
         UPDATE prices p SET change_id = (SELECT current_change()), ",
    assigned_bar!(assigned_staged, "s"),
    " FROM staging s
      WHERE s.stock_id = $1 AND p.stock_id = $1 AND p.date = s.date
        AND ((",
    bar_values!(stored),
    ") IS DISTINCT FROM (",
    bar_values!(staged),
    ") OR (num_nonnulls(s.vwap, s.trades) > 0
               AND (p.vwap, p.trades) IS DISTINCT FROM
                   (coalesce(s.vwap, p.vwap), coalesce(s.trades, p.trades))))
      RETURNING p.date
     ), inserted AS (
         INSERT INTO prices AS p (change_id, stock_id, ",
    bar_columns!(),
    ", ",
    bar_details!(),
    ") SELECT (SELECT current_change()), s.stock_id, ",
    bar_columns!(staged),
    ", s.vwap, s.trades FROM staging s
      WHERE s.stock_id = $1 AND NOT EXISTS (
          SELECT FROM prices old WHERE old.stock_id = $1 AND old.date = s.date)
      ORDER BY s.date
      ON CONFLICT (stock_id, date) DO UPDATE SET change_id = excluded.change_id, ",
    assigned_bar!(assigned, "excluded"),
    " RETURNING date, xmax = 0 AS added
     )
     SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS changed,
            min(date) FILTER (WHERE NOT added) AS first,
            max(date) FILTER (WHERE NOT added) AS last
     FROM (SELECT date, added FROM inserted UNION ALL SELECT date, false FROM updated) merged"
);
