//! Bars, and what is made of them.

use super::{read, read_rows};
use crate::http::api::chart;
use crate::http::api::prices::day::{self, Day};
use crate::http::api::prices::many::{self, Many};
use crate::http::api::prices::{self, Prices};
use crate::http::api::quote::QuoteAnswer;
use crate::http::reference::answers::OF_MANY;
use crate::http::reference::operation::{Follow, Good, Operation};
use crate::http::reference::schema::Body;
use crate::route::Route;

const PAGES: &str = "A page of JSON says in `next` where the next one is, and so does `Link`. CSV and NDJSON hold the whole \
    range where no `limit` is given, streamed.";

const PAGES_OF_MANY: &str = "Each symbol counts as a request. A page of JSON says in `next` where the next one is, and so \
    does `Link`. CSV and NDJSON hold the whole range where no `limit` is given, streamed.";

pub fn operations() -> Vec<Operation> {
    vec![of_one(), of_many(), of_a_day(), quote(), chart()]
}

fn of_one() -> Operation {
    let example = include_str!("../examples/listPrices.json");
    Operation {
        about: PAGES,
        parameters: prices::PARAMETERS,
        problems: &["missing_parameter", "unknown_symbol", "no_data", "restated"],
        follow: &[Follow {
            name: "quote",
            to: "getQuote",
            with: &[("symbol", "$response.body#/symbol")],
        }],
        example: &[("symbol", "AAPL"), ("start", "2012-12-27"), ("end", "2012-12-31")],
        ..read_rows::<Prices<'static>>("listPrices", Route::Prices, "Bars of a stock", example)
    }
}

fn of_many() -> Operation {
    let example = include_str!("../examples/listPricesOfMany.json");
    let mut rows = read_rows::<Many<'static>>(
        "listPricesOfMany",
        Route::PricesOfMany,
        "Bars of several stocks",
        example,
    );
    rows.answers.iter_mut().for_each(|answer| answer.headers = OF_MANY);
    Operation {
        about: PAGES_OF_MANY,
        parameters: many::PARAMETERS,
        problems: &["missing_parameter", "too_heavy", "restated"],
        example: &[("symbols", "AAPL,MSFT"), ("start", "2012-12-31"), ("end", "2012-12-31")],
        ..rows
    }
}

fn of_a_day() -> Operation {
    let example = include_str!("../examples/listPricesOfDay.json");
    Operation {
        about: "Each started 100 of `limit` counts as a request, at least 10.",
        parameters: day::PARAMETERS,
        problems: &["no_data", "too_heavy"],
        example: &[("date", "2012-12-31"), ("limit", "2")],
        ..read_rows::<Day<'static>>(
            "listPricesOfDay",
            Route::PricesOfDay,
            "The whole market on one day",
            example,
        )
    }
}

fn quote() -> Operation {
    let example = include_str!("../examples/getQuote.json");
    let summary = "The latest bar of a stock, and how it compares with the one before";
    Operation {
        problems: &["unknown_symbol", "no_data"],
        example: &[("symbol", "MSFT")],
        ..read::<QuoteAnswer>("getQuote", Route::Quote, "Prices", summary, example)
    }
}

fn chart() -> Operation {
    let summary = "A picture of closes and volumes";
    let picture = Good {
        kept: true,
        ..Good::ok(vec![("image/svg+xml", Body::Text("An SVG of at most 60 KB"))])
    };
    Operation {
        parameters: chart::PARAMETERS,
        answers: vec![picture],
        problems: &["unknown_symbol", "no_data"],
        example: &[("symbol", "AAPL")],
        ..read::<QuoteAnswer>("getChart", Route::Chart, "Prices", summary, "")
    }
}
