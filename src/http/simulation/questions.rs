//! What clients ask: each question in several ways of writing it, and with neighbours that differ
//! in one thing only.

use actix_web::http::header;
use actix_web::test::TestRequest;
use form_urlencoded::Serializer;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::cache::{Content, DependsOn, Media};
use crate::http::api::prices::PricesQuery;
use crate::http::api::prices::day::DayQuery;
use crate::http::api::prices::many::ManyQuery;
use crate::http::api::{calendar, chart, events, exchanges, quote, status, stocks};
use crate::http::request::cacheable_query::CacheableQuery;

/// Symbols, in ways that a careless key would mix up.
pub const NAMES: [&str; 12] =
    ["A", "AA", "AAA", "AB", "A.B", "A-B", "B", "BA", "V1", "V11", "QUOTE", "STOCK"];

/// A question, as it was parsed from one way of writing it.
pub struct Asked {
    /// In words of the simulation's own: two that differ ask for different things.
    pub meaning: String,
    /// Places in [`NAMES`] of the symbols that the answer is about.
    pub about: Vec<usize>,
    pub media: Media,
    /// What the README promises.
    pub fresh_s: u64,
    /// False for what is streamed.
    pub is_kept: bool,
    pub parsed: Box<dyn Parsed>,
}

/// [`CacheableQuery`], whichever it is.
pub trait Parsed {
    fn canonical(&self, version: i64) -> String;
    fn depends_on(&self) -> DependsOn<'_>;
    fn content(&self) -> Content;
}

impl<Q: CacheableQuery> Parsed for Q {
    fn canonical(&self, version: i64) -> String {
        CacheableQuery::canonical(self, version)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        CacheableQuery::depends_on(self)
    }

    fn content(&self) -> Content {
        CacheableQuery::content(self)
    }
}

fn parse<Q: CacheableQuery>(request: TestRequest) -> Box<dyn Parsed> {
    Box::new(Q::parse(&request.to_http_request()).unwrap_or_else(|problem| panic!("{problem}")))
}

/// What a route takes.
struct Shape {
    path: &'static str,
    parse: fn(TestRequest) -> Box<dyn Parsed>,
    /// Parameters and their values: the first is what is meant where none is given, "" is none at
    /// all.
    takes: &'static [(&'static str, &'static [&'static str])],
    /// Seconds: of what has an end in the past, and of what has none.
    fresh_s: [u64; 2],
}

const DAY_S: u64 = 86_400;
const FORMAT: (&str, &[&str]) = ("format", &["json", "csv", "ndjson"]);
const END: (&str, &[&str]) = ("end", &["", "2012-12-30", "2012-12-31"]);
const ADJUST: (&str, &[&str]) = ("adjust", &["none", "splits", "all"]);
const INTERVAL: (&str, &[&str]) = ("interval", &["1d", "1w", "1mo"]);
const ORDER: (&str, &[&str]) = ("order", &["desc", "asc"]);
const LIMIT: (&str, &[&str]) = ("limit", &["100", "10"]);
const EXCHANGE: (&str, &[&str]) = ("exchange", &["", "NYSE", "NASDAQ"]);
const COLUMNS: (&str, &[&str]) = ("columns", &["", "date,close", "close,date"]);
const KIND: (&str, &[&str]) = ("kind", &["", "split", "dividend"]);
/// The first day has to be given: what is not is written as such.
const START: (&str, &[&str]) = ("start", &["!2012-01-03", "!2012-01-04"]);

const SHAPES: [Shape; 12] = [
    Shape {
        path: "/api/stocks/{symbol}/prices",
        parse: parse::<PricesQuery>,
        // 2012-05-01 and 2012-05-02, as cursors.
        takes: &[
            START,
            END,
            ORDER,
            ADJUST,
            INTERVAL,
            LIMIT,
            FORMAT,
            COLUMNS,
            ("cursor", &["", "MToyMDEyLTA1LTAx", "MToyMDEyLTA1LTAy"]),
        ],
        fresh_s: [DAY_S, 300],
    },
    Shape {
        path: "/api/stocks/{symbol}/quote",
        parse: parse::<quote::QuoteQuery>,
        takes: &[],
        fresh_s: [60; 2],
    },
    Shape {
        path: "/api/stocks/{symbol}",
        parse: parse::<stocks::StockQuery>,
        takes: &[],
        fresh_s: [3600; 2],
    },
    Shape {
        path: "/api/stocks/{symbol}/events",
        parse: parse::<events::StockEventsQuery>,
        takes: &[("start", &["", "2012-01-03"]), END, KIND, LIMIT, ORDER],
        fresh_s: [DAY_S, 300],
    },
    Shape {
        path: "/api/stocks/{symbol}/chart.svg",
        parse: parse::<chart::ChartQuery>,
        takes: &[
            ("start", &["", "2012-01-03"]),
            END,
            ("width", &["800", "801"]),
            ("height", &["400", "401"]),
            ("theme", &["light", "dark"]),
            ("adjust", &["splits", "all", "none"]),
        ],
        fresh_s: [DAY_S, 300],
    },
    Shape {
        path: "/api/prices",
        parse: parse::<ManyQuery>,
        takes: &[START, END, ORDER, ADJUST, INTERVAL, LIMIT, FORMAT],
        fresh_s: [DAY_S, 300],
    },
    Shape {
        path: "/api/stocks",
        parse: parse::<stocks::StockListQuery>,
        takes: &[
            ("q", &["", "a", "a&exchange=NYSE"]),
            EXCHANGE,
            ("sector", &["", "Energy"]),
            ("active", &["", "true", "false"]),
            ("limit", &["50", "5"]),
            ("offset", &["0", "5"]),
        ],
        fresh_s: [3600; 2],
    },
    Shape {
        path: "/api/prices/daily/2012-05-01",
        parse: parse::<DayQuery>,
        takes: &[EXCHANGE, ("limit", &["1000", "10"]), FORMAT, COLUMNS],
        fresh_s: [DAY_S; 2],
    },
    Shape {
        path: "/api/events",
        parse: parse::<events::EventsQuery>,
        takes: &[START, END, EXCHANGE, KIND, LIMIT, ORDER],
        fresh_s: [DAY_S, 300],
    },
    Shape {
        path: "/api/status",
        parse: parse::<status::StatusQuery>,
        takes: &[],
        fresh_s: [60; 2],
    },
    Shape {
        path: "/api/exchanges",
        parse: parse::<exchanges::ExchangesQuery>,
        takes: &[],
        fresh_s: [60; 2],
    },
    Shape {
        path: "/api/calendar",
        parse: parse::<calendar::CalendarQuery>,
        takes: &[("exchange", &["NYSE", "NASDAQ"]), ("start", &["!2012-01-03", "!2012-01-04"])],
        fresh_s: [3600; 2],
    },
];

/// So many questions, drawn at random: some of them several times, in different words.
pub fn draw(random: &mut StdRng, count: usize) -> Vec<Asked> {
    (0..count)
        .map(|_| SHAPES.choose(random).map(|shape| ask(random, shape)).expect("there are shapes"))
        .collect()
}

fn ask(random: &mut StdRng, shape: &Shape) -> Asked {
    let mut about: Vec<usize> = (0..NAMES.len()).collect();
    let mut said = Vec::new();
    if shape.path == "/api/prices" {
        let count = random.random_range(2..4);
        about = about.sample(random, count).copied().collect();
        about.sort_unstable();
        said.push(("symbols", spelled_list(random, &about)));
    } else if shape.path.contains("{symbol}") {
        about = vec![random.random_range(0..NAMES.len())];
    }
    let mut request = TestRequest::default();
    // Mostly as usual: else hardly anything would be asked twice.
    let mut meant: Vec<(&str, &str)> = Vec::new();
    for (name, values) in shape.takes {
        let value =
            if random.random_ratio(4, 5) { values[0] } else { values.choose(random).unwrap() };
        meant.push((name, value));
        let needs_saying = value.starts_with('!') || value != values[0];
        if *name == "format" && needs_saying && random.random() {
            request = request.insert_header((header::ACCEPT, media_type(value)));
        } else if needs_saying || (!value.is_empty() && random.random()) {
            said.push((name, value.trim_start_matches('!').to_owned()));
        }
    }
    said.shuffle(random);
    let meant_as =
        |name: &str| meant.iter().find(|(meant, _)| *meant == name).map_or("", |(_, value)| value);
    let media = match (shape.path.ends_with(".svg"), meant_as("format")) {
        (true, _) => Media::Svg,
        (_, "csv") => Media::Csv,
        (_, "ndjson") => Media::Ndjson,
        _ => Media::Json,
    };
    // Lines without a limit that is said are all there are, in a stream.
    let takes_all = shape.takes.contains(&LIMIT) && matches!(media, Media::Csv | Media::Ndjson);
    let is_kept = !takes_all || said.iter().any(|(name, _)| *name == "limit");
    let names: Vec<_> = about.iter().map(|at| NAMES[*at]).collect();
    let meaning = format!("{} {names:?} {meant:?} {is_kept}", shape.path);
    let query = Serializer::new(String::new()).extend_pairs(&said).finish();
    let fresh_s = shape.fresh_s
        [usize::from(shape.path != "/api/prices/daily/2012-05-01" && meant_as("end").is_empty())];
    request = request
        .uri(&format!("/?{query}"))
        .param("symbol", spelled(random, names[0]))
        .param("date", "2012-05-01");
    Asked { meaning, about, media, fresh_s, is_kept, parsed: (shape.parse)(request) }
}

fn media_type(format: &str) -> &'static str {
    if format == "csv" { "text/csv" } else { "application/x-ndjson" }
}

fn spelled(random: &mut StdRng, name: &str) -> String {
    if random.random() { name.to_owned() } else { name.to_lowercase() }
}

/// In any order, with blanks, and one of them twice.
fn spelled_list(random: &mut StdRng, about: &[usize]) -> String {
    let mut names: Vec<String> = about.iter().map(|at| spelled(random, NAMES[*at])).collect();
    names.push(names[0].clone());
    names.shuffle(random);
    names.join(if random.random() { "," } else { ", " })
}
