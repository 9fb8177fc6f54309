//! Keys far beyond their limit: the cost of rejecting their requests.

use std::sync::Arc;

use super::Run;
use crate::LoadtestError;
use crate::keys::{KEYS, tier};
use crate::load::client::{API_KEY, HttpClient};
use crate::load::generator::{GeneratedRequest, LoadEnd, LoadGenerator};
use crate::probe::ResourceMeter;
use crate::report::CaseResult;
use crate::server::MeasuredServer;
use crate::stage::TierLimits;
use rand::RngExt;

/// The number of keys, all of the tier `free`: 100 requests a minute each.
const STORM_KEYS: usize = 8;
const PATH: &str = "/api/stocks/AAPL/prices?start=2012-12-01&end=2012-12-31";
/// Enough to reach the limit of each key.
const REQUESTS_TO_LIMIT: usize = 200 * STORM_KEYS;

pub async fn run(run: &Run) -> Result<CaseResult, LoadtestError> {
    const { assert!(STORM_KEYS < KEYS) };
    let first = KEYS - STORM_KEYS;
    assert_eq!(tier(first), "free");
    let server = run.fresh_server(TierLimits::Default).await?;
    let load = |server: &MeasuredServer| LoadGenerator {
        seed: 0,
        address: server.address,
        connections: run.options().connections,
        keys: Arc::clone(&run.headers),
        draw: Arc::new(move |random| GeneratedRequest {
            path: PATH.to_owned(),
            key: random.random_range(first..KEYS),
        }),
    };
    let ours = load(&server);
    ours.at_full_speed(LoadEnd::Requests(REQUESTS_TO_LIMIT)).await?;
    let headers = [(API_KEY, run.headers[first].clone())];
    let rejection = HttpClient::new(server.address)?.get(PATH, &headers).await?;
    let status = rejection.status;
    if status.as_u16() != 429 {
        return Err(format!("expected status 429 for a key over its limit, got {status}").into());
    }
    let bare = MeasuredServer::bare(&run.stage, &rejection.body, None).await?;
    let theirs = load(&bare);
    let seconds = run.options().seconds;
    let turn = async |load: &LoadGenerator| {
        let stats = load.at_full_speed(LoadEnd::Seconds(seconds)).await?;
        Ok(stats.figures(seconds as f64))
    };
    let mut meter = ResourceMeter::new(&run.stage, server.pid());
    let mut row = run
        .rounds(
            "limit storm, 8 free keys",
            &mut meter,
            ("bare", Some(bare.pid())),
            || turn(&ours),
            || turn(&theirs),
        )
        .await?;
    row.note(format!(
        "{} bytes of body; the load on both sides comes from this program, not from oha",
        rejection.body.len()
    ));
    bare.stop().await?;
    server.stop().await?;
    Ok(row)
}
