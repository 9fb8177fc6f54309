//! Whole histories as streamed CSV, compared with COPY of the same rows on Postgres, and the memory
//! of the server while many clients read slowly.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, pin_mut};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

use super::Run;
use crate::LoadtestError;
use crate::figures::Figures;
use crate::load::oha::Oha;
use crate::probe::ResourceMeter;
use crate::report::CaseResult;
use crate::server::MeasuredServer;
use crate::stage::{Stage, TierLimits};

const HISTORY: &str = "/api/stocks/AAPL/prices?start=2000-01-01&format=csv";
const HISTORY_ROWS: usize = 3270;
/// The same rows and columns as [`HISTORY`].
const COPY: &str = "COPY (SELECT date, open, high, low, close, adjusted_close, volume FROM prices
    WHERE stock_id = (SELECT id FROM stocks WHERE symbol = 'AAPL') AND date >= '2000-01-01'
    ORDER BY date DESC) TO STDOUT (FORMAT csv, HEADER)";

const SLOW_READERS: usize = 100;
/// Each slow reader reads 200 KB/s of a response of some 15 MB.
const READ_BYTES: usize = 10_000;
const READ_EVERY_MS: u64 = 50;
const READ_FOR_S: u64 = 10;

pub async fn run(run: &Run) -> Result<CaseResult, LoadtestError> {
    let server = run.fresh_server(TierLimits::Raised).await?;
    let response = run.get(&server, HISTORY, 200).await?;
    let rows = response.body.iter().filter(|byte| **byte == b'\n').count() - 1;
    if rows != HISTORY_ROWS {
        return Err(format!("expected {HISTORY_ROWS} rows of {HISTORY}, got {rows}").into());
    }
    let headers = [format!("x-api-key: {}", run.keys.token(0))];
    let url = format!("http://{}{HISTORY}", server.address);
    let ours = Oha { url, headers: &headers, gzip: false, pattern: false };
    let mut meter = ResourceMeter::new(&run.stage, server.pid());
    let (ours, theirs) = (|| ours.run(run.options()), || copies(&run.stage));
    let mut row = run
        .rounds("a whole history, CSV, uncached", &mut meter, ("COPY", None), ours, theirs)
        .await?;
    row.note(format!("{HISTORY_ROWS} rows, {} bytes; never cached", response.body.len()));
    row.note(slow_readers(run, &server).await?);
    server.stop().await?;
    Ok(row)
}

/// One turn of COPY, with as many clients as oha has connections.
async fn copies(stage: &Stage) -> Result<Figures, LoadtestError> {
    let deadline = Instant::now() + Duration::from_secs(stage.options.seconds);
    let started = Instant::now();
    let clients = (0..stage.options.connections)
        .map(|_| tokio::spawn(copy_until(stage.postgres.url(), deadline)));
    let mut latency_us = Histogram::<u64>::new(3)?;
    for client in clients.collect::<Vec<_>>() {
        for took in client.await?.map_err(|error| format!("COPY: {error}"))? {
            latency_us.record(took.as_micros() as u64)?;
        }
    }
    let at = |quantile| latency_us.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Figures {
        requests: latency_us.len(),
        requests_per_s: latency_us.len() as f64 / started.elapsed().as_secs_f64(),
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        statuses: [].into(),
        cpu_us: None,
    })
}

async fn copy_until(
    url: String,
    deadline: Instant,
) -> Result<Vec<Duration>, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    let mut took = Vec::new();
    while Instant::now() < deadline {
        let started = Instant::now();
        let rows = client.copy_out(COPY).await?;
        pin_mut!(rows);
        while let Some(chunk) = rows.next().await {
            chunk?;
        }
        took.push(started.elapsed());
    }
    Ok(took)
}

/// Measures the memory of the server before and while many clients read long responses slowly.
async fn slow_readers(run: &Run, server: &MeasuredServer) -> Result<String, LoadtestError> {
    let before = memory_mb(run, server)?;
    let symbols: Vec<String> =
        ('A'..='D').flat_map(|c| ('A'..='Y').map(move |d| format!("AB{c}{d}"))).collect();
    let path = format!("/api/prices?symbols={}&start=2000-01-01&format=csv", symbols.join(","));
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: loadtest\r\nx-api-key: {}\r\n\r\n",
        run.keys.token(0)
    );
    let mut readers = Vec::new();
    for _ in 0..SLOW_READERS {
        let mut stream = TcpStream::connect(server.address).await?;
        stream.write_all(head.as_bytes()).await?;
        readers.push(tokio::spawn(read_slowly(stream)));
    }
    run.progress.set_message(format!("{SLOW_READERS} slow readers of long responses"));
    let mut peak = before;
    for _ in 0..READ_FOR_S {
        tokio::time::sleep(Duration::from_secs(1)).await;
        peak = peak.max(memory_mb(run, server)?);
    }
    let mut bytes = 0;
    for reader in readers {
        bytes += reader.await??;
    }
    let kb_per_s = READ_BYTES as u64 * 1000 / READ_EVERY_MS / 1000;
    let total_mb = f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX)) / 1000.0;
    Ok(format!(
        "{SLOW_READERS} clients read long responses at {kb_per_s} KB/s each for {READ_FOR_S} s \
         ({total_mb:.0} MB in total): {before:.0} MB before, {peak:.0} MB at most"
    ))
}

async fn read_slowly(mut stream: TcpStream) -> Result<usize, std::io::Error> {
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    let end = Instant::now() + Duration::from_secs(READ_FOR_S);
    while Instant::now() < end {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Err(std::io::Error::other("a response ended early"));
        }
        bytes += read;
        tokio::time::sleep(Duration::from_millis(READ_EVERY_MS)).await;
    }
    Ok(bytes)
}

fn memory_mb(run: &Run, server: &MeasuredServer) -> Result<f64, LoadtestError> {
    let mut meter = ResourceMeter::new(&run.stage, server.pid());
    meter.resume()?;
    meter.pause()?;
    Ok(meter.usage().map_or(0.0, |usage| usage.memory_mb[0]))
}
