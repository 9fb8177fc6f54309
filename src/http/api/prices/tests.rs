//! Cacheable queries have one canonical URL, which is part of the cache key and asks for the same.

use actix_web::test::TestRequest;
use form_urlencoded::Serializer;
use proptest::prelude::*;
use proptest::sample::select;

use super::PricesQuery;
use super::columns::PriceColumn;
use super::day::DayQuery;
use super::many::ManyQuery;
use crate::http::api::chart::ChartQuery;
use crate::http::api::events::{EventsQuery, StockEventsQuery};
use crate::http::request::cacheable_query::CacheableQuery;
use crate::http::request::query::key_in;
use crate::http::respond::format::Format;
use crate::http::respond::paging::url_after;
use crate::market::{Adjust, EventKind, Interval, Order};

/// Parameters: (name, value).
type Pairs = Vec<(&'static str, String)>;

/// The cache key of a query string, or the error message.
fn key<Q: CacheableQuery>(query: &str) -> Result<String, String> {
    let request = TestRequest::with_uri(&format!("/?{query}"))
        .param("symbol", "brk.b")
        .param("date", "2012-05-01");
    Q::parse(&request.to_http_request())
        .map(|query| query.canonical(7))
        .map_err(|problem| problem.to_string())
}

fn encoded(pairs: &Pairs) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn words(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

fn date() -> impl Strategy<Value = String> {
    (0i32..3_652_059)
        .prop_map(|days| chrono::NaiveDate::from_num_days_from_ce_opt(days).unwrap().to_string())
}

/// Some of these parameters in any order, nearly all with valid values.
fn pairs(names: &'static [&'static str]) -> impl Strategy<Value = Pairs> {
    let pair = |name: &'static str| {
        let value = match name {
            "start" | "end" => date().boxed(),
            "order" => words(&Order::WORDS).boxed(),
            "adjust" => words(&Adjust::WORDS).boxed(),
            "interval" => words(&Interval::WORDS).boxed(),
            "format" => words(&Format::WORDS).boxed(),
            "kind" => words(&EventKind::WORDS).boxed(),
            "columns" => prop::sample::subsequence(PriceColumn::WORDS.to_vec(), 1..9)
                .prop_shuffle()
                .prop_map(|names| names.join(","))
                .boxed(),
            "symbols" => prop::collection::vec("[A-Za-z][A-Za-z0-9.-]{0,4}", 1..5)
                .prop_map(|symbols| symbols.join(", "))
                .boxed(),
            "exchange" => "[ -~]{1,9}|[^\\x00]{1,9}".boxed(),
            _ => (1u32..1100).prop_map(|limit| limit.to_string()).boxed(),
        };
        prop::option::weighted(0.7, value).prop_map(move |value| value.map(|value| (name, value)))
    };
    names
        .iter()
        .map(|name| pair(name))
        .collect::<Vec<_>>()
        .prop_map(|pairs| pairs.into_iter().flatten().collect::<Vec<_>>())
        .prop_shuffle()
}

/// Asserts that a valid query has the same key with its parameters reversed, and that the URL in
/// the key, also with `cursor`, is its own canonical form. An error must say what is expected.
/// Without `cursor`, the key holds no URL.
fn assert_canonical<Q: CacheableQuery>(
    pairs: &Pairs,
    cursor: Option<&str>,
) -> Result<(), TestCaseError> {
    let key_of_pairs = match key::<Q>(&encoded(pairs)) {
        Ok(key) => key,
        Err(problem) => {
            let explains = problem.contains("expected") || problem.contains("is after end");
            prop_assert!(explains, "{problem}");
            return Ok(());
        }
    };
    let mut reversed = pairs.clone();
    reversed.reverse();
    prop_assert_eq!(key::<Q>(&encoded(&reversed)), Ok(key_of_pairs.clone()));
    let Some(row) = cursor else { return Ok(()) };
    let url = key_of_pairs.strip_prefix("v7").unwrap().to_owned();
    for url in [url.clone(), url_after(url, row)] {
        let key_of_url = key::<Q>(url.split_once('?').unwrap().1);
        prop_assert_eq!(key_of_url, Ok(format!("v7{url}")));
    }
    Ok(())
}

/// The parameters of a bar query, with every omitted one at its default, sorted.
fn with_defaults(pairs: &Pairs) -> Pairs {
    let value = |name: &str| {
        pairs.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    };
    let is_json = value("format").is_none_or(|format| format == "json");
    let limit = if is_json { "100" } else { "all" };
    let has_periods = value("interval").is_some_and(|interval| interval != "1d");
    let marks_adjusted = !is_json && value("adjust").is_some_and(|adjust| adjust != "none");
    let mut columns = "date,open,high,low,close,adjustedClose,volume".to_owned();
    columns.push_str(if has_periods { ",unfinished" } else { "" });
    columns.push_str(if marks_adjusted { ",adjust" } else { "" });
    let defaults = [
        ("order", "desc"),
        ("adjust", "none"),
        ("interval", "1d"),
        ("format", "json"),
        ("limit", limit),
        ("columns", &columns),
    ];
    let mut all = pairs.clone();
    for (name, default) in defaults {
        if value(name).is_none() {
            all.push((name, default.to_owned()));
        }
    }
    all.sort();
    all
}

const BARS: [&str; 8] =
    ["start", "end", "order", "limit", "adjust", "interval", "columns", "format"];
const MANY: [&str; 9] =
    ["symbols", "start", "end", "order", "limit", "adjust", "interval", "columns", "format"];
const DAY: [&str; 4] = ["exchange", "limit", "columns", "format"];
const EVENTS: [&str; 6] = ["start", "end", "exchange", "kind", "limit", "order"];
const STOCK_EVENTS: [&str; 5] = ["start", "end", "kind", "limit", "order"];

proptest! {
    #[test]
    fn a_cache_key_holds_the_canonical_url_of_the_query(
        bars in pairs(&BARS),
        many in pairs(&MANY),
        day in pairs(&DAY),
        events in pairs(&EVENTS),
        stock_events in pairs(&STOCK_EVENTS),
        chart in pairs(&["start", "end", "adjust"]),
    ) {
        assert_canonical::<PricesQuery>(&bars, Some("2012-05-01"))?;
        assert_canonical::<ManyQuery>(&many, Some("BRK.B/2012-05-01"))?;
        assert_canonical::<DayQuery>(&day, Some("BRK.B"))?;
        assert_canonical::<EventsQuery>(&events, Some("2012-05-01/-7/split"))?;
        assert_canonical::<StockEventsQuery>(&stock_events, Some("2012-05-01/7/dividend"))?;
        assert_canonical::<ChartQuery>(&chart, None)?;
    }

    #[test]
    fn queries_that_differ_in_one_parameter_have_different_keys(
        bars in pairs(&BARS),
        change in pairs(&BARS),
    ) {
        let Some(change) = change.into_iter().next() else { return Ok(()) };
        let mut other: Pairs = bars.iter().filter(|(name, _)| *name != change.0).cloned().collect();
        other.push(change);
        let keys = [&bars, &other].map(|pairs| key::<PricesQuery>(&encoded(pairs)));
        if let [Ok(key), Ok(other_key)] = keys {
            let are_equal = with_defaults(&bars) == with_defaults(&other);
            prop_assert_eq!(key == other_key, are_equal, "{} {}", key, other_key);
        }
    }

    #[test]
    fn any_query_is_parsed_or_rejected_without_a_panic(
        query in "[A-Za-z0-9=&%+,.:;/_~-]{0,60}",
        name in select(MANY.to_vec()),
        value in "[A-Za-z0-9=%+,.:;/_~-]{0,30}",
    ) {
        for query in [query, format!("start=2012-01-01&symbols=A&{name}={value}")] {
            if !matches!(key_in(&query), Ok(None)) {
                continue;
            }
            let results = [
                key::<PricesQuery>(&query),
                key::<ManyQuery>(&query),
                key::<DayQuery>(&query),
                key::<ChartQuery>(&query),
                key::<EventsQuery>(&query),
            ];
            for result in results {
                let explains = |problem: &String| problem.len() > 10;
                prop_assert!(result.as_ref().err().is_none_or(explains), "{result:?}");
            }
        }
    }

    #[test]
    fn words_of_the_reference_are_accepted_and_no_others(text in "[a-z0-9]{0,8}|[A-Z]{3,4}") {
        let known = [
            "desc", "asc", "none", "splits", "all", "1d", "1w", "1mo", "1y", "json", "csv",
            "ndjson", "split", "dividend",
        ];
        for text in [text.as_str()].into_iter().chain(known) {
            let parsed = [
                (Order::WORDS.contains(&text), text.parse().ok().map(Order::as_str)),
                (Adjust::WORDS.contains(&text), text.parse().ok().map(Adjust::as_str)),
                (Interval::WORDS.contains(&text), text.parse().ok().map(Interval::as_str)),
                (Format::WORDS.contains(&text), text.parse().ok().map(Format::as_str)),
                (EventKind::WORDS.contains(&text), text.parse().ok().map(EventKind::as_str)),
            ];
            for (is_word, parsed) in parsed {
                prop_assert_eq!(parsed, is_word.then_some(text));
            }
        }
    }
}
