//! The watchlists of the key's owner, and the usage of the key.

use utoipa::openapi::HttpMethod;

use super::{JSON, read};
use crate::http::api::usage::{PARAMETERS, UsageReport};
use crate::http::api::watchlists::write::{WatchlistBody, WatchlistChangeBody};
use crate::http::api::watchlists::{Watchlist, WatchlistQuotes, Watchlists};
use crate::http::reference::operation::{Operation, OperationLink, Success};
use crate::http::reference::responses::CREATED;
use crate::http::reference::schema::{BodySchema, json, of_request};
use crate::route::Route;

const WATCHLISTS: &str = "Watchlists";
/// Links from a watchlist to what can be done with it.
const WATCHLIST_LINKS: &[OperationLink] = &[
    OperationLink {
        name: "get",
        operation: "getWatchlist",
        parameters: &[("id", "$response.body#/id")],
    },
    OperationLink {
        name: "change",
        operation: "changeWatchlist",
        parameters: &[("id", "$response.body#/id")],
    },
    OperationLink {
        name: "quotes",
        operation: "listWatchlistQuotes",
        parameters: &[("id", "$response.body#/id")],
    },
    OperationLink {
        name: "delete",
        operation: "deleteWatchlist",
        parameters: &[("id", "$response.body#/id")],
    },
];

pub fn operations() -> Vec<Operation> {
    vec![
        list_watchlists(),
        create_watchlist(),
        get_watchlist(),
        change_watchlist(),
        delete_watchlist(),
        list_watchlist_quotes(),
        get_usage(),
    ]
}

/// A JSON response that is not cached.
fn uncached(status: u16, body: BodySchema, example: &'static str) -> Vec<Success> {
    let headers = if status == 201 { CREATED } else { &[] };
    vec![Success { status, example: Some(example), headers, ..Success::ok(vec![(JSON, body)]) }]
}

fn list_watchlists() -> Operation {
    let example = include_str!("../examples/listWatchlists.json");
    let summary = "List watchlists, oldest first";
    Operation {
        responses: uncached(200, json::<Watchlists>(), example),
        links: &[OperationLink {
            name: "get",
            operation: "getWatchlist",
            parameters: &[("id", "$response.body#/watchlists/0/id")],
        }],
        ..read::<Watchlists>("listWatchlists", Route::Watchlists, WATCHLISTS, summary, example)
    }
}

fn create_watchlist() -> Operation {
    let example = include_str!("../examples/createWatchlist.json");
    let body = "{\"name\":\"Tech\",\"symbols\":[\"AAPL\",\"MSFT\"]}";
    let summary = "Create a watchlist";
    Operation {
        method: HttpMethod::Post,
        request_body: Some((BodySchema::Json(of_request::<WatchlistBody>()), body)),
        responses: uncached(201, json::<Watchlist>(), example),
        problems: &["watchlist_exists", "too_many_watchlists"],
        links: WATCHLIST_LINKS,
        ..read::<Watchlist>("createWatchlist", Route::Watchlists, WATCHLISTS, summary, example)
    }
}

fn get_watchlist() -> Operation {
    let example = include_str!("../examples/getWatchlist.json");
    let summary = "Get a watchlist";
    Operation {
        responses: uncached(200, json::<Watchlist>(), example),
        problems: &["unknown_watchlist"],
        ..read::<Watchlist>("getWatchlist", Route::Watchlist, WATCHLISTS, summary, example)
    }
}

fn change_watchlist() -> Operation {
    let example = include_str!("../examples/changeWatchlist.json");
    let body = "{\"add\":[\"IBM\"],\"remove\":[\"MSFT\"]}";
    let summary = "Update a watchlist";
    Operation {
        method: HttpMethod::Patch,
        request_body: Some((BodySchema::Json(of_request::<WatchlistChangeBody>()), body)),
        responses: uncached(200, json::<Watchlist>(), example),
        problems: &["unknown_watchlist", "watchlist_exists"],
        ..read::<Watchlist>("changeWatchlist", Route::Watchlist, WATCHLISTS, summary, example)
    }
}

fn delete_watchlist() -> Operation {
    let description = "The watchlist is deleted";
    let summary = "Delete a watchlist";
    Operation {
        method: HttpMethod::Delete,
        responses: vec![Success { status: 204, description, ..Success::ok(Vec::new()) }],
        problems: &["unknown_watchlist"],
        ..read::<Watchlist>("deleteWatchlist", Route::Watchlist, WATCHLISTS, summary, "")
    }
}

fn list_watchlist_quotes() -> Operation {
    let example = include_str!("../examples/listWatchlistQuotes.json");
    Operation {
        description: "The cost is 5 requests.",
        responses: uncached(200, json::<WatchlistQuotes>(), example),
        problems: &["unknown_watchlist", "too_heavy"],
        ..read::<WatchlistQuotes>(
            "listWatchlistQuotes",
            Route::WatchlistQuotes,
            WATCHLISTS,
            "List the quotes of a watchlist",
            example,
        )
    }
}

fn get_usage() -> Operation {
    let example = include_str!("../examples/getUsage.json");
    let summary = "Get the usage of your key, newest day first";
    Operation {
        description: "The usage is up to 10 s behind. A range has at most 366 days.",
        parameters: PARAMETERS,
        responses: uncached(200, json::<UsageReport<'static>>(), example),
        example: &[("start", "2026-11-01"), ("end", "2026-11-30")],
        ..read::<UsageReport<'static>>("getUsage", Route::Usage, "Your key", summary, example)
    }
}
