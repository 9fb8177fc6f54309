//! Splits and dividends, exchanges, trading days and the state of the data.

use super::read;
use crate::http::api::calendar::{self, CalendarDays};
use crate::http::api::events::{self, MarketEvents, StockEvents};
use crate::http::api::exchanges::{self, Exchanges};
use crate::http::api::market_status::{self, MarketStatus};
use crate::http::api::status::{self, Status};
use crate::http::reference::operation::{Operation, OperationLink};
use crate::route::Route;

const TAG: &str = "Market";

pub fn operations() -> Vec<Operation> {
    vec![
        list_stock_events(),
        list_events(),
        list_exchanges(),
        get_calendar(),
        get_status(),
        get_market_status(),
    ]
}

fn list_stock_events() -> Operation {
    let example = include_str!("../examples/listStockEvents.json");
    let summary = "List splits and dividends of a stock";
    Operation {
        parameters: events::STOCK_PARAMETERS,
        problems: &["unknown_symbol", "before_history"],
        example: &[("symbol", "MSFT"), ("start", "2003-01-01"), ("end", "2003-12-31")],
        ..read::<StockEvents<'static>>("listStockEvents", Route::StockEvents, TAG, summary, example)
            .paged()
    }
}

fn list_events() -> Operation {
    let example = include_str!("../examples/listEvents.json");
    let summary = "List splits and dividends of all stocks";
    Operation {
        parameters: events::PARAMETERS,
        problems: &["missing_parameter", "before_history"],
        links: &[OperationLink {
            name: "stock",
            operation: "getStock",
            parameters: &[("symbol", "$response.body#/events/0/symbol")],
        }],
        example: &[("start", "2012-11-01"), ("end", "2012-11-30")],
        ..read::<MarketEvents>("listEvents", Route::Events, TAG, summary, example).paged()
    }
}

fn list_exchanges() -> Operation {
    let example = include_str!("../examples/listExchanges.json");
    Operation {
        parameters: exchanges::PARAMETERS,
        links: &[OperationLink {
            name: "stocks",
            operation: "listStocks",
            parameters: &[("exchange", "$response.body#/exchanges/0/code")],
        }],
        ..read::<Exchanges>("listExchanges", Route::Exchanges, TAG, "List exchanges", example)
    }
}

fn get_calendar() -> Operation {
    let example = include_str!("../examples/getCalendar.json");
    let summary = "Get trading days, holidays and early closes of an exchange";
    Operation {
        parameters: calendar::PARAMETERS,
        problems: &["no_calendar"],
        example: &[("start", "2012-12-20"), ("end", "2012-12-31")],
        ..read::<CalendarDays>("getCalendar", Route::Calendar, TAG, summary, example)
    }
}

fn get_status() -> Operation {
    let example = include_str!("../examples/getStatus.json");
    let summary = "Get the latest and the expected day of the data, by exchange";
    Operation {
        parameters: status::PARAMETERS,
        ..read::<Status>("getStatus", Route::Status, TAG, summary, example)
    }
}

fn get_market_status() -> Operation {
    let example = include_str!("../examples/getMarketStatus.json");
    let summary = "Get whether exchanges are open, and when that changes";
    Operation {
        parameters: market_status::PARAMETERS,
        problems: &["no_calendar"],
        example: &[("exchange", "XNYS")],
        ..read::<MarketStatus>("getMarketStatus", Route::MarketStatus, TAG, summary, example)
    }
}
