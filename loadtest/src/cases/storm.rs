//! Keys far over their limit: what a refusal costs.

use std::sync::Arc;

use super::Run;
use crate::Failure;
use crate::keys::{KEYS, tier};
use crate::load::client::{API_KEY, Link};
use crate::load::generator::{Ask, Load, Until};
use crate::probe::Meter;
use crate::report::Row;
use crate::server::Server;
use crate::stage::Tiers;
use rand::RngExt;

/// Of the tier `free`: 100 requests a minute each.
const STORMING: usize = 8;
const PATH: &str = "/api/stocks/AAPL/prices?start=2012-12-01&end=2012-12-31";
const REQUESTS_UNTIL_REFUSED: usize = 200 * STORMING;

pub async fn run(run: &Run) -> Result<Row, Failure> {
    const { assert!(STORMING < KEYS) };
    let first = KEYS - STORMING;
    assert_eq!(tier(first), "free");
    let server = run.fresh_server(Tiers::Default).await?;
    let load = |server: &Server| Load {
        seed: 0,
        address: server.address,
        connections: run.options().connections,
        keys: Arc::clone(&run.headers),
        draw: Arc::new(move |random| Ask {
            path: PATH.to_owned(),
            key: random.random_range(first..KEYS),
        }),
    };
    let ours = load(&server);
    ours.flat_out(Until::Requests(REQUESTS_UNTIL_REFUSED)).await?;
    let refusal =
        Link::new(server.address)?.ask(PATH, &[(API_KEY, run.headers[first].clone())]).await?;
    if refusal.status.as_u16() != 429 {
        return Err(
            format!("expected status 429 of a key over its limit, got {}", refusal.status).into()
        );
    }
    let bare = Server::bare(&run.stage, &refusal.body, None).await?;
    let theirs = load(&bare);
    let seconds = run.options().seconds;
    let turn = async |load: &Load| {
        let tally = load.flat_out(Until::Seconds(seconds)).await?;
        Ok(tally.figures(seconds as f64))
    };
    let mut meter = Meter::new(&run.stage, server.pid());
    let mut row = run
        .rounds("limit storm, 8 free keys", &mut meter, "bare", || turn(&ours), || turn(&theirs))
        .await?;
    row.note(format!(
        "{} bytes of body; both sides are asked by this suite's client, not by oha",
        refusal.body.len()
    ));
    bare.stop().await?;
    server.stop().await?;
    Ok(row)
}
