//! Other routes and formats from memory, each compared with a bare server that sends the same
//! bytes.

use super::Run;
use super::cached::{CachedVariant, measure};
use crate::LoadtestError;
use crate::report::CaseResult;
use crate::stage::TierLimits;

const VARIANTS: [CachedVariant; 12] = [
    CachedVariant::plain(
        "cached, CSV, 250 rows",
        "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&format=csv",
    ),
    CachedVariant::plain(
        "cached, NDJSON, 20 rows",
        "/api/stocks/AAPL/prices?start=2012-01-01&limit=20&format=ndjson",
    ),
    CachedVariant::plain(
        "cached, adjusted, 20 rows",
        "/api/stocks/AAPL/prices?start=2000-01-01&end=2004-12-31&limit=20&adjust=all",
    ),
    CachedVariant::plain(
        "cached, 53 weeks",
        "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&interval=1w",
    ),
    CachedVariant::plain(
        "cached, 5 stocks, 100 rows",
        "/api/prices?symbols=AAPL,FB,GOOG,IBM,MSFT&start=2012-12-01&end=2012-12-31",
    ),
    CachedVariant::plain("cached, a day of 100 stocks", "/api/prices/daily/2025-12-31?limit=100"),
    CachedVariant::plain("cached, events of a stock", "/api/stocks/AAPL/events"),
    CachedVariant::plain("cached, a search", "/api/stocks?q=apple&limit=5"),
    CachedVariant::plain("cached, exchanges", "/api/exchanges"),
    CachedVariant::plain(
        "cached, a year's calendar",
        "/api/calendar?start=2025-01-01&end=2025-12-31",
    ),
    CachedVariant::plain("cached, status", "/api/status"),
    CachedVariant::plain(
        "cached, a chart",
        "/api/stocks/AAPL/chart.svg?start=2012-01-01&end=2012-12-31",
    ),
];

pub async fn run(run: &Run) -> Result<Vec<CaseResult>, LoadtestError> {
    let server = run.fresh_server(TierLimits::Raised).await?;
    let mut rows = Vec::new();
    for variant in &VARIANTS {
        rows.push(measure(run, &server, variant).await?);
    }
    server.stop().await?;
    Ok(rows)
}
