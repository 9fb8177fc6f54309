//! What a load assumed, and which stored numbers it made doubtful: one sentence a line.

use crate::store::{LoadReport, first_symbols};

/// What was assumed, and what to do if it is wrong.
pub fn assumed(report: &LoadReport) -> impl Iterator<Item = String> {
    let LoadReport { sparse_stocks, stocks_without_splits, .. } = *report;
    let LoadReport { kept_spin_offs, late_splits, .. } = report;
    let sparse = (sparse_stocks > 0).then(|| {
        format!(
            "the bars of {sparse_stocks} stocks are days apart, as those of weeks or months, and \
             were loaded as days: tickerd prices delete takes them back"
        )
    });
    let kept = (!kept_spin_offs.is_empty()).then(|| {
        format!(
            "the prices before {} spin-offs were taken as not divided by them: {}; if the vendor \
             divides by them, as Yahoo does, those prices are too low: load them as traded",
            kept_spin_offs.len(),
            first_symbols(kept_spin_offs)
        )
    });
    let without = (stocks_without_splits > 0).then(|| {
        format!(
            "no split of {stocks_without_splits} stocks is known, so their dividends were taken as \
             paid: if they have split, load the splits, and then this file again"
        )
    });
    let late = (!late_splits.is_empty()).then(|| {
        format!(
            "dividends before a new split were loaded when it had taken effect, and without it: \
             {}; if they are divided by it, as Yahoo's are, load them again with --dividends-are \
             split-adjusted",
            first_symbols(late_splits)
        )
    });
    let other_spellings = (!report.other_spellings.is_empty()).then(|| {
        let spellings = &report.other_spellings;
        format!(
            "{} rows are of stored stocks under another spelling: {}",
            spellings.len(),
            first_symbols(spellings)
        )
    });
    let currencies = (!report.changed_currencies.is_empty()).then(|| {
        format!(
            "stocks with prices have another currency now, and their stored prices count as in it: \
             {}",
            first_symbols(&report.changed_currencies)
        )
    });
    let large = (!report.large_dividends.is_empty()).then(|| {
        format!(
            "dividends above the close before their ex-date, which may be in another unit: {}",
            first_symbols(&report.large_dividends)
        )
    });
    [sparse, kept, without, late, large, currencies, other_spellings].into_iter().flatten()
}

/// Which adjusted closes of feeds lack an action, and what to do.
pub fn stale_closes(report: &LoadReport) -> Vec<String> {
    let symbols = &report.stale_closes;
    if symbols.is_empty() {
        return Vec::new();
    }
    vec![
        format!(
            "the adjusted closes of {} stocks come from a feed, and earlier ones lack a split or \
             dividend: {}",
            symbols.len(),
            first_symbols(symbols)
        ),
        "load all their prices again, from the feed or with ingest prices --adjusted-close \
         computed --yes"
            .to_owned(),
    ]
}
