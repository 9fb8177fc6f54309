//! A different range in every request, compared with the same queries of pgbench on Postgres.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use super::Run;
use crate::LoadtestError;
use crate::load::client::X_CACHE;
use crate::load::oha::Oha;
use crate::load::pgbench;
use crate::probe::ResourceMeter;
use crate::report::CaseResult;
use crate::server::MeasuredServer;
use crate::stage::TierLimits;

/// The number of requests after the load whose responses are checked.
const SAMPLE: u32 = 200;

pub async fn run(run: &Run) -> Result<Vec<CaseResult>, LoadtestError> {
    let server = run.fresh_server(TierLimits::Raised).await?;
    let mut rows = Vec::new();
    for limit in [20, 250] {
        rows.push(measure(run, &server, limit).await?);
    }
    server.stop().await?;
    Ok(rows)
}

async fn measure(
    run: &Run,
    server: &MeasuredServer,
    limit: u32,
) -> Result<CaseResult, LoadtestError> {
    run.get(server, &random_path(&mut StdRng::seed_from_u64(0), limit), 200).await?;
    let headers = [format!("x-api-key: {}", run.keys.token(0))];
    let url = format!("http://{}{}", server.address, pattern(limit));
    let ours = Oha { url, headers: &headers, gzip: false, pattern: true };
    let mut meter = ResourceMeter::new(&run.stage, server.pid());
    let name = format!("uncached, {limit} rows");
    let (ours, theirs) = (|| ours.run(run.options()), || pgbench::run(&run.stage, limit));
    let mut row = run.rounds(&name, &mut meter, ("pgbench", None), ours, theirs).await?;
    row.hit_rate = Some(sample(run, server, limit).await?);
    row.note(format!("hit rate and rows of {SAMPLE} more such requests: each had {limit} rows"));
    Ok(row)
}

/// 2,028 stocks with some 100,000 ranges each, so that requests hardly repeat. A response has the
/// newest rows before `end`, which all stocks have. `start` is earlier and only varies the range.
fn pattern(limit: u32) -> String {
    let (month, day) = ("(0[1-9]|1[0-2])", "(0[1-9]|1[0-9]|2[0-8])");
    let stock = "/api/stocks/A[B-D][A-Z][A-Z]";
    format!(r"{stock}/prices\?start=2016-{month}-{day}&end=2025-{month}-{day}&limit={limit}")
}

/// A random path that matches the pattern.
fn random_path(random: &mut StdRng, limit: u32) -> String {
    let mut letter = |from: char, to: char| random.random_range(from..=to);
    let symbol: String =
        ['A', letter('B', 'D'), letter('A', 'Z'), letter('A', 'Z')].iter().collect();
    let mut date = |year: u32| {
        format!("{year}-{:02}-{:02}", random.random_range(1..=12), random.random_range(1..=28))
    };
    format!("/api/stocks/{symbol}/prices?start={}&end={}&limit={limit}", date(2016), date(2025))
}

/// The share of cached responses among [`SAMPLE`] further requests. Each must have `limit` rows.
async fn sample(run: &Run, server: &MeasuredServer, limit: u32) -> Result<f64, LoadtestError> {
    let mut random = StdRng::seed_from_u64(u64::from(limit));
    let mut hits = 0_u32;
    for _ in 0..SAMPLE {
        let path = random_path(&mut random, limit);
        let response = run.get(server, &path, 200).await?;
        let body: Value = serde_json::from_slice(&response.body)?;
        if body["count"] != limit {
            return Err(format!("expected {limit} rows of {path}, got {}", body["count"]).into());
        }
        hits += u32::from(response.header(&X_CACHE) != "MISS");
    }
    Ok(f64::from(hits) / f64::from(SAMPLE))
}
