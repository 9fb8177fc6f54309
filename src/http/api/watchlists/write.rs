//! What changes a watchlist.

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
    /// 1 to 100 printable characters; no other list of the owner's may have the same.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The stocks in their order, at most 100, in any case and under former symbols, too. Said
    /// twice, a stock is listed once, where it comes first.
    #[serde(default)]
    #[schema(max_items = 100)]
    symbols: Vec<String>,
}

/// What is to become of a watchlist: one or more of these. `symbols` counts first, then `add`, then
/// `remove`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchlistChangeBody {
    /// 1 to 100 printable characters; no other list of the owner's may have the same.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// What the list is to hold instead: at most 100.
    #[schema(max_items = 100)]
    symbols: Option<Vec<String>>,
    /// What follows at the end of the list; what it holds already stays where it is.
    #[schema(max_items = 100)]
    add: Option<Vec<String>>,
    /// What leaves the list, where it holds it.
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
    let watchlist = done(written, name.as_str())?;
    Ok(created(&format!("/api/watchlists/{}", watchlist.id), &watchlist))
}

pub async fn change(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
    Body(body): Body<WatchlistChangeBody>,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let (id, WatchlistChangeBody { name, symbols, add, remove }) = (id(&request)?, body);
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
    Ok(ok(&done(written, name)?))
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

/// The stocks that are meant by the symbols of a field. One that nobody has is a fault of the body:
/// 404 would say that the list is not there.
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

fn done(written: WatchlistWritten, name: &str) -> Result<Watchlist, Problem> {
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
