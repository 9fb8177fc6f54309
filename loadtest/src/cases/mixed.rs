//! Many callers, many stocks: at the pace of a real service, and as fast as it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Run;
use crate::Failure;
use crate::keys::{ENTERPRISE, KEYS};
use crate::load::generator::{Ask, Load, Until};
use crate::load::schedule::Pace;
use crate::load::tally::Tally;
use crate::load::traffic::Traffic;
use crate::probe::Meter;
use crate::report::Row;
use crate::server::Server;
use crate::stage::Tiers;

/// 2 million requests a day.
pub const PACE_PER_S: f64 = 23.0;
/// What a quarter of an hour of that asks: a service that has run for a while has most of it in
/// memory.
const WARM_REQUESTS: usize = 20_000;
/// The default of `CACHE_MEMORY_BYTES_MAX`.
const CACHE_MB: f64 = 64.0;

pub async fn run(run: &Run) -> Result<Vec<Row>, Failure> {
    Ok(vec![paced(run).await?, flat_out(run).await?])
}

async fn paced(run: &Run) -> Result<Row, Failure> {
    let name = format!("mixed, {PACE_PER_S} requests/s");
    run.progress.set_message(format!("{name}: warming up"));
    let server = run.fresh_server(Tiers::Default).await?;
    let load = warm(run, &server).await?;
    let mut meter = Meter::new(&run.stage, server.pid());
    let pace = Pace::steady(PACE_PER_S, run.options().paced_seconds as f64);
    let row = paced_row(run, &name, &load, pace, &mut meter).await?;
    server.stop().await?;
    Ok(row)
}

async fn flat_out(run: &Run) -> Result<Row, Failure> {
    let name = "mixed, as fast as it goes";
    run.progress.set_message(format!("{name}: warming up"));
    let server = run.fresh_server(Tiers::Raised).await?;
    let load = warm(run, &server).await?;
    let mut meter = Meter::new(&run.stage, server.pid());
    run.progress.set_message(name);
    // Once, for as long as all rounds of other cases take: memory grows until the cache is full.
    let seconds = run.options().seconds * u64::from(run.options().rounds);
    meter.resume()?;
    let tally = load.flat_out(Until::Seconds(seconds)).await?;
    meter.pause()?;
    let mut row = row(name, &tally, &meter);
    if let Some(usage) = meter.usage() {
        let resident_mb = usage.memory_mb[0];
        row.note(format!(
            "tickerd held {resident_mb:.0} MB at the end, {:.0} MB beside the {CACHE_MB:.0} MB of its cache",
            resident_mb - CACHE_MB
        ));
    }
    server.stop().await?;
    Ok(row)
}

/// Fills the cache with enterprise keys, lets every key be seen once, and returns the load of all.
pub async fn warm(run: &Run, server: &Server) -> Result<Load, Failure> {
    let sql = "SELECT symbol FROM stocks WHERE symbol ~ '^A[A-Z]{3}$' AND symbol <> 'AAPL' ORDER BY symbol";
    let symbols: Vec<String> =
        run.stage.database.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect();
    let load = |seed, draw| Load {
        seed,
        address: server.address,
        connections: run.options().connections,
        keys: Arc::clone(&run.headers),
        draw,
    };
    let few = Traffic::new(symbols.clone(), ENTERPRISE)?;
    expect_answers(
        &load(1, Arc::new(move |random| few.draw(random)))
            .flat_out(Until::Requests(WARM_REQUESTS))
            .await?,
    )?;
    let next = AtomicUsize::new(0);
    let each_key = move |_: &mut _| {
        let key = next.fetch_add(1, Ordering::Relaxed) % KEYS;
        Ask { path: "/api/stocks/AAPL".to_owned(), key }
    };
    expect_answers(&load(0, Arc::new(each_key)).flat_out(Until::Requests(KEYS)).await?)?;
    let all = Traffic::new(symbols, KEYS)?;
    Ok(load(2, Arc::new(move |random| all.draw(random))))
}

/// A server that refuses or fails while it warms up would be measured in a state that nobody meant.
fn expect_answers(tally: &Tally) -> Result<(), Failure> {
    if tally.statuses().keys().any(|status| status != "200") {
        return Err(format!(
            "expected status 200 alone while warming up, got {:?}",
            tally.statuses()
        )
        .into());
    }
    Ok(())
}

/// One measured stretch at a pace.
pub async fn paced_row(
    run: &Run,
    name: &str,
    load: &Load,
    pace: Pace,
    meter: &mut Meter<'_>,
) -> Result<Row, Failure> {
    run.progress.set_message(format!("{name}: {} s", pace.seconds));
    meter.resume()?;
    let tally = load.paced(pace.due()).await?;
    meter.pause()?;
    Ok(Row { paced: true, ..row(name, &tally, meter) })
}

fn row(name: &str, tally: &Tally, meter: &Meter<'_>) -> Row {
    let mut row = Row::new(name, tally.figures(meter.seconds()), meter);
    row.hit_rate = tally.hit_rate();
    row
}
