//! Lists that are the caller's own.

use utoipa::openapi::HttpMethod;

use super::{JSON, read};
use crate::http::api::watchlists::write::{WatchlistBody, WatchlistChangeBody};
use crate::http::api::watchlists::{WatchlistQuotes, Watchlists};
use crate::http::reference::answers::OF_NEW;
use crate::http::reference::operation::{Follow, Good, Operation};
use crate::http::reference::schema::{Body, json, sent};
use crate::route::Route;
use crate::store::Watchlist;

const TAG: &str = "Watchlists";
const OF_A_LIST: &[Follow] = &[
    Follow { name: "get", to: "getWatchlist", with: &[("id", "$response.body#/id")] },
    Follow { name: "change", to: "changeWatchlist", with: &[("id", "$response.body#/id")] },
    Follow { name: "quotes", to: "listWatchlistQuotes", with: &[("id", "$response.body#/id")] },
    Follow { name: "delete", to: "deleteWatchlist", with: &[("id", "$response.body#/id")] },
];

pub fn operations() -> Vec<Operation> {
    vec![list(), create(), show(), change(), delete(), quotes()]
}

/// Lists are what they are now: nothing of them is kept.
fn answered(status: u16, body: Body, example: &'static str) -> Vec<Good> {
    let headers = if status == 201 { OF_NEW } else { &[] };
    vec![Good { status, example: Some(example), headers, ..Good::ok(vec![(JSON, body)]) }]
}

fn list() -> Operation {
    let example = include_str!("../examples/listWatchlists.json");
    Operation {
        answers: answered(200, json::<Watchlists>(), example),
        follow: &[Follow {
            name: "get",
            to: "getWatchlist",
            with: &[("id", "$response.body#/watchlists/0/id")],
        }],
        ..read::<Watchlists>(
            "listWatchlists",
            Route::Watchlists,
            TAG,
            "Your watchlists, oldest first",
            example,
        )
    }
}

fn create() -> Operation {
    let example = include_str!("../examples/createWatchlist.json");
    let body = "{\"name\":\"Tech\",\"symbols\":[\"AAPL\",\"MSFT\"]}";
    Operation {
        method: HttpMethod::Post,
        sent: Some((Body::Json(sent::<WatchlistBody>()), body)),
        answers: answered(201, json::<Watchlist>(), example),
        problems: &["watchlist_exists", "too_many_watchlists"],
        follow: OF_A_LIST,
        ..read::<Watchlist>("createWatchlist", Route::Watchlists, TAG, "A new watchlist", example)
    }
}

fn show() -> Operation {
    let example = include_str!("../examples/getWatchlist.json");
    Operation {
        answers: answered(200, json::<Watchlist>(), example),
        problems: &["unknown_watchlist"],
        ..read::<Watchlist>("getWatchlist", Route::Watchlist, TAG, "A watchlist", example)
    }
}

fn change() -> Operation {
    let example = include_str!("../examples/changeWatchlist.json");
    Operation {
        method: HttpMethod::Patch,
        sent: Some((
            Body::Json(sent::<WatchlistChangeBody>()),
            "{\"add\":[\"IBM\"],\"remove\":[\"MSFT\"]}",
        )),
        answers: answered(200, json::<Watchlist>(), example),
        problems: &["unknown_watchlist", "watchlist_exists"],
        ..read::<Watchlist>(
            "changeWatchlist",
            Route::Watchlist,
            TAG,
            "Another name, other stocks",
            example,
        )
    }
}

fn delete() -> Operation {
    Operation {
        method: HttpMethod::Delete,
        answers: vec![Good { status: 204, about: "It is gone", ..Good::ok(Vec::new()) }],
        problems: &["unknown_watchlist"],
        ..read::<Watchlist>("deleteWatchlist", Route::Watchlist, TAG, "Away with a watchlist", "")
    }
}

fn quotes() -> Operation {
    let example = include_str!("../examples/listWatchlistQuotes.json");
    Operation {
        about: "Counts as 5 requests.",
        answers: answered(200, json::<WatchlistQuotes>(), example),
        problems: &["unknown_watchlist", "too_heavy"],
        ..read::<WatchlistQuotes>(
            "listWatchlistQuotes",
            Route::WatchlistQuotes,
            TAG,
            "Where its stocks stand",
            example,
        )
    }
}
