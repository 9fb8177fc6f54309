//! The data: the five real stocks, and thousands of synthetic ones.

use std::time::Duration;

use crate::Failure;
use crate::stage::Stage;

/// AAAA to AEAA: `A[B-D]` and two letters more are among them, which needs no list of names.
pub const STOCKS: u32 = 2704;
pub const FROM: &str = "2016-01-01";
/// Stocks list within the first four fifths of the days: in the last year every one has 250 rows
/// behind it.
pub const TO: &str = "2025-12-31";
const LOAD_TIMEOUT_S: u64 = 600;

/// Loads what is not there yet; kept for later runs.
pub async fn load(stage: &Stage) -> Result<(), Failure> {
    let sql = "SELECT count(*) FROM stocks s
               WHERE EXISTS (SELECT FROM prices WHERE stock_id = s.id AND date = $1::text::date)";
    let there: i64 = stage.database.query_one(sql, &[&TO]).await?.get(0);
    if there == i64::from(STOCKS) {
        return Ok(());
    }
    let out = stage.file("generated");
    let out =
        out.to_str().ok_or("expected a directory whose name is UTF-8: choose another --dir")?;
    let (stocks, timeout) = (STOCKS.to_string(), Duration::from_secs(LOAD_TIMEOUT_S));
    let generate =
        ["generate", "--stocks", &stocks, "--from", FROM, "--to", TO, "--out", out, "--yes"];
    stage.tickerd_to_end(&generate, timeout).await?;
    for dir in ["seed", out] {
        for (table, file) in [
            ("stocks", "stocks.csv"),
            ("prices", "prices.csv.gz"),
            ("actions", "corporate_actions.csv"),
        ] {
            stage.tickerd_to_end(&["ingest", table, &format!("{dir}/{file}")], timeout).await?;
        }
    }
    std::fs::remove_dir_all(out)?;
    Ok(())
}
