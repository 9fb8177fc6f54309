//! The report of a load, as text and as JSON.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use super::assumptions::{assumed, stale_closes};
use super::read::ReadReport;
use crate::store::{LoadReport, RestatedStock};

/// The output of `--json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportJson<'a> {
    added: i64,
    changed: i64,
    unchanged: i64,
    converted: i64,
    stocks_touched: usize,
    restated: Vec<RestatedStockJson<'a>>,
    // The fields below are left out if they are empty or 0.
    #[serde(skip_serializing_if = "is_empty")]
    stale_adjusted_closes: &'a [String],
    #[serde(skip_serializing_if = "is_zero")]
    stocks_with_sparse_bars: u64,
    #[serde(skip_serializing_if = "is_zero")]
    kept_spin_offs: usize,
    #[serde(skip_serializing_if = "is_zero")]
    stocks_without_splits: u64,
    #[serde(skip_serializing_if = "is_empty")]
    late_splits: &'a [String],
    #[serde(skip_serializing_if = "is_empty")]
    large_dividends: &'a [String],
    #[serde(skip_serializing_if = "is_empty")]
    changed_currencies: &'a [String],
    #[serde(skip_serializing_if = "is_empty")]
    other_spellings: &'a [String],
    #[serde(skip_serializing_if = "is_empty")]
    ignored_columns: &'a [String],
    #[serde(skip_serializing_if = "is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "is_zero")]
    rows_without_prices: u64,
    #[serde(skip_serializing_if = "is_zero")]
    rows_without_actions: u64,
    #[serde(skip_serializing_if = "is_zero")]
    assumed_spin_offs: u64,
    #[serde(skip_serializing_if = "is_zero")]
    rows_of_closed_days: u64,
    #[serde(skip_serializing_if = "is_zero")]
    rows_of_unknown_weekends: u64,
    #[serde(skip_serializing_if = "is_zero")]
    rounded_volumes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    rounded_trades: u64,
    #[serde(skip_serializing_if = "is_zero")]
    summed_dividends: u64,
    #[serde(skip_serializing_if = "is_zero")]
    rows_with_splits: u64,
    #[serde(skip_serializing_if = "is_zero")]
    rows_with_dividends: u64,
    #[serde(skip_serializing_if = "is_zero")]
    unread_values: u64,
    #[serde(skip_serializing_if = "is_empty")]
    first_unread_values: &'a [String],
    #[serde(skip_serializing_if = "is_zero")]
    identical_rows: u64,
    #[serde(skip_serializing_if = "is_zero")]
    skipped: u64,
    #[serde(skip_serializing_if = "is_empty")]
    first_skipped: &'a [String],
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    unknown_symbols: &'a BTreeSet<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestatedStockJson<'a> {
    symbol: &'a str,
    changed: i64,
    readjusted: i64,
    converted: i64,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

impl<'a> ReportJson<'a> {
    pub fn of(report: &'a LoadReport, reading: &'a ReadReport) -> Self {
        let LoadReport { added, changed, unchanged, converted, stocks_touched, .. } = *report;
        let restated = report.restated.iter().map(RestatedStockJson::from).collect();
        Self {
            added,
            changed,
            unchanged,
            converted,
            stocks_touched,
            restated,
            stale_adjusted_closes: &report.stale_closes,
            stocks_with_sparse_bars: report.sparse_stocks.unsigned_abs(),
            kept_spin_offs: report.kept_spin_offs.len(),
            stocks_without_splits: report.stocks_without_splits.unsigned_abs(),
            late_splits: &report.late_splits,
            large_dividends: &report.large_dividends,
            changed_currencies: &report.changed_currencies,
            other_spellings: &report.other_spellings,
            ignored_columns: &reading.ignored_columns,
            notes: &reading.notes,
            rows_without_prices: reading.rows_without_prices,
            rows_without_actions: reading.rows_without_actions,
            assumed_spin_offs: reading.assumed_spin_offs,
            rows_of_closed_days: reading.rows_of_closed_days,
            rows_of_unknown_weekends: reading.rows_of_unknown_weekends,
            rounded_volumes: reading.rounded_volumes,
            rounded_trades: reading.rounded_trades,
            summed_dividends: reading.summed_dividends,
            rows_with_splits: reading.rows_with_splits,
            rows_with_dividends: reading.rows_with_dividends,
            unread_values: reading.unread_values.count,
            first_unread_values: &reading.unread_values.first,
            identical_rows: reading.identical_rows,
            skipped: reading.left_out.count,
            first_skipped: &reading.left_out.first,
            unknown_symbols: &reading.unknown_symbols,
        }
    }
}

fn is_empty(texts: &[String]) -> bool {
    texts.is_empty()
}

fn is_zero<N: Default + PartialEq>(count: &N) -> bool {
    *count == N::default()
}

impl<'a> From<&'a RestatedStock> for RestatedStockJson<'a> {
    fn from(stock: &'a RestatedStock) -> Self {
        let RestatedStock { ref symbol, changed, readjusted, converted, from, to } = *stock;
        Self { symbol, changed, readjusted, converted, from, to }
    }
}

/// The maximum number of restated stocks with a line of their own. `--json` names all.
const RESTATED_NAMED_MAX: usize = 10;

/// The maximum number of unknown symbols in the text. `--json` names more.
const SYMBOLS_NAMED_MAX: usize = 20;

pub fn text(file: &str, report: &LoadReport, reading: &ReadReport) -> String {
    let LoadReport { added, changed, unchanged, converted, stocks_touched, restated, .. } = report;
    let total = format!(
        "{file}: {added} added, {changed} changed, {unchanged} unchanged; \
         {stocks_touched} {} touched",
        if *stocks_touched == 1 { "stock" } else { "stocks" }
    );
    let converted = (*converted > 0)
        .then(|| format!("{converted} rows converted from split-adjusted to as traded"));
    let (named, more) = restated.split_at(restated.len().min(RESTATED_NAMED_MAX));
    let more = (!more.is_empty())
        .then(|| format!("{} more stocks were restated: --json names them all", more.len()));
    let restated = named.iter().map(line).chain(more);
    let details = converted
        .into_iter()
        .chain(restated)
        .chain(stale_closes(report))
        .chain(assumed(report))
        .chain(read_otherwise(reading))
        .chain(left_out(reading));
    let details = details.map(|detail| format!("  {detail}"));
    std::iter::once(total).chain(details).collect::<Vec<_>>().join("\n")
}

/// What was read otherwise than it is written, one sentence a line.
fn read_otherwise(reading: &ReadReport) -> Vec<String> {
    let ignored = &reading.ignored_columns;
    let ignored = (!ignored.is_empty()).then(|| format!("ignored columns: {}", ignored.join(", ")));
    let counted = [
        (reading.rows_without_prices, "rows without prices are no bars"),
        (reading.rows_without_actions, "rows have neither a split nor a dividend"),
        (
            reading.assumed_spin_offs,
            "ratios are taken for spin-offs, which change no volume: a column type says otherwise",
        ),
        (reading.rows_of_closed_days, "rows are of days on which the exchange was closed"),
        (
            reading.rows_of_unknown_weekends,
            "rows are on a Saturday or Sunday, of which no calendar is known",
        ),
        (reading.rounded_volumes, "volumes with a fraction were rounded"),
        (reading.rounded_trades, "numbers of trades with a fraction were rounded"),
        (reading.summed_dividends, "dividends are the sums of several rows of a day and type"),
        (reading.identical_rows, "rows repeat an earlier one exactly"),
        (reading.rows_with_splits, "rows have a split, which is not loaded: use ingest actions"),
        (
            reading.rows_with_dividends,
            "rows have a dividend, which is not loaded: use ingest actions",
        ),
    ];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let counted = counted.map(|(count, what)| format!("{count} {what}"));
    reading.notes.iter().cloned().chain(counted).chain(ignored).collect()
}

/// The rows that were left out, one a line.
fn left_out(reading: &ReadReport) -> Vec<String> {
    let ReadReport { left_out, unknown_symbols, unread_values, rows, .. } = reading;
    let mut lines = Vec::new();
    if unread_values.count > 0 {
        let count = unread_values.count;
        let values = if count == 1 { "value was" } else { "values were" };
        lines.push(format!("{count} {values} not understood and left out:"));
        lines.extend(unread_values.lines().iter().map(|line| format!("  {line}")));
    }
    if left_out.count == 0 {
        return lines;
    }
    lines.push(format!("{} of {rows} rows were left out:", left_out.count));
    lines.extend(left_out.lines().iter().map(|line| format!("  {line}")));
    if !unknown_symbols.is_empty() {
        let named: Vec<_> =
            unknown_symbols.iter().take(SYMBOLS_NAMED_MAX).map(String::as_str).collect();
        let more = match unknown_symbols.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        lines.push(format!("unknown symbols: {}{more}", named.join(", ")));
    }
    lines
}

fn line(restated: &RestatedStock) -> String {
    let RestatedStock { symbol, changed, readjusted, converted, from, to } = restated;
    let changed = (*changed > 0).then(|| format!("{changed} changed"));
    let readjusted =
        (*readjusted > 0).then(|| format!("{readjusted} adjusted closes computed anew"));
    let converted =
        (*converted > 0).then(|| format!("{converted} converted from split-adjusted to as traded"));
    let counts =
        changed.into_iter().chain(readjusted).chain(converted).collect::<Vec<_>>().join(", ");
    let range = from.zip(*to).map(|(from, to)| format!(", {from} to {to}")).unwrap_or_default();
    format!("restated {symbol}: {counts}{range}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_date;

    #[test]
    fn restatements_are_named_up_to_a_bound_and_the_rest_is_counted() {
        let restated = |n: i64| RestatedStock {
            symbol: format!("S{n}"),
            changed: n % 2,
            readjusted: 5,
            converted: 0,
            from: parse_date("2012-01-03"),
            to: parse_date("2012-12-31"),
        };
        let report = LoadReport {
            added: 1,
            restated: (0..12).map(restated).collect(),
            ..LoadReport::default()
        };
        let text = text("a.csv", &report, &ReadReport::default());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[1],
            "  restated S0: 5 adjusted closes computed anew, 2012-01-03 to 2012-12-31"
        );
        assert_eq!(
            lines[2],
            "  restated S1: 1 changed, 5 adjusted closes computed anew, 2012-01-03 to 2012-12-31"
        );
        assert_eq!(lines[11..], ["  2 more stocks were restated: --json names them all"]);
    }
}
