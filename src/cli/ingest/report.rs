//! What a load changed, for people.

use crate::store::{LoadReport, RestatedStock};

/// Stocks whose restatement has a line of its own; `--json` names all.
const RESTATED_NAMED_MAX: usize = 10;

pub fn in_words(file: &str, report: &LoadReport) -> String {
    let LoadReport { added, changed, unchanged, stocks_touched, restated } = report;
    let total = format!(
        "{file}: {added} added, {changed} changed, {unchanged} unchanged; {stocks_touched} stocks touched"
    );
    let (named, more) = restated.split_at(restated.len().min(RESTATED_NAMED_MAX));
    let more = (!more.is_empty())
        .then(|| format!("  {} more stocks were restated: --json names them all", more.len()));
    std::iter::once(total).chain(named.iter().map(line)).chain(more).collect::<Vec<_>>().join("\n")
}

fn line(of: &RestatedStock) -> String {
    let RestatedStock { symbol, changed, readjusted, from, to } = of;
    let changed = (*changed > 0).then(|| format!("{changed} changed"));
    let readjusted =
        (*readjusted > 0).then(|| format!("{readjusted} adjusted closes computed anew"));
    let what = changed.into_iter().chain(readjusted).collect::<Vec<_>>().join(", ");
    let when = from.zip(*to).map(|(from, to)| format!(", {from} to {to}")).unwrap_or_default();
    format!("  restated {symbol}: {what}{when}")
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
            from: parse_date("2012-01-03"),
            to: parse_date("2012-12-31"),
        };
        let report = LoadReport {
            added: 1,
            restated: (0..12).map(restated).collect(),
            ..LoadReport::default()
        };
        let words = in_words("a.csv", &report);
        let lines: Vec<_> = words.lines().collect();
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
