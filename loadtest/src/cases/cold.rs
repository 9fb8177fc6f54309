//! The time from the start of the process to its first responses. Postgres and Redis are running,
//! the memory of the server is empty.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use hyper::header::{HeaderName, HeaderValue};

use super::Run;
use crate::LoadtestError;
use crate::figures::median;
use crate::load::client::{API_KEY, HttpClient};
use crate::report::ColdStart;
use crate::server::{spawn, stop};
use crate::stage::TierLimits;

const STARTS: u32 = 5;
const POLL_MS: u64 = 1;
const START_TIMEOUT_S: u64 = 30;
const PRICES: &str = "/api/stocks/AAPL/prices?start=2012-12-01&end=2012-12-31";

pub async fn run(run: &Run) -> Result<ColdStart, LoadtestError> {
    run.stage.set_tiers(TierLimits::Default).await?;
    let (mut health_ms, mut prices_ms) = (Vec::new(), Vec::new());
    for start in 1..=STARTS {
        run.progress.set_message(format!("cold start {start} of {STARTS}"));
        run.stage.empty_redis()?;
        let (health, prices) = start_once(run).await?;
        health_ms.push(health.as_secs_f64() * 1e3);
        prices_ms.push(prices.as_secs_f64() * 1e3);
    }
    Ok(ColdStart {
        health_ms: median(health_ms.clone()),
        prices_ms: median(prices_ms.clone()),
        health_ms_each: health_ms,
        prices_ms_each: prices_ms,
    })
}

/// The times until the first 200 of `/health`, then of a request for prices with a key.
async fn start_once(run: &Run) -> Result<(Duration, Duration), LoadtestError> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut command = run.stage.tickerd(&["serve"]);
    command.env("PORT", port.to_string()).env("ADMIN_PORT", "0");
    let started = Instant::now();
    let child = spawn(&mut command, &run.stage.file("serve.log"))?;
    let mut client = HttpClient::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    first_success(&mut client, "/health", &[], started).await?;
    let health = started.elapsed();
    first_success(&mut client, PRICES, &[(API_KEY, run.headers[0].clone())], started).await?;
    let prices = started.elapsed();
    stop(child).await?;
    Ok((health, prices))
}

async fn first_success(
    client: &mut HttpClient,
    path: &str,
    headers: &[(HeaderName, HeaderValue)],
    started: Instant,
) -> Result<(), LoadtestError> {
    while started.elapsed() < Duration::from_secs(START_TIMEOUT_S) {
        let response = client.get(path, headers).await;
        if response.is_ok_and(|response| response.status.as_u16() == 200) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(POLL_MS));
    }
    Err(format!("{path} gave no 200 within {START_TIMEOUT_S} s of the start: see serve.log").into())
}
