//! How many requests a request counts as: what it costs to answer, known before it is read.

use std::borrow::Cow;

use crate::http::api::prices::day::LIMIT;
use crate::http::api::prices::many::SYMBOLS_MAX;
use crate::route::Route;

/// Bars that count as one request, in an answer that holds those of all stocks.
const BARS_PER_REQUEST: u32 = 100;
/// However few bars are asked for: a day that few stocks have prices of, or none, is looked for in
/// all of them.
const DAY_MIN: u32 = 10;
/// The quotes of a list are one statement for up to 100 stocks.
const LIST_OF_QUOTES: u32 = 5;

/// What a request counts as, at least 1. What can't be read counts as 1: it is refused further in.
pub fn cost(route: Route, query: &str) -> u32 {
    match route {
        // One for each symbol.
        Route::PricesOfMany => {
            let symbols = first(query, "symbols").map_or(1, |symbols| symbols.split(',').count());
            if symbols <= SYMBOLS_MAX { symbols as u32 } else { 1 }
        }
        // One for each started hundred of the bars asked for, and no less than the look for them
        // costs.
        Route::PricesOfDay => {
            let bars =
                first(query, "limit").map_or(Some(LIMIT.default), |limit| LIMIT.read(&limit));
            bars.map_or(1, |bars| bars.div_ceil(BARS_PER_REQUEST).max(DAY_MIN))
        }
        Route::WatchlistQuotes => LIST_OF_QUOTES,
        _ => 1,
    }
}

/// The value of a parameter. Given twice, it is refused further in.
fn first<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(given, _)| given == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn many_stocks_count_as_many_requests() {
        let [most, too_many] = [100, 101].map(|count| vec!["A"; count].join(","));
        for (query, counts_as) in [
            ("symbols=AAPL", 1),
            ("symbols=AAPL,MSFT,IBM", 3),
            ("symbols=AAPL%2CMSFT%2cIBM&start=2012-01-01", 3),
            ("start=2012-01-01&s%79mbols=AAPL,MSFT", 2),
            (&format!("symbols={most}"), 100),
            (&format!("symbols={too_many}"), 1),
            ("", 1),
            ("symbols=", 1),
            ("symbol=A,B,C", 1),
        ] {
            assert_eq!(cost(Route::PricesOfMany, query), counts_as, "{query}");
        }
    }

    #[test]
    fn a_day_of_all_stocks_counts_by_the_started_hundred_and_as_10_at_least() {
        for (query, counts_as) in [
            ("", 10),
            ("exchange=NYSE", 10),
            ("limit=1", 10),
            ("limit=100", 10),
            ("limit=1001", 11),
            ("limit=10000", 100),
            ("limit=%31000", 10),
            ("limit=10001", 1),
            ("limit=0", 1),
            ("limit=%2B5", 1),
            ("limit=-1", 1),
            ("limit=", 1),
            ("limit=many", 1),
        ] {
            assert_eq!(cost(Route::PricesOfDay, query), counts_as, "{query}");
        }
    }

    #[test]
    fn a_list_of_quotes_counts_as_five_and_all_else_as_one() {
        for route in Route::ALL {
            let counts_as = match route {
                Route::WatchlistQuotes => 5,
                Route::PricesOfMany => 2,
                Route::PricesOfDay => 10,
                _ => 1,
            };
            assert_eq!(cost(route, "symbols=A,B&limit=1"), counts_as, "{route:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_counts_as_1_to_100(query in ".{0,300}", at in 0..Route::ALL.len()) {
            prop_assert!((1..=100).contains(&cost(Route::ALL[at], &query)));
        }
    }
}
