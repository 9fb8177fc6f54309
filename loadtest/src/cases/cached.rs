//! The same answer from memory, over and over: how close the server comes to a bare one that
//! answers the same bytes.

use hyper::header::{ACCEPT_ENCODING, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};

use super::Run;
use crate::Failure;
use crate::load::client::{API_KEY, Answer, Link, X_CACHE};
use crate::load::oha::Oha;
use crate::probe::Meter;
use crate::report::Row;
use crate::server::Server;
use crate::stage::Tiers;

const ROWS_20: &str = "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&limit=20";
const ROWS_250: &str = "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&limit=250";
/// What oha asks for when it is not told otherwise.
const OHA_ENCODINGS: &str = "gzip, compress, deflate, br";

pub struct Variant {
    name: &'static str,
    path: &'static str,
    gzip: bool,
    /// Whether the caller has the answer already.
    again: bool,
    status: u16,
}

const VARIANTS: [Variant; 4] = [
    Variant::plain("cached, 20 rows", ROWS_20),
    Variant::plain("cached, 250 rows", ROWS_250),
    Variant { gzip: true, ..Variant::plain("cached, 250 rows, gzip", ROWS_250) },
    Variant { again: true, status: 304, ..Variant::plain("304, If-None-Match", ROWS_20) },
];

impl Variant {
    pub const fn plain(name: &'static str, path: &'static str) -> Self {
        Self { name, path, gzip: false, again: false, status: 200 }
    }
}

pub async fn run(run: &Run) -> Result<Vec<Row>, Failure> {
    let server = run.fresh_server(Tiers::Raised).await?;
    let mut rows = Vec::new();
    for variant in &VARIANTS {
        rows.push(measure(run, &server, variant).await?);
    }
    server.stop().await?;
    Ok(rows)
}

pub async fn measure(run: &Run, server: &Server, variant: &Variant) -> Result<Row, Failure> {
    let mut headers = vec![(API_KEY, run.headers[0].clone())];
    if variant.gzip {
        headers.push((ACCEPT_ENCODING, HeaderValue::from_static(OHA_ENCODINGS)));
    }
    if variant.again {
        let etag = ask(server, variant, &headers, 200).await?.header(&ETAG).to_owned();
        headers.push((IF_NONE_MATCH, HeaderValue::from_str(&etag)?));
    }
    ask(server, variant, &headers, variant.status).await?;
    let answer = ask(server, variant, &headers, variant.status).await?;
    expect_hit(variant, &answer)?;
    let bare = Server::bare(&run.stage, &answer.body, variant.gzip.then_some("gzip")).await?;
    let arguments: Vec<String> =
        headers.iter().filter(|(name, _)| *name != ACCEPT_ENCODING).map(argument).collect();
    let oha = |server: &Server| Oha {
        url: format!("http://{}{}", server.address, variant.path),
        headers: &arguments,
        gzip: variant.gzip,
        pattern: false,
    };
    let (ours, theirs) = (oha(server), oha(&bare));
    let mut meter = Meter::new(&run.stage, server.pid());
    let mut row = run
        .rounds(
            variant.name,
            &mut meter,
            "bare",
            || ours.run(run.options()),
            || theirs.run(run.options()),
        )
        .await?;
    expect_hit(variant, &ask(server, variant, &headers, variant.status).await?)?;
    row.note(format!("{} bytes of body; X-Cache was HIT before and after", answer.body.len()));
    bare.stop().await?;
    Ok(row)
}

fn argument((name, value): &(HeaderName, HeaderValue)) -> String {
    format!("{name}: {}", value.to_str().unwrap_or_default())
}

async fn ask(
    server: &Server,
    variant: &Variant,
    headers: &[(HeaderName, HeaderValue)],
    status: u16,
) -> Result<Answer, Failure> {
    let answer = Link::new(server.address)?.ask(variant.path, headers).await?;
    if answer.status.as_u16() != status {
        return Err(
            format!("{}: expected status {status}, got {}", variant.name, answer.status).into()
        );
    }
    Ok(answer)
}

/// Otherwise it is not memory that is measured.
fn expect_hit(variant: &Variant, answer: &Answer) -> Result<(), Failure> {
    match answer.header(&X_CACHE) {
        "HIT" => Ok(()),
        other => Err(format!("{}: expected X-Cache HIT, got {other:?}", variant.name).into()),
    }
}
