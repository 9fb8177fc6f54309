//! The cases, one file each, and what they share.

mod cached;
mod cold;
mod histories;
mod loads;
mod mixed;
mod opening;
mod shapes;
mod storm;
mod uncached;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use indicatif::{ProgressBar, ProgressStyle};

use crate::LoadtestError;
use crate::figures::{Ceiling, Figures};
use crate::keys::Keys;
use crate::load::client::{API_KEY, HttpClient, Response};
use crate::options::{Case, Options};
use crate::probe::ResourceMeter;
use crate::report::{CaseResult, Machine, Report};
use crate::server::MeasuredServer;
use crate::stage::{Stage, TierLimits};
use crate::{data, probe, report};

const SPIN_MS: u64 = 100;

/// The state that all cases use.
pub struct Run {
    pub stage: Stage,
    pub keys: Keys,
    pub headers: Arc<Vec<HeaderValue>>,
    pub progress: ProgressBar,
}

pub async fn run(options: &Options) -> Result<(), LoadtestError> {
    let progress = ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner());
    progress.enable_steady_tick(Duration::from_millis(SPIN_MS));
    progress.set_message("Starting a local Postgres and Redis");
    let stage = Stage::start(options).await?;
    progress.set_message("Loading thousands of stocks, once");
    data::load(&stage).await?;
    let keys = Keys::obtain(&stage, &progress).await?;
    let headers = Arc::new(keys.headers()?);
    let run = Run { stage, keys, headers, progress };
    let mut report = Report::new(Machine::read(&run.stage).await?, options);
    if options.wants(Case::Cached) {
        report.rows.extend(cached::run(&run).await?);
    }
    if options.wants(Case::Shapes) {
        report.rows.extend(shapes::run(&run).await?);
    }
    if options.wants(Case::Uncached) {
        report.rows.extend(uncached::run(&run).await?);
    }
    if options.wants(Case::Histories) {
        report.rows.push(histories::run(&run).await?);
    }
    if options.wants(Case::Storm) {
        report.rows.push(storm::run(&run).await?);
    }
    if options.wants(Case::Mixed) {
        report.rows.extend(mixed::run(&run).await?);
    }
    if options.wants(Case::Opening) {
        report.rows.extend(opening::run(&run).await?);
    }
    if options.wants(Case::Cold) {
        report.cold = Some(cold::run(&run).await?);
    }
    if options.wants(Case::Loads) {
        report.loads = Some(loads::run(&run).await?);
    }
    run.progress.finish_and_clear();
    report::write(&report, &options.results())
}

impl Run {
    /// Starts a server with an empty memory and an empty Redis.
    pub async fn fresh_server(&self, tiers: TierLimits) -> Result<MeasuredServer, LoadtestError> {
        self.stage.set_tiers(tiers).await?;
        self.stage.empty_redis()?;
        MeasuredServer::tickerd(&self.stage).await
    }

    pub fn options(&self) -> &Options {
        &self.stage.options
    }

    /// Sends one request with the first key, an enterprise key, and checks the status.
    ///
    /// # Errors
    /// If the request fails or has a different status.
    pub async fn get(
        &self,
        server: &MeasuredServer,
        path: &str,
        status: u16,
    ) -> Result<Response, LoadtestError> {
        let headers = [(API_KEY, self.headers[0].clone())];
        let response = HttpClient::new(server.address)?.get(path, &headers).await?;
        if response.status.as_u16() != status {
            let body = String::from_utf8_lossy(&response.body);
            return Err(
                format!("expected {status} for {path}, got {}: {body}", response.status).into()
            );
        }
        Ok(response)
    }

    /// Measures the ceiling and the server in alternate turns, over several rounds. `meter` watches
    /// the turns of the server. The ceiling has a process id if it is a server.
    pub async fn rounds<A, B>(
        &self,
        case: &str,
        meter: &mut ResourceMeter<'_>,
        (ceiling_name, ceiling_pid): (&'static str, Option<u32>),
        ours: impl Fn() -> A,
        theirs: impl Fn() -> B,
    ) -> Result<CaseResult, LoadtestError>
    where
        A: Future<Output = Result<Figures, LoadtestError>>,
        B: Future<Output = Result<Figures, LoadtestError>>,
    {
        let mut our_turns = Vec::new();
        let mut their_turns = Vec::new();
        for round in 1..=self.options().rounds {
            self.progress
                .set_message(format!("{case}: round {round} of {}", self.options().rounds));
            let before_s = ceiling_pid.and_then(probe::cpu_s);
            let turn = theirs().await?;
            let after_s = ceiling_pid.and_then(probe::cpu_s);
            their_turns
                .push(turn.with_cpu(after_s.zip(before_s).map(|(after, before)| after - before)));
            meter.resume()?;
            let turn = ours().await?;
            our_turns.push(turn.with_cpu(meter.pause()?));
        }
        let mut row = CaseResult::new(case, Figures::median(&our_turns), meter);
        row.ceiling = Some(Ceiling::new(ceiling_name, &our_turns, &their_turns));
        Ok(row)
    }
}
