//! The cost of a request: the number of requests that it counts as.
//!
//! It follows from the route and the raw query, so the limiter knows it before the request is
//! parsed. A query that can't be read costs 1, because its handler rejects it.

use std::borrow::Cow;

use super::parameter::Whole;
use crate::route::Route;

/// Symbols in one request for the prices of several stocks. Each has a cost of 1.
pub const SYMBOLS_MAX: usize = 100;
/// The `limit` of a request for one day of all stocks.
pub const DAY_LIMIT: Whole = Whole { min: 1, max: 10_000, default: 1000 };

/// The `offset` of a list of stocks. The maximum exceeds the number of stocks of any market.
pub const STOCKS_OFFSET: Whole = Whole { min: 0, max: 10_000_000, default: 0 };

/// The stocks that a list may skip without another cost.
const SKIPPED_PER_COST: u32 = 10_000;
/// The first `offset` that makes a search cost more: two pages of the default size are before it.
const SEARCH_OFFSET_DEEP: u32 = 100;
/// The cost of a page deep in a search, which ranks all matches again.
const DEEP_SEARCH_COST: u32 = 10;
/// The highest cost of any request.
const COST_MAX: u32 = 100;

/// The bars of one day that have a cost of 1.
const BARS_PER_COST: u32 = 100;
/// The lowest cost of a day: all stocks are searched, even if few have prices on that day.
const DAY_COST_MIN: u32 = 10;
/// The cost of the quotes of a watchlist: one statement for up to 100 stocks.
const WATCHLIST_QUOTES_COST: u32 = 5;

/// The cost of a request, from 1 to 100.
pub fn cost(route: Route, query: &str) -> u32 {
    match route {
        Route::PricesOfMany => {
            let lists = form_urlencoded::parse(query.as_bytes());
            let lists = lists.filter(|(given, _)| given == "symbols");
            let symbols: usize = lists.map(|(_, symbols)| symbols.split(',').count()).sum();
            if symbols <= SYMBOLS_MAX { symbols.max(1) as u32 } else { 1 }
        }
        Route::PricesOfDay => {
            let limit = first(query, "limit");
            let bars = limit.map_or(Some(DAY_LIMIT.default), |limit| DAY_LIMIT.read(&limit));
            bars.map_or(1, |bars| bars.div_ceil(BARS_PER_COST).max(DAY_COST_MIN))
        }
        Route::Stocks => {
            let offset = first(query, "offset").and_then(|offset| STOCKS_OFFSET.read(&offset));
            match offset.unwrap_or(STOCKS_OFFSET.default) {
                deep if deep >= SEARCH_OFFSET_DEEP && first(query, "q").is_some() => {
                    DEEP_SEARCH_COST
                }
                offset => (1 + offset / SKIPPED_PER_COST).min(COST_MAX),
            }
        }
        Route::WatchlistQuotes => WATCHLIST_QUOTES_COST,
        _ => 1,
    }
}

/// The value of a parameter. If it is given twice, the handler rejects the request.
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
    fn each_symbol_costs_one() {
        let [most, too_many] = [100, 101].map(|count| vec!["A"; count].join(","));
        for (query, expected) in [
            ("symbols=AAPL", 1),
            ("symbols=AAPL,MSFT,IBM", 3),
            ("symbols=AAPL&symbols=MSFT&start=2012-01-01&s%79mbols=IBM,FB", 4),
            ("symbols=AAPL%2CMSFT%2cIBM&start=2012-01-01", 3),
            ("start=2012-01-01&s%79mbols=AAPL,MSFT", 2),
            (&format!("symbols={most}"), 100),
            (&format!("symbols={too_many}"), 1),
            ("", 1),
            ("symbols=", 1),
            ("symbol=A,B,C", 1),
        ] {
            assert_eq!(cost(Route::PricesOfMany, query), expected, "{query}");
        }
    }

    #[test]
    fn a_day_costs_one_per_started_hundred_bars_and_at_least_ten() {
        for (query, expected) in [
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
            assert_eq!(cost(Route::PricesOfDay, query), expected, "{query}");
        }
    }

    #[test]
    fn the_first_pages_of_stocks_cost_one_and_deep_ones_more() {
        for (query, expected) in [
            ("", 1),
            ("q=Inc", 1),
            ("q=Inc&offset=99", 1),
            ("q=Inc&offset=100", 10),
            ("offset=%31000&q=", 10),
            ("offset=9999", 1),
            ("offset=10000", 2),
            ("offset=10000000", 100),
            ("q=Inc&offset=10000001", 1),
            ("q=Inc&offset=-100", 1),
        ] {
            assert_eq!(cost(Route::Stocks, query), expected, "{query}");
        }
    }

    #[test]
    fn the_quotes_of_a_watchlist_cost_five_and_other_routes_one() {
        for route in Route::ALL {
            let expected = match route {
                Route::WatchlistQuotes => 5,
                Route::PricesOfMany => 2,
                Route::PricesOfDay => 10,
                _ => 1,
            };
            assert_eq!(cost(route, "symbols=A,B&limit=1"), expected, "{route:?}");
        }
    }

    proptest! {
        #[test]
        fn every_query_costs_from_1_to_100(query in ".{0,300}", at in 0..Route::ALL.len()) {
            prop_assert!((1..=100).contains(&cost(Route::ALL[at], &query)));
        }
    }
}
