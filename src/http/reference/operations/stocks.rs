//! Stocks, their bars, quotes and charts.

use super::{read, read_rows};
use crate::http::api::chart;
use crate::http::api::prices::day::{self, MarketDay};
use crate::http::api::prices::many::{self, MultiStockPrices};
use crate::http::api::prices::{self, Prices};
use crate::http::api::quote::{self, QuoteAnswer};
use crate::http::api::revisions::{self, StockRevisions};
use crate::http::api::stocks::{self, SingleStock, StockList};
use crate::http::reference::operation::{Operation, OperationLink, Success};
use crate::http::reference::responses::MULTI_STOCK;
use crate::http::reference::schema::BodySchema;
use crate::route::Route;

/// Links from a stock to its data.
const STOCK_LINKS: &[OperationLink] = &[
    OperationLink {
        name: "prices",
        operation: "listPrices",
        parameters: &[("symbol", "$response.body#/stock/id")],
    },
    OperationLink {
        name: "events",
        operation: "listStockEvents",
        parameters: &[("symbol", "$response.body#/stock/id")],
    },
    OperationLink {
        name: "quote",
        operation: "getQuote",
        parameters: &[("symbol", "$response.body#/stock/id")],
    },
];

const PAGES: &str = "In JSON, `next` and the `Link` header have the URL of the next page. CSV and \
    NDJSON contain the whole range, streamed, unless `limit` is given.";

const MULTI_STOCK_PAGES: &str = "Each symbol costs one request. In JSON, `next` and the `Link` \
    header have the URL of the next page. CSV and NDJSON contain the whole range, streamed, \
    unless `limit` is given.";

pub fn operations() -> Vec<Operation> {
    vec![
        list_stocks(),
        get_stock(),
        list_prices(),
        list_prices_of_many(),
        list_prices_of_day(),
        get_quote(),
        list_revisions(),
        get_chart(),
    ]
}

fn list_stocks() -> Operation {
    let example = include_str!("../examples/listStocks.json");
    let summary = "List or search stocks";
    Operation {
        parameters: stocks::LIST_PARAMETERS,
        problems: &["before_history"],
        links: &[OperationLink {
            name: "stock",
            operation: "getStock",
            parameters: &[("symbol", "$response.body#/stocks/0/id")],
        }],
        example: &[("exchange", "NYSE")],
        ..read::<StockList>("listStocks", Route::Stocks, "Stocks", summary, example)
    }
}

fn get_stock() -> Operation {
    let example = include_str!("../examples/getStock.json");
    Operation {
        parameters: stocks::PARAMETERS,
        problems: &["unknown_symbol", "before_history"],
        links: STOCK_LINKS,
        example: &[("symbol", "AAPL")],
        ..read::<SingleStock>("getStock", Route::Stock, "Stocks", "Get a stock", example)
    }
}

fn list_prices() -> Operation {
    let example = include_str!("../examples/listPrices.json");
    let summary = "List the bars of a stock";
    Operation {
        description: PAGES,
        parameters: prices::PARAMETERS,
        problems: &[
            "missing_parameter",
            "unknown_symbol",
            "no_data",
            "before_history",
            "too_many_streams",
            "restated",
        ],
        links: &[OperationLink {
            name: "quote",
            operation: "getQuote",
            parameters: &[("symbol", "$response.body#/symbol")],
        }],
        example: &[("symbol", "AAPL"), ("start", "2012-12-27"), ("end", "2012-12-31")],
        ..read_rows::<Prices<'static>>("listPrices", Route::Prices, summary, example)
    }
}

fn list_prices_of_many() -> Operation {
    let example = include_str!("../examples/listPricesOfMany.json");
    let mut operation = read_rows::<MultiStockPrices<'static>>(
        "listPricesOfMany",
        Route::PricesOfMany,
        "List the bars of several stocks",
        example,
    );
    operation.responses.iter_mut().for_each(|response| response.headers = MULTI_STOCK);
    Operation {
        description: MULTI_STOCK_PAGES,
        parameters: many::PARAMETERS,
        problems: &[
            "missing_parameter",
            "too_heavy",
            "before_history",
            "too_many_streams",
            "restated",
        ],
        example: &[("symbols", "AAPL,MSFT"), ("start", "2012-12-31"), ("end", "2012-12-31")],
        ..operation
    }
}

fn list_prices_of_day() -> Operation {
    let example = include_str!("../examples/listPricesOfDay.json");
    let summary = "List the bars of all stocks on one day";
    Operation {
        description: "The cost is `limit` / 100 requests, rounded up, and at least 10.",
        parameters: day::PARAMETERS,
        problems: &["no_data", "too_heavy", "before_history"],
        example: &[("date", "2012-12-31"), ("limit", "2")],
        ..read_rows::<MarketDay<'static>>("listPricesOfDay", Route::PricesOfDay, summary, example)
    }
}

fn get_quote() -> Operation {
    let example = include_str!("../examples/getQuote.json");
    let summary = "Get the latest bar of a stock and its change";
    Operation {
        parameters: quote::PARAMETERS,
        problems: &["unknown_symbol", "no_data", "before_history"],
        example: &[("symbol", "MSFT")],
        ..read::<QuoteAnswer>("getQuote", Route::Quote, "Prices", summary, example)
    }
}

fn list_revisions() -> Operation {
    let example = include_str!("../examples/listRevisions.json");
    let summary = "List what was restated of a stock, newest first";
    Operation {
        description: "Bars, events and stocks that were replaced or removed, and events that were \
            added after a bar that they adjust. `asof` of other requests reads what was before.",
        parameters: revisions::PARAMETERS,
        problems: &["unknown_symbol"],
        example: &[("symbol", "MSFT"), ("kind", "price")],
        ..read::<StockRevisions<'static>>(
            "listRevisions",
            Route::StockRevisions,
            "Stocks",
            summary,
            example,
        )
        .paged()
    }
}

fn get_chart() -> Operation {
    let image = vec![("image/svg+xml", BodySchema::Text("An SVG image of at most 60 KB"))];
    let summary = "Get a chart of closes and volumes";
    Operation {
        parameters: chart::PARAMETERS,
        responses: vec![Success { is_cached: true, ..Success::ok(image) }],
        problems: &["unknown_symbol", "no_data"],
        example: &[("symbol", "AAPL")],
        ..read::<QuoteAnswer>("getChart", Route::Chart, "Prices", summary, "")
    }
}
