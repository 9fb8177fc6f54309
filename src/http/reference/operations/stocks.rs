//! Who the stocks are.

use super::read;
use crate::http::api::stocks::{LIST_PARAMETERS, SingleStock, StockList};
use crate::http::reference::operation::{Follow, Operation};
use crate::route::Route;

/// What leads from a stock to what there is of it.
const OF_A_STOCK: &[Follow] = &[
    Follow { name: "prices", to: "listPrices", with: &[("symbol", "$response.body#/stock/id")] },
    Follow {
        name: "events",
        to: "listStockEvents",
        with: &[("symbol", "$response.body#/stock/id")],
    },
    Follow { name: "quote", to: "getQuote", with: &[("symbol", "$response.body#/stock/id")] },
];

pub fn operations() -> Vec<Operation> {
    let list = include_str!("../examples/listStocks.json");
    let get = include_str!("../examples/getStock.json");
    vec![
        Operation {
            parameters: LIST_PARAMETERS,
            follow: &[Follow {
                name: "stock",
                to: "getStock",
                with: &[("symbol", "$response.body#/stocks/0/id")],
            }],
            example: &[("exchange", "NYSE")],
            ..read::<StockList>("listStocks", Route::Stocks, "Stocks", "Stocks, by symbol", list)
        },
        Operation {
            problems: &["unknown_symbol"],
            follow: OF_A_STOCK,
            example: &[("symbol", "AAPL")],
            ..read::<SingleStock>("getStock", Route::Stock, "Stocks", "One stock", get)
        },
    ]
}
