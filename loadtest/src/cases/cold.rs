//! From the start of the process to its first answers, with the database and Redis up and nothing
//! in memory.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use hyper::header::{HeaderName, HeaderValue};

use super::Run;
use crate::Failure;
use crate::figures::median;
use crate::load::client::{API_KEY, Link};
use crate::report::Cold;
use crate::server::{spawn, stop};
use crate::stage::Tiers;

const STARTS: u32 = 5;
const POLL_MS: u64 = 1;
const START_TIMEOUT_S: u64 = 30;
const PRICES: &str = "/api/stocks/AAPL/prices?start=2012-12-01&end=2012-12-31";

pub async fn run(run: &Run) -> Result<Cold, Failure> {
    run.stage.set_tiers(Tiers::Default).await?;
    let (mut health_ms, mut prices_ms) = (Vec::new(), Vec::new());
    for start in 1..=STARTS {
        run.progress.set_message(format!("cold start {start} of {STARTS}"));
        run.stage.empty_redis()?;
        let (health, prices) = start_once(run).await?;
        health_ms.push(health.as_secs_f64() * 1e3);
        prices_ms.push(prices.as_secs_f64() * 1e3);
    }
    let medians = (median(health_ms.clone()), median(prices_ms.clone()));
    Ok(Cold {
        health_ms: medians.0,
        prices_ms: medians.1,
        health_ms_each: health_ms,
        prices_ms_each: prices_ms,
    })
}

/// When `/health`, then a keyed request of prices, were first answered with 200.
async fn start_once(run: &Run) -> Result<(Duration, Duration), Failure> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut command = run.stage.tickerd(&["serve"]);
    command.env("PORT", port.to_string()).env("ADMIN_PORT", "0");
    let begun = Instant::now();
    let child = spawn(&mut command, &run.stage.file("serve.log"))?;
    let mut link = Link::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    first_answer(&mut link, "/health", &[], begun).await?;
    let health = begun.elapsed();
    first_answer(&mut link, PRICES, &[(API_KEY, run.headers[0].clone())], begun).await?;
    let prices = begun.elapsed();
    stop(child).await?;
    Ok((health, prices))
}

async fn first_answer(
    link: &mut Link,
    path: &str,
    headers: &[(HeaderName, HeaderValue)],
    begun: Instant,
) -> Result<(), Failure> {
    while begun.elapsed() < Duration::from_secs(START_TIMEOUT_S) {
        if link.ask(path, headers).await.is_ok_and(|answer| answer.status.as_u16() == 200) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(POLL_MS));
    }
    Err(format!(
        "{path} was not answered with 200 within {START_TIMEOUT_S} s of the start: see serve.log"
    )
    .into())
}
