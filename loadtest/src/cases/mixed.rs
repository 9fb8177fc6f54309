//! Many keys and many stocks: at the request rate of a real service, and at full speed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Run;
use crate::LoadtestError;
use crate::keys::{ENTERPRISE, KEYS};
use crate::load::generator::{GeneratedRequest, LoadEnd, LoadGenerator};
use crate::load::response_stats::ResponseStats;
use crate::load::schedule::Rate;
use crate::load::traffic::Traffic;
use crate::probe::ResourceMeter;
use crate::report::CaseResult;
use crate::server::MeasuredServer;
use crate::stage::TierLimits;

/// 2 million requests a day.
pub const REAL_RATE_PER_S: f64 = 23.0;
/// The requests of a quarter of an hour at that rate. They fill the cache as in a service that has
/// run for a while.
const WARM_REQUESTS: usize = 20_000;
/// Until an instance that has seen no other one shares no responses.
const ALONE_AFTER_S: f64 = 135.0;
/// The default of `CACHE_MEMORY_BYTES_MAX`.
const CACHE_MB: f64 = 64.0;

pub async fn run(run: &Run) -> Result<Vec<CaseResult>, LoadtestError> {
    Ok(vec![paced(run).await?, flat_out(run).await?])
}

async fn paced(run: &Run) -> Result<CaseResult, LoadtestError> {
    let name = format!("mixed, {REAL_RATE_PER_S} requests/s");
    run.progress.set_message(format!("{name}: warming up"));
    let server = run.fresh_server(TierLimits::Default).await?;
    let load = warm(run, &server).await?;
    run.progress.set_message(format!("{name}: until the instance knows that it is alone"));
    load.at_rate(Rate::steady(REAL_RATE_PER_S, ALONE_AFTER_S).start_times()).await?;
    let mut meter = ResourceMeter::new(&run.stage, server.pid());
    let rate = Rate::steady(REAL_RATE_PER_S, run.options().paced_seconds as f64);
    let row = paced_row(run, &name, &load, rate, &mut meter).await?;
    server.stop().await?;
    Ok(row)
}

async fn flat_out(run: &Run) -> Result<CaseResult, LoadtestError> {
    let name = "mixed, as fast as it goes";
    run.progress.set_message(format!("{name}: warming up"));
    let server = run.fresh_server(TierLimits::Raised).await?;
    let load = warm(run, &server).await?;
    let mut meter = ResourceMeter::new(&run.stage, server.pid());
    run.progress.set_message(name);
    // One turn as long as all rounds of other cases, since memory grows until the cache is full.
    let seconds = run.options().seconds * u64::from(run.options().rounds);
    meter.resume()?;
    let stats = load.at_full_speed(LoadEnd::Seconds(seconds)).await?;
    meter.pause()?;
    let mut row = row(name, &stats, &meter);
    if let Some(usage) = meter.usage() {
        let resident_mb = usage.memory_mb[0];
        row.note(format!(
            "tickerd used {resident_mb:.0} MB at the end, {:.0} MB in addition to the \
             {CACHE_MB:.0} MB of its cache",
            resident_mb - CACHE_MB
        ));
    }
    server.stop().await?;
    Ok(row)
}

/// Fills the cache with requests of enterprise keys, then sends one request with each key. Returns
/// the load with all keys.
pub async fn warm(run: &Run, server: &MeasuredServer) -> Result<LoadGenerator, LoadtestError> {
    let sql = "SELECT symbol FROM stocks
               WHERE symbol ~ '^A[A-Z]{3}$' AND symbol <> 'AAPL' ORDER BY symbol";
    let symbols: Vec<String> =
        run.stage.database.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect();
    let load = |seed, draw| LoadGenerator {
        seed,
        address: server.address,
        connections: run.options().connections,
        keys: Arc::clone(&run.headers),
        draw,
    };
    let enterprise = Traffic::new(symbols.clone(), ENTERPRISE)?;
    let fill = load(1, Arc::new(move |random| enterprise.draw(random)));
    expect_success(&fill.at_full_speed(LoadEnd::Requests(WARM_REQUESTS)).await?)?;
    let next = AtomicUsize::new(0);
    let next_key = move |_: &mut _| {
        let key = next.fetch_add(1, Ordering::Relaxed) % KEYS;
        GeneratedRequest { path: "/api/stocks/AAPL".to_owned(), key }
    };
    let each_key = load(0, Arc::new(next_key));
    expect_success(&each_key.at_full_speed(LoadEnd::Requests(KEYS)).await?)?;
    let all = Traffic::new(symbols, KEYS)?;
    Ok(load(2, Arc::new(move |random| all.draw(random))))
}

/// Makes sure that warming up succeeded, or the case would measure the wrong state.
fn expect_success(stats: &ResponseStats) -> Result<(), LoadtestError> {
    let statuses = stats.statuses();
    if statuses.keys().any(|status| status != "200") {
        return Err(format!("expected only status 200 while warming up, got {statuses:?}").into());
    }
    Ok(())
}

/// Measures the load at a request rate.
pub async fn paced_row(
    run: &Run,
    name: &str,
    load: &LoadGenerator,
    rate: Rate,
    meter: &mut ResourceMeter<'_>,
) -> Result<CaseResult, LoadtestError> {
    run.progress.set_message(format!("{name}: {} s", rate.seconds));
    meter.resume()?;
    let stats = load.at_rate(rate.start_times()).await?;
    meter.pause()?;
    Ok(CaseResult { paced: true, ..row(name, &stats, meter) })
}

fn row(name: &str, stats: &ResponseStats, meter: &ResourceMeter<'_>) -> CaseResult {
    let mut row = CaseResult::new(name, stats.figures(meter.seconds()), meter);
    row.hit_rate = stats.hit_rate();
    row
}
