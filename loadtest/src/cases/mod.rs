//! The cases, one file each, and the run through them.

mod cached;
mod cold;
mod histories;
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

use crate::Failure;
use crate::figures::{Ceiling, Figures};
use crate::keys::Keys;
use crate::load::client::{API_KEY, Answer, Link};
use crate::options::{Case, Options};
use crate::probe::Meter;
use crate::report::{Machine, Report, Row};
use crate::server::Server;
use crate::stage::{Stage, Tiers};
use crate::{data, report};

const SPIN_MS: u64 = 100;

/// What every case works with.
pub struct Run {
    pub stage: Stage,
    pub keys: Keys,
    pub headers: Arc<Vec<HeaderValue>>,
    pub progress: ProgressBar,
}

pub async fn run(options: &Options) -> Result<(), Failure> {
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
    run.progress.finish_and_clear();
    report::write(&report, &options.results())
}

impl Run {
    /// A server that has seen nothing, on an empty Redis.
    pub async fn fresh_server(&self, tiers: Tiers) -> Result<Server, Failure> {
        self.stage.set_tiers(tiers).await?;
        self.stage.empty_redis()?;
        Server::tickerd(&self.stage).await
    }

    pub fn options(&self) -> &Options {
        &self.stage.options
    }

    /// Asks once with the first key, an enterprise one, and expects `status`.
    pub async fn ask(&self, server: &Server, path: &str, status: u16) -> Result<Answer, Failure> {
        let headers = [(API_KEY, self.headers[0].clone())];
        let answer = Link::new(server.address)?.ask(path, &headers).await?;
        if answer.status.as_u16() != status {
            let body = String::from_utf8_lossy(&answer.body);
            return Err(
                format!("expected {status} of {path}, got {}: {body}", answer.status).into()
            );
        }
        Ok(answer)
    }

    /// Turns of the server and of its ceiling, one after the other, round by round.
    pub async fn rounds<A, B>(
        &self,
        case: &str,
        meter: &mut Meter<'_>,
        ceiling_name: &'static str,
        ours: impl Fn() -> A,
        theirs: impl Fn() -> B,
    ) -> Result<Row, Failure>
    where
        A: Future<Output = Result<Figures, Failure>>,
        B: Future<Output = Result<Figures, Failure>>,
    {
        let (mut our_turns, mut their_turns) = (Vec::new(), Vec::new());
        for round in 1..=self.options().rounds {
            self.progress
                .set_message(format!("{case}: round {round} of {}", self.options().rounds));
            their_turns.push(theirs().await?);
            meter.resume()?;
            our_turns.push(ours().await?);
            meter.pause()?;
        }
        let mut row = Row::new(case, Figures::median(&our_turns), meter);
        row.ceiling = Some(Ceiling::new(ceiling_name, &our_turns, &their_turns));
        Ok(row)
    }
}
