//! Every operation, one after the other: what the code does not say by itself.

use std::iter::Empty;

use utoipa::openapi::HttpMethod;

use super::operation::{Follow, Good, Operation};
use super::schema::{Body, json};
use crate::http::{health, prices, quote, stocks, usage};
use crate::market::Bar;
use crate::route::Route;

/// What leads from a stock to what there is of it.
const OF_A_STOCK: &[Follow] = &[
    Follow { name: "prices", to: "listPrices", with: &[("symbol", "$response.body#/stock/id")] },
    Follow { name: "quote", to: "getQuote", with: &[("symbol", "$response.body#/stock/id")] },
];

pub fn operations() -> Vec<Operation> {
    [of_stocks(), of_prices(), of_keys(), of_this_server()].into_iter().flatten().collect()
}

/// GET with a key, answered from the cache.
fn kept(id: &'static str, route: Route, tag: &'static str, summary: &'static str, body: Body, example: &'static str) -> Operation {
    let answer = Good {
        status: 200,
        about: summary,
        bodies: vec![("application/json", body)],
        example: Some(example),
        kept: true,
        paged: false,
    };
    Operation {
        id,
        method: HttpMethod::Get,
        path: route.pattern(),
        tag,
        summary,
        about: "",
        needs_a_key: true,
        parameters: &[],
        sent: None,
        answers: vec![answer],
        problems: &[],
        follow: &[],
        example: &[],
    }
}

/// GET that asks for no key.
fn open(id: &'static str, path: &'static str, summary: &'static str, media: &'static str, body: Body) -> Operation {
    let about = summary;
    let answer = Good { status: 200, about, bodies: vec![(media, body)], example: None, kept: false, paged: false };
    Operation {
        path,
        needs_a_key: false,
        answers: vec![answer],
        ..kept(id, Route::Other, "This server", summary, Body::Text(""), "")
    }
}

fn of_stocks() -> Vec<Operation> {
    let list = kept(
        "listStocks",
        Route::Stocks,
        "Stocks",
        "Stocks, by symbol",
        json::<stocks::List>(),
        include_str!("examples/listStocks.json"),
    );
    let get = kept(
        "getStock",
        Route::Stock,
        "Stocks",
        "One stock",
        json::<stocks::Single>(),
        include_str!("examples/getStock.json"),
    );
    vec![
        Operation {
            parameters: stocks::LIST_PARAMETERS,
            follow: &[Follow { name: "stock", to: "getStock", with: &[("symbol", "$response.body#/stocks/0/id")] }],
            example: &[("exchange", "NYSE")],
            ..list
        },
        Operation { problems: &["unknown_symbol"], follow: OF_A_STOCK, example: &[("symbol", "AAPL")], ..get },
    ]
}

fn of_prices() -> Vec<Operation> {
    let list = kept(
        "listPrices",
        Route::Prices,
        "Prices",
        "Daily bars of a stock, newest first",
        json::<prices::Prices<'static, Empty<Bar>>>(),
        include_str!("examples/listPrices.json"),
    );
    let quote = kept(
        "getQuote",
        Route::Quote,
        "Prices",
        "The latest bar of a stock, and how it compares with the one before",
        json::<quote::QuoteAnswer<'static>>(),
        include_str!("examples/getQuote.json"),
    );
    vec![
        Operation {
            parameters: prices::PARAMETERS,
            problems: &["missing_parameter", "unknown_symbol", "no_data"],
            example: &[("symbol", "AAPL"), ("start", "2012-12-27"), ("end", "2012-12-31")],
            ..list
        },
        Operation { problems: &["unknown_symbol", "no_data"], example: &[("symbol", "MSFT")], ..quote },
    ]
}

fn of_keys() -> Vec<Operation> {
    let example = include_str!("examples/getUsage.json");
    let body = json::<usage::Used<'static>>();
    let used = kept("getUsage", Route::Usage, "Your key", "What your key used, newest day first", body, example);
    let answers = used.answers.into_iter().map(|answer| Good { kept: false, ..answer }).collect();
    let about = "Up to 10 s behind. At most 366 days.";
    vec![Operation { about, parameters: usage::PARAMETERS, answers, ..used }]
}

fn of_this_server() -> Vec<Operation> {
    let html = |about| Body::Text(about);
    let alive = json::<health::Alive>();
    let mut ready = open("getReadiness", "/health/ready", "What this server stands on", "application/json", json::<health::Readiness>());
    let unready = Good {
        status: 503,
        about: "Postgres or its tables are not there",
        bodies: vec![("application/json", json::<health::Readiness>())],
        example: None,
        kept: false,
        paged: false,
    };
    ready.answers.push(unready);
    let file = open("getAsset", Route::Asset.pattern(), "A part of a page", "*/*", html("A file"));
    vec![
        open("getHealth", Route::Health.pattern(), "Whether this server lives", "application/json", alive),
        ready,
        open("getPage", Route::Page.pattern(), "The page for people", "text/html", html("A page")),
        open("getReference", Route::Reference.pattern(), "This reference, to read and try", "text/html", html("A page")),
        open("getOpenApi", Route::OpenApi.pattern(), "This document", "application/json", html("OpenAPI 3.1")),
        Operation { problems: &["not_found"], ..file },
    ]
}
