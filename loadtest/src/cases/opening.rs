//! The opening of the market: the request rate rises to five times within one second.

use super::Run;
use super::mixed::{REAL_RATE_PER_S, paced_row, warm};
use crate::LoadtestError;
use crate::load::generator::LoadGenerator;
use crate::load::schedule::Rate;
use crate::probe::ResourceMeter;
use crate::report::CaseResult;
use crate::stage::TierLimits;

const FACTOR: f64 = 5.0;
const RISE_S: f64 = 1.0;
/// Far beyond the real rate.
const HEAVY_PER_S: f64 = 2000.0;
/// The duration in turns. At a low rate, a p99 needs more requests than one turn has.
const TURNS: u64 = 3;

pub async fn run(run: &Run) -> Result<Vec<CaseResult>, LoadtestError> {
    let mut rows = Vec::new();
    let rates = [(REAL_RATE_PER_S, TierLimits::Default), (HEAVY_PER_S, TierLimits::Raised)];
    for (base_per_s, limits) in rates {
        rows.extend(measure(run, base_per_s, limits).await?);
    }
    Ok(rows)
}

async fn measure(
    run: &Run,
    base_per_s: f64,
    limits: TierLimits,
) -> Result<[CaseResult; 2], LoadtestError> {
    run.progress.set_message("the open: warming up");
    let server = run.fresh_server(limits).await?;
    let load = warm(run, &server).await?;
    let seconds = (run.options().seconds * TURNS) as f64;
    let risen_per_s = base_per_s * FACTOR;
    let rise = Rate { from_per_s: base_per_s, to_per_s: risen_per_s, rise_s: RISE_S, seconds };
    let name = |when: &str| format!("the open, {when}");
    let mut meter = ResourceMeter::new(&run.stage, server.pid());
    let before_name = name(&format!("before: {base_per_s} requests/s"));
    let before =
        paced_row(run, &before_name, &load, Rate::steady(base_per_s, seconds), &mut meter).await?;
    let mut meter = ResourceMeter::new(&run.stage, server.pid());
    let after_name = name(&format!("after: to {risen_per_s} requests/s in {RISE_S} s"));
    let load = LoadGenerator { seed: load.seed + 1, ..load };
    let after = paced_row(run, &after_name, &load, rise, &mut meter).await?;
    server.stop().await?;
    Ok([before, after])
}
