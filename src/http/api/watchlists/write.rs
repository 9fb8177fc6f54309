//! Creates, changes and deletes watchlists.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Owner, id};
use crate::caller::WatchlistId;
use crate::http::request::body::Body;
use crate::http::request::cacheable_query::stock_of;
use crate::http::request::query::{Query, invalid, value};
use crate::http::respond::error::Problem;
use crate::http::respond::uncached::{created, nothing, ok};
use crate::http::server::state::State;
use crate::market::Symbol;
use crate::store::{STOCKS_PER_WATCHLIST_MAX, Watchlist, WatchlistChange, WatchlistWritten};

/// A new watchlist.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchlistBody {
    /// 1 to 100 printable characters, unique among the owner's watchlists.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The symbols of at most 100 stocks, in order, in any case. Former symbols work too. A
    /// repeated stock is listed once, at its first position.
    #[serde(default)]
    #[schema(max_items = 100)]
    symbols: Vec<String>,
}

/// Changes of a watchlist: at least one field. `symbols` is applied first, then `add`, then
/// `remove`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchlistChangeBody {
    /// 1 to 100 printable characters, unique among the owner's watchlists.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// The new content of the list: at most 100 symbols.
    #[schema(max_items = 100)]
    symbols: Option<Vec<String>>,
    /// Symbols to append. Stocks already on the list keep their position.
    #[schema(max_items = 100)]
    add: Option<Vec<String>>,
    /// Symbols to remove. Stocks that are not on the list are ignored.
    #[schema(max_items = 100)]
    remove: Option<Vec<String>>,
}

pub async fn create(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
    Body(body): Body<WatchlistBody>,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let name = value("name", &body.name)?;
    let stocks = stocks(state, "symbols", &body.symbols).await?;
    let written =
        state.store.insert_watchlist(owner.name(), &WatchlistId::random(), &name, &stocks).await?;
    let watchlist = watchlist_or_problem(written, name.as_str())?;
    Ok(created(&format!("/api/watchlists/{}", watchlist.id), &watchlist))
}

pub async fn change(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
    Body(body): Body<WatchlistChangeBody>,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let id = id(&request)?;
    let WatchlistChangeBody { name, symbols, add, remove } = body;
    if name.is_none() && symbols.is_none() && add.is_none() && remove.is_none() {
        return Err(Problem::InvalidBody(
            "expected one or more of name, symbols, add and remove".to_owned(),
        ));
    }
    let mut change = WatchlistChange {
        name: name.map(|name| value("name", &name)).transpose()?,
        ..Default::default()
    };
    if let Some(symbols) = symbols {
        change.stocks = Some(stocks(state, "symbols", &symbols).await?);
    }
    change.add = stocks(state, "add", &add.unwrap_or_default()).await?;
    change.remove = stocks(state, "remove", &remove.unwrap_or_default()).await?;
    let written = state.store.change_watchlist(owner.name(), &id, &change).await?;
    let name = change.name.as_ref().map_or("", |name| name.as_str());
    Ok(ok(&watchlist_or_problem(written, name)?))
}

pub async fn delete(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let existed = state.store.delete_watchlist(owner.name(), &id(&request)?).await?;
    if existed { Ok(nothing()) } else { Err(Problem::UnknownWatchlist) }
}

/// The ids of the stocks with these symbols. An unknown symbol makes the body invalid (400): a 404
/// would mean that the watchlist does not exist.
async fn stocks(
    state: &State,
    field: &'static str,
    symbols: &[String],
) -> Result<Vec<i32>, Problem> {
    if symbols.len() > STOCKS_PER_WATCHLIST_MAX {
        return Err(too_long(field));
    }
    let mut ids = Vec::with_capacity(symbols.len());
    for symbol in symbols {
        let symbol: Symbol = value(field, symbol)?;
        let stock = stock_of(state, symbol).await.map_err(|problem| match problem {
            Problem::UnknownSymbol(_) => invalid(field, format!("is not valid: {problem}")),
            other => other,
        })?;
        ids.push(stock.id);
    }
    Ok(ids)
}

/// `name` is the requested name of the watchlist, for the error if another one has it.
fn watchlist_or_problem(written: WatchlistWritten, name: &str) -> Result<Watchlist, Problem> {
    match written {
        WatchlistWritten::Done(watchlist) => Ok(watchlist),
        WatchlistWritten::Unknown => Err(Problem::UnknownWatchlist),
        WatchlistWritten::NameTaken => Err(Problem::WatchlistExists(name.to_owned())),
        WatchlistWritten::TooMany => Err(Problem::TooManyWatchlists),
        WatchlistWritten::TooLong => Err(too_long("add")),
    }
}

fn too_long(field: &'static str) -> Problem {
    invalid(
        field,
        format!("is not valid: expected at most {STOCKS_PER_WATCHLIST_MAX} stocks on a list"),
    )
}
