//! The report of a load, as text and as JSON.

use chrono::NaiveDate;
use serde::Serialize;

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

impl<'a> From<&'a LoadReport> for ReportJson<'a> {
    fn from(report: &'a LoadReport) -> Self {
        let LoadReport { added, changed, unchanged, converted, stocks_touched, ref restated } =
            *report;
        let restated = restated.iter().map(RestatedStockJson::from).collect();
        Self { added, changed, unchanged, converted, stocks_touched, restated }
    }
}

impl<'a> From<&'a RestatedStock> for RestatedStockJson<'a> {
    fn from(stock: &'a RestatedStock) -> Self {
        let RestatedStock { ref symbol, changed, readjusted, converted, from, to } = *stock;
        Self { symbol, changed, readjusted, converted, from, to }
    }
}

/// The maximum number of restated stocks with a line of their own. `--json` names all.
const RESTATED_NAMED_MAX: usize = 10;

pub fn text(file: &str, report: &LoadReport) -> String {
    let LoadReport { added, changed, unchanged, converted, stocks_touched, restated } = report;
    let total = format!(
        "{file}: {added} added, {changed} changed, {unchanged} unchanged; \
         {stocks_touched} stocks touched"
    );
    let converted = (*converted > 0)
        .then(|| format!("  {converted} rows converted from split-adjusted to as traded"));
    let (named, more) = restated.split_at(restated.len().min(RESTATED_NAMED_MAX));
    let more = (!more.is_empty())
        .then(|| format!("  {} more stocks were restated: --json names them all", more.len()));
    std::iter::once(total)
        .chain(converted)
        .chain(named.iter().map(line))
        .chain(more)
        .collect::<Vec<_>>()
        .join("\n")
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
    format!("  restated {symbol}: {counts}{range}")
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
        let text = text("a.csv", &report);
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
