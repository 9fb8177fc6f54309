//! What is asked of prices, however it is written: one URL for all ways, which asks the same.

use actix_web::test::TestRequest;
use form_urlencoded::Serializer;
use proptest::prelude::*;
use proptest::sample::select;

use super::PricesQuery;
use super::columns::Column;
use super::day::DayQuery;
use super::many::ManyQuery;
use crate::http::api::chart::ChartQuery;
use crate::http::api::events::{EventsQuery, StockEventsQuery};
use crate::http::request::cacheable_query::CacheableQuery;
use crate::http::request::query::key_in;
use crate::http::respond::format::Format;
use crate::http::respond::paging::url_after;
use crate::market::{Adjust, EventKind, Interval, Order};

type Pairs = Vec<(&'static str, String)>;

fn key<Q: CacheableQuery>(query: &str) -> Result<String, String> {
    let request = TestRequest::with_uri(&format!("/?{query}"))
        .param("symbol", "brk.b")
        .param("date", "2012-05-01");
    Q::parse(&request.to_http_request())
        .map(|query| query.canonical(7))
        .map_err(|problem| problem.to_string())
}

fn written(pairs: &Pairs) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn words(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

fn date() -> impl Strategy<Value = String> {
    (0i32..3_652_059)
        .prop_map(|days| chrono::NaiveDate::from_num_days_from_ce_opt(days).unwrap().to_string())
}

/// Some parameters, in any order, nearly all with values that they take.
fn pairs(names: &'static [&'static str]) -> impl Strategy<Value = Pairs> {
    let value = |name: &'static str| {
        let value = match name {
            "start" | "end" => date().boxed(),
            "order" => words(&Order::WORDS).boxed(),
            "adjust" => words(&Adjust::WORDS).boxed(),
            "interval" => words(&Interval::WORDS).boxed(),
            "format" => words(&Format::WORDS).boxed(),
            "kind" => words(&EventKind::WORDS).boxed(),
            "columns" => prop::sample::subsequence(Column::NAMES.to_vec(), 1..9)
                .prop_shuffle()
                .prop_map(|of| of.join(","))
                .boxed(),
            "symbols" => prop::collection::vec("[A-Za-z][A-Za-z0-9.-]{0,4}", 1..5)
                .prop_map(|of| of.join(", "))
                .boxed(),
            "exchange" => "[ -~]{1,9}|[^\\x00]{1,9}".boxed(),
            _ => (1u32..1100).prop_map(|limit| limit.to_string()).boxed(),
        };
        prop::option::weighted(0.7, value).prop_map(move |value| value.map(|value| (name, value)))
    };
    names
        .iter()
        .map(|name| value(name))
        .collect::<Vec<_>>()
        .prop_map(|pairs| pairs.into_iter().flatten().collect::<Vec<_>>())
        .prop_shuffle()
}

/// Whatever is taken writes itself as a URL that asks the same, in whichever order it was written;
/// the refusal says why.
fn holds<Q: CacheableQuery>(pairs: &Pairs, pages_of: Option<&str>) -> Result<(), TestCaseError> {
    let mut backwards = pairs.clone();
    backwards.reverse();
    let given = key::<Q>(&written(pairs));
    let key_given = match given {
        Ok(key) => key,
        Err(problem) => {
            prop_assert!(
                problem.contains("expected") || problem.contains("is after end"),
                "{problem}"
            );
            return Ok(());
        }
    };
    prop_assert_eq!(Ok(key_given.clone()), key::<Q>(&written(&backwards)));
    let Some(row) = pages_of else { return Ok(()) };
    let url = key_given.strip_prefix("v7").unwrap().to_owned();
    for url in [url.clone(), url_after(url, row)] {
        let again = key::<Q>(url.split_once('?').unwrap().1);
        prop_assert_eq!(again, Ok(format!("v7{url}")));
    }
    Ok(())
}

const BARS: [&str; 8] =
    ["start", "end", "order", "limit", "adjust", "interval", "columns", "format"];
const SEVERAL: [&str; 9] =
    ["symbols", "start", "end", "order", "limit", "adjust", "interval", "columns", "format"];
const DAY: [&str; 4] = ["exchange", "limit", "columns", "format"];
const EVENTS: [&str; 6] = ["start", "end", "exchange", "kind", "limit", "order"];
const OF_STOCK: [&str; 5] = ["start", "end", "kind", "limit", "order"];

proptest! {
    #[test]
    fn a_question_writes_itself_as_the_url_that_asks_it(
        bars in pairs(&BARS), several in pairs(&SEVERAL), day in pairs(&DAY), events in pairs(&EVENTS), of_stock in pairs(&OF_STOCK),
        chart in pairs(&["start", "end", "adjust"])
    ) {
        holds::<PricesQuery>(&bars, Some("2012-05-01"))?;
        holds::<ManyQuery>(&several, Some("BRK.B/2012-05-01"))?;
        holds::<DayQuery>(&day, Some("BRK.B"))?;
        holds::<EventsQuery>(&events, Some("2012-05-01/-7/split"))?;
        holds::<StockEventsQuery>(&of_stock, Some("2012-05-01/7/dividend"))?;
        holds::<ChartQuery>(&chart, None)?;
    }

    #[test]
    fn questions_that_differ_in_one_parameter_have_different_keys(bars in pairs(&BARS), change in pairs(&BARS)) {
        let Some(change) = change.into_iter().next() else { return Ok(()) };
        let mut other: Pairs = bars.iter().filter(|(name, _)| *name != change.0).cloned().collect();
        other.push(change);
        // What is as usual may be left out.
        let usual = |pairs: &Pairs| {
            let mut pairs: Pairs = pairs.clone();
            let value = |name: &str, pairs: &Pairs| pairs.iter().find(|(given, _)| *given == name).map(|(_, value)| value.clone());
            let periods = value("interval", &pairs).is_some_and(|interval| interval != "1d");
            let limit = if value("format", &pairs).is_none_or(|format| format == "json") { "100" } else { "all" };
            let columns = ["date,open,high,low,close,adjustedClose,volume", ",unfinished"];
            let columns = if periods { columns.concat() } else { columns[0].to_owned() };
            for (name, value) in [("order", "desc"), ("adjust", "none"), ("interval", "1d"), ("format", "json"), ("limit", limit), ("columns", &columns)] {
                if pairs.iter().all(|(given, _)| *given != name) {
                    pairs.push((name, value.to_owned()));
                }
            }
            pairs.sort();
            pairs
        };
        if let (Ok(a), Ok(b)) = (key::<PricesQuery>(&written(&bars)), key::<PricesQuery>(&written(&other))) {
            prop_assert_eq!(a == b, usual(&bars) == usual(&other), "{} {}", a, b);
        }
    }

    #[test]
    fn any_query_is_read_or_refused_without_a_panic(query in "[A-Za-z0-9=&%+,.:;/_~-]{0,60}", name in select(SEVERAL.to_vec()), value in "[A-Za-z0-9=%+,.:;/_~-]{0,30}") {
        for query in [query, format!("start=2012-01-01&symbols=A&{name}={value}")] {
            if !matches!(key_in(&query), Ok(None)) {
                continue;
            }
            for asked in [key::<PricesQuery>(&query), key::<ManyQuery>(&query), key::<DayQuery>(&query), key::<ChartQuery>(&query), key::<EventsQuery>(&query)] {
                prop_assert!(asked.is_ok() || asked.as_ref().is_err_and(|problem| problem.len() > 10), "{asked:?}");
            }
        }
    }

    #[test]
    fn of_words_those_that_the_reference_names_are_taken_and_no_others(text in "[a-z0-9]{0,8}|[A-Z]{3,4}") {
        for text in [text.as_str(), "desc", "asc", "none", "splits", "all", "1d", "1w", "1mo", "1y", "json", "csv", "ndjson", "split", "dividend"] {
            let found = [
                (Order::WORDS.contains(&text), text.parse().ok().map(Order::as_str)),
                (Adjust::WORDS.contains(&text), text.parse().ok().map(Adjust::as_str)),
                (Interval::WORDS.contains(&text), text.parse().ok().map(Interval::as_str)),
                (Format::WORDS.contains(&text), text.parse().ok().map(Format::as_str)),
                (EventKind::WORDS.contains(&text), text.parse().ok().map(EventKind::as_str)),
            ];
            for (is_word, read) in found {
                prop_assert_eq!(read, is_word.then_some(text));
            }
        }
    }
}
