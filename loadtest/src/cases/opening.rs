//! 9:30 in New York: five times the requests, within one second.

use super::Run;
use super::mixed::{PACE_PER_S, paced_row, warm};
use crate::Failure;
use crate::load::generator::Load;
use crate::load::schedule::Pace;
use crate::probe::Meter;
use crate::report::Row;
use crate::stage::Tiers;

const FACTOR: f64 = 5.0;
const RISE_S: f64 = 1.0;
/// Far beyond the product's own pace.
const HEAVY_PER_S: f64 = 2000.0;
/// Turns' seconds: a p99 needs more requests than few seconds of a slow pace have.
const TURNS: u64 = 3;

pub async fn run(run: &Run) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (base_per_s, tiers) in [(PACE_PER_S, Tiers::Default), (HEAVY_PER_S, Tiers::Raised)] {
        rows.extend(open(run, base_per_s, tiers).await?);
    }
    Ok(rows)
}

async fn open(run: &Run, base_per_s: f64, tiers: Tiers) -> Result<[Row; 2], Failure> {
    run.progress.set_message("the open: warming up");
    let server = run.fresh_server(tiers).await?;
    let load = warm(run, &server).await?;
    let seconds = (run.options().seconds * TURNS) as f64;
    let risen_per_s = base_per_s * FACTOR;
    let rise = Pace { from_per_s: base_per_s, to_per_s: risen_per_s, rise_s: RISE_S, seconds };
    let name = |when: &str| format!("the open, {when}");
    let mut meter = Meter::new(&run.stage, server.pid());
    let before_name = name(&format!("before: {base_per_s} requests/s"));
    let before =
        paced_row(run, &before_name, &load, Pace::steady(base_per_s, seconds), &mut meter).await?;
    let mut meter = Meter::new(&run.stage, server.pid());
    let after_name = name(&format!("after: to {risen_per_s} requests/s in {RISE_S} s"));
    let load = Load { seed: load.seed + 1, ..load };
    let after = paced_row(run, &after_name, &load, rise, &mut meter).await?;
    server.stop().await?;
    Ok([before, after])
}
