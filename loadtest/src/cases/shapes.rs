//! The other shapes of answers from memory, each beside a bare server that answers the very same
//! bytes.

use super::Run;
use super::cached::{Variant, measure};
use crate::Failure;
use crate::report::Row;
use crate::stage::Tiers;

const VARIANTS: [Variant; 12] = [
    Variant::plain(
        "cached, CSV, 250 rows",
        "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&format=csv",
    ),
    Variant::plain(
        "cached, NDJSON, 20 rows",
        "/api/stocks/AAPL/prices?start=2012-01-01&limit=20&format=ndjson",
    ),
    Variant::plain(
        "cached, adjusted, 20 rows",
        "/api/stocks/AAPL/prices?start=2000-01-01&end=2004-12-31&limit=20&adjust=all",
    ),
    Variant::plain(
        "cached, 53 weeks",
        "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&interval=1w",
    ),
    Variant::plain(
        "cached, 5 stocks, 100 rows",
        "/api/prices?symbols=AAPL,FB,GOOG,IBM,MSFT&start=2012-12-01&end=2012-12-31",
    ),
    Variant::plain("cached, a day of 100 stocks", "/api/prices/daily/2025-12-31?limit=100"),
    Variant::plain("cached, events of a stock", "/api/stocks/AAPL/events"),
    Variant::plain("cached, a search", "/api/stocks?q=apple&limit=5"),
    Variant::plain("cached, exchanges", "/api/exchanges"),
    Variant::plain("cached, a year's calendar", "/api/calendar?start=2025-01-01&end=2025-12-31"),
    Variant::plain("cached, status", "/api/status"),
    Variant::plain("cached, a chart", "/api/stocks/AAPL/chart.svg?start=2012-01-01&end=2012-12-31"),
];

pub async fn run(run: &Run) -> Result<Vec<Row>, Failure> {
    let server = run.fresh_server(Tiers::Raised).await?;
    let mut rows = Vec::new();
    for variant in &VARIANTS {
        rows.push(measure(run, &server, variant).await?);
    }
    server.stop().await?;
    Ok(rows)
}
