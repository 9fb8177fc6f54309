//! Repeated responses from memory, compared with a bare server that sends the same bytes.

use hyper::header::{ACCEPT_ENCODING, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};

use super::Run;
use crate::LoadtestError;
use crate::load::client::{API_KEY, HttpClient, Response, X_CACHE};
use crate::load::oha::Oha;
use crate::probe::ResourceMeter;
use crate::report::CaseResult;
use crate::server::MeasuredServer;
use crate::stage::TierLimits;

const ROWS_20: &str = "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&limit=20";
const ROWS_250: &str = "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&limit=250";
/// The default `Accept-Encoding` of oha.
const OHA_ENCODINGS: &str = "gzip, compress, deflate, br";

pub struct CachedVariant {
    name: &'static str,
    path: &'static str,
    gzip: bool,
    /// Whether requests have `If-None-Match` with the current tag.
    conditional: bool,
    status: u16,
}

const VARIANTS: [CachedVariant; 4] = [
    CachedVariant::plain("cached, 20 rows", ROWS_20),
    CachedVariant::plain("cached, 250 rows", ROWS_250),
    CachedVariant { gzip: true, ..CachedVariant::plain("cached, 250 rows, gzip", ROWS_250) },
    CachedVariant {
        conditional: true,
        status: 304,
        ..CachedVariant::plain("304, If-None-Match", ROWS_20)
    },
];

impl CachedVariant {
    pub const fn plain(name: &'static str, path: &'static str) -> Self {
        Self { name, path, gzip: false, conditional: false, status: 200 }
    }
}

pub async fn run(run: &Run) -> Result<Vec<CaseResult>, LoadtestError> {
    let server = run.fresh_server(TierLimits::Raised).await?;
    let mut rows = Vec::new();
    for variant in &VARIANTS {
        rows.push(measure(run, &server, variant).await?);
    }
    server.stop().await?;
    Ok(rows)
}

pub async fn measure(
    run: &Run,
    server: &MeasuredServer,
    variant: &CachedVariant,
) -> Result<CaseResult, LoadtestError> {
    let mut headers = vec![(API_KEY, run.headers[0].clone())];
    if variant.gzip {
        headers.push((ACCEPT_ENCODING, HeaderValue::from_static(OHA_ENCODINGS)));
    }
    if variant.conditional {
        let etag = get(server, variant, &headers, 200).await?.header(&ETAG).to_owned();
        headers.push((IF_NONE_MATCH, HeaderValue::from_str(&etag)?));
    }
    get(server, variant, &headers, variant.status).await?;
    let response = get(server, variant, &headers, variant.status).await?;
    expect_hit(variant, &response)?;
    let encoding = variant.gzip.then_some("gzip");
    let bare = MeasuredServer::bare(&run.stage, &response.body, encoding).await?;
    let arguments: Vec<String> =
        headers.iter().filter(|(name, _)| *name != ACCEPT_ENCODING).map(argument).collect();
    let oha = |server: &MeasuredServer| Oha {
        url: format!("http://{}{}", server.address, variant.path),
        headers: &arguments,
        gzip: variant.gzip,
        pattern: false,
    };
    let ours = oha(server);
    let theirs = oha(&bare);
    let mut meter = ResourceMeter::new(&run.stage, server.pid());
    let mut row = run
        .rounds(
            variant.name,
            &mut meter,
            ("bare", Some(bare.pid())),
            || ours.run(run.options()),
            || theirs.run(run.options()),
        )
        .await?;
    expect_hit(variant, &get(server, variant, &headers, variant.status).await?)?;
    row.note(format!("{} bytes of body; X-Cache was HIT before and after", response.body.len()));
    bare.stop().await?;
    Ok(row)
}

fn argument((name, value): &(HeaderName, HeaderValue)) -> String {
    format!("{name}: {}", value.to_str().unwrap_or_default())
}

async fn get(
    server: &MeasuredServer,
    variant: &CachedVariant,
    headers: &[(HeaderName, HeaderValue)],
    status: u16,
) -> Result<Response, LoadtestError> {
    let response = HttpClient::new(server.address)?.get(variant.path, headers).await?;
    if response.status.as_u16() != status {
        return Err(
            format!("{}: expected status {status}, got {}", variant.name, response.status).into()
        );
    }
    Ok(response)
}

/// Makes sure that the case measures responses from memory.
fn expect_hit(variant: &CachedVariant, response: &Response) -> Result<(), LoadtestError> {
    match response.header(&X_CACHE) {
        "HIT" => Ok(()),
        other => Err(format!("{}: expected X-Cache HIT, got {other:?}", variant.name).into()),
    }
}
