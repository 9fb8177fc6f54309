//! Random queries. Many mean the same in a different spelling, and many differ from others in one
//! parameter only.

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

/// Symbols that a careless cache key would confuse.
pub const NAMES: [&str; 12] =
    ["A", "AA", "AAA", "AB", "A.B", "A-B", "B", "BA", "V1", "V11", "QUOTE", "STOCK"];

/// A query, parsed from one of its spellings.
pub struct SimulatedQuery {
    /// An independent canonical form: queries are equivalent if and only if it is equal.
    pub meaning: String,
    /// The symbols that the answer is about, as indices of [`NAMES`].
    pub names: Vec<usize>,
    pub media: Media,
    /// How long the documentation allows to reuse an answer.
    pub fresh_s: u64,
    /// False if the response is streamed.
    pub is_cacheable: bool,
    pub parsed: Box<dyn DynQuery>,
}

/// The methods of [`CacheableQuery`] that work on trait objects.
pub trait DynQuery {
    fn canonical(&self, version: i64) -> String;
    fn depends_on(&self) -> DependsOn<'_>;
    fn content(&self) -> Content;
}

impl<Q: CacheableQuery> DynQuery for Q {
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

fn parse<Q: CacheableQuery>(request: TestRequest) -> Box<dyn DynQuery> {
    Box::new(Q::parse(&request.to_http_request()).unwrap_or_else(|problem| panic!("{problem}")))
}

/// A route and the parameters that queries use.
struct RouteSpec {
    path: &'static str,
    parse: fn(TestRequest) -> Box<dyn DynQuery>,
    /// Parameters and their values. The first value is the default; "" means that the parameter is
    /// omitted. Values with a leading `!` are required, even if they are the first.
    parameters: &'static [(&'static str, &'static [&'static str])],
    /// How long answers may be reused: with an end in the past, and without an end.
    fresh_s: [u64; 2],
}

const DAY_S: u64 = 86_400;
const DAY_PATH: &str = "/api/prices/daily/2012-05-01";
const FORMAT: (&str, &[&str]) = ("format", &["json", "csv", "ndjson"]);
const END: (&str, &[&str]) = ("end", &["", "2012-12-30", "2012-12-31"]);
const ADJUST: (&str, &[&str]) = ("adjust", &["none", "splits", "all"]);
const INTERVAL: (&str, &[&str]) = ("interval", &["1d", "1w", "1mo"]);
const ORDER: (&str, &[&str]) = ("order", &["desc", "asc"]);
const LIMIT: (&str, &[&str]) = ("limit", &["100", "10"]);
const EXCHANGE: (&str, &[&str]) = ("exchange", &["", "NYSE", "NASDAQ"]);
const COLUMNS: (&str, &[&str]) = ("columns", &["", "date,close", "close,date"]);
const KIND: (&str, &[&str]) = ("kind", &["", "split", "dividend"]);
const START: (&str, &[&str]) = ("start", &["!2012-01-03", "!2012-01-04"]);

const ROUTES: [RouteSpec; 12] = [
    RouteSpec {
        path: "/api/stocks/{symbol}/prices",
        parse: parse::<PricesQuery>,
        // The cursors are 2012-05-01 and 2012-05-02.
        parameters: &[
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
    RouteSpec {
        path: "/api/stocks/{symbol}/quote",
        parse: parse::<quote::QuoteQuery>,
        parameters: &[],
        fresh_s: [60; 2],
    },
    RouteSpec {
        path: "/api/stocks/{symbol}",
        parse: parse::<stocks::StockQuery>,
        parameters: &[],
        fresh_s: [3600; 2],
    },
    RouteSpec {
        path: "/api/stocks/{symbol}/events",
        parse: parse::<events::StockEventsQuery>,
        parameters: &[("start", &["", "2012-01-03"]), END, KIND, LIMIT, ORDER],
        fresh_s: [DAY_S, 300],
    },
    RouteSpec {
        path: "/api/stocks/{symbol}/chart.svg",
        parse: parse::<chart::ChartQuery>,
        parameters: &[
            ("start", &["", "2012-01-03"]),
            END,
            ("width", &["800", "801"]),
            ("height", &["400", "401"]),
            ("theme", &["light", "dark"]),
            ("adjust", &["splits", "all", "none"]),
        ],
        fresh_s: [DAY_S, 300],
    },
    RouteSpec {
        path: "/api/prices",
        parse: parse::<ManyQuery>,
        parameters: &[START, END, ORDER, ADJUST, INTERVAL, LIMIT, FORMAT],
        fresh_s: [DAY_S, 300],
    },
    RouteSpec {
        path: "/api/stocks",
        parse: parse::<stocks::StockListQuery>,
        parameters: &[
            ("q", &["", "a", "a&exchange=NYSE"]),
            EXCHANGE,
            ("sector", &["", "Energy"]),
            ("type", &["", "etf"]),
            ("country", &["", "US"]),
            ("isin", &["", "US0378331005"]),
            ("active", &["", "true", "false"]),
            ("limit", &["50", "5"]),
            ("offset", &["0", "5"]),
        ],
        fresh_s: [3600; 2],
    },
    RouteSpec {
        path: DAY_PATH,
        parse: parse::<DayQuery>,
        parameters: &[EXCHANGE, ("limit", &["1000", "10"]), FORMAT, COLUMNS],
        fresh_s: [DAY_S; 2],
    },
    RouteSpec {
        path: "/api/events",
        parse: parse::<events::EventsQuery>,
        parameters: &[START, END, EXCHANGE, KIND, LIMIT, ORDER],
        fresh_s: [DAY_S, 300],
    },
    RouteSpec {
        path: "/api/status",
        parse: parse::<status::StatusQuery>,
        parameters: &[],
        fresh_s: [60; 2],
    },
    RouteSpec {
        path: "/api/exchanges",
        parse: parse::<exchanges::ExchangesQuery>,
        parameters: &[],
        fresh_s: [60; 2],
    },
    RouteSpec {
        path: "/api/calendar",
        parse: parse::<calendar::CalendarQuery>,
        parameters: &[
            ("exchange", &["NYSE", "NASDAQ"]),
            ("start", &["!2012-01-03", "!2012-01-04"]),
        ],
        fresh_s: [3600; 2],
    },
];

/// Draws `count` random queries. Some are equivalent, in different spellings.
pub fn draw(random: &mut StdRng, count: usize) -> Vec<SimulatedQuery> {
    (0..count)
        .map(|_| {
            let route = ROUTES.choose(random).expect("there are routes");
            draw_query(random, route)
        })
        .collect()
}

fn draw_query(random: &mut StdRng, route: &RouteSpec) -> SimulatedQuery {
    let names = draw_names(random, route);
    let mut given = Vec::new();
    if route.path == "/api/prices" {
        given.push(("symbols", spelled_list(random, &names)));
    }
    let mut request = TestRequest::default();
    let mut meant: Vec<(&str, &str)> = Vec::new();
    for (name, values) in route.parameters {
        // Defaults are frequent, or hardly any two queries would be equivalent.
        let value =
            if random.random_ratio(4, 5) { values[0] } else { values.choose(random).unwrap() };
        meant.push((name, value));
        let is_required = value.starts_with('!') || value != values[0];
        if *name == "format" && is_required && random.random() {
            request = request.insert_header((header::ACCEPT, media_type(value)));
        } else if is_required || (!value.is_empty() && random.random()) {
            given.push((name, value.trim_start_matches('!').to_owned()));
        }
    }
    given.shuffle(random);
    let value_of =
        |name: &str| meant.iter().find(|(meant, _)| *meant == name).map_or("", |(_, value)| value);
    let media = match (route.path.ends_with(".svg"), value_of("format")) {
        (true, _) => Media::Svg,
        (_, "csv") => Media::Csv,
        (_, "ndjson") => Media::Ndjson,
        _ => Media::Json,
    };
    // CSV and NDJSON without an explicit limit contain all rows and are streamed.
    let may_stream =
        route.parameters.contains(&LIMIT) && matches!(media, Media::Csv | Media::Ndjson);
    let is_cacheable = !may_stream || given.iter().any(|(name, _)| *name == "limit");
    let symbols: Vec<_> = names.iter().map(|index| NAMES[*index]).collect();
    let meaning = format!("{} {symbols:?} {meant:?} {is_cacheable}", route.path);
    let query = Serializer::new(String::new()).extend_pairs(&given).finish();
    let has_no_end = route.path != DAY_PATH && value_of("end").is_empty();
    request = request
        .uri(&format!("/?{query}"))
        .param("symbol", spelled(random, symbols[0]))
        .param("date", "2012-05-01");
    SimulatedQuery {
        meaning,
        names,
        media,
        fresh_s: route.fresh_s[usize::from(has_no_end)],
        is_cacheable,
        parsed: (route.parse)(request),
    }
}

/// The symbols that the answer is about: several, one, or all of the market.
fn draw_names(random: &mut StdRng, route: &RouteSpec) -> Vec<usize> {
    let all: Vec<usize> = (0..NAMES.len()).collect();
    if route.path == "/api/prices" {
        let count = random.random_range(2..4);
        let mut names: Vec<usize> = all.sample(random, count).copied().collect();
        names.sort_unstable();
        names
    } else if route.path.contains("{symbol}") {
        vec![random.random_range(0..NAMES.len())]
    } else {
        all
    }
}

fn media_type(format: &str) -> &'static str {
    if format == "csv" { "text/csv" } else { "application/x-ndjson" }
}

/// A symbol in upper or lower case.
fn spelled(random: &mut StdRng, name: &str) -> String {
    if random.random() { name.to_owned() } else { name.to_lowercase() }
}

/// The symbols in any order, one of them twice, with or without blanks.
fn spelled_list(random: &mut StdRng, names: &[usize]) -> String {
    let mut symbols: Vec<String> =
        names.iter().map(|index| spelled(random, NAMES[*index])).collect();
    symbols.push(symbols[0].clone());
    symbols.shuffle(random);
    symbols.join(if random.random() { "," } else { ", " })
}
