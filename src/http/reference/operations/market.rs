//! Events, days of trading, exchanges.

use super::read;
use crate::http::api::calendar::{self, Calendar};
use crate::http::api::events::{self, MarketEvents, StockEvents};
use crate::http::api::exchanges::{self, Exchanges};
use crate::http::api::status::{self, Status};
use crate::http::reference::operation::{Follow, Operation};
use crate::route::Route;

const TAG: &str = "Market";

pub fn operations() -> Vec<Operation> {
    vec![events_of_a_stock(), events_of_the_market(), exchanges(), calendar(), status()]
}

fn events_of_a_stock() -> Operation {
    let example = include_str!("../examples/listStockEvents.json");
    let summary = "Splits and dividends of a stock";
    Operation {
        parameters: events::STOCK_PARAMETERS,
        problems: &["unknown_symbol"],
        example: &[("symbol", "MSFT"), ("start", "2003-01-01"), ("end", "2003-12-31")],
        ..read::<StockEvents<'static>>("listStockEvents", Route::StockEvents, TAG, summary, example)
            .paged()
    }
}

fn events_of_the_market() -> Operation {
    let example = include_str!("../examples/listEvents.json");
    Operation {
        parameters: events::PARAMETERS,
        problems: &["missing_parameter"],
        follow: &[Follow {
            name: "stock",
            to: "getStock",
            with: &[("symbol", "$response.body#/events/0/symbol")],
        }],
        example: &[("start", "2012-11-01"), ("end", "2012-11-30")],
        ..read::<MarketEvents>(
            "listEvents",
            Route::Events,
            TAG,
            "Splits and dividends of all stocks",
            example,
        )
        .paged()
    }
}

fn exchanges() -> Operation {
    let example = include_str!("../examples/listExchanges.json");
    Operation {
        parameters: exchanges::PARAMETERS,
        follow: &[Follow {
            name: "stocks",
            to: "listStocks",
            with: &[("exchange", "$response.body#/exchanges/0/code")],
        }],
        ..read::<Exchanges>("listExchanges", Route::Exchanges, TAG, "Where stocks trade", example)
    }
}

fn calendar() -> Operation {
    let example = include_str!("../examples/getCalendar.json");
    let summary = "On which days the US exchanges trade, and why not on others";
    Operation {
        parameters: calendar::PARAMETERS,
        problems: &["no_calendar"],
        example: &[("start", "2012-12-20"), ("end", "2012-12-31")],
        ..read::<Calendar>("getCalendar", Route::Calendar, TAG, summary, example)
    }
}

fn status() -> Operation {
    let example = include_str!("../examples/getStatus.json");
    let parameters = status::PARAMETERS;
    Operation {
        parameters,
        ..read::<Status>("getStatus", Route::Status, TAG, "How new the data is", example)
    }
}
