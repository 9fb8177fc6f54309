//! `/api/watchlists`: lists of stocks. A list belongs to an owner: all keys of the owner can use
//! it, no other key can.

pub mod write;

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::quote::QuoteAnswer;
use crate::caller::{Caller, WatchlistId};
use crate::http::request::context::RequestContext;
use crate::http::request::query::Query;
use crate::http::respond::error::Problem;
use crate::http::respond::uncached::ok;
use crate::http::server::state::State;
use crate::store::WatchlistRecord;

/// A list of stocks of one owner.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Watchlist {
    /// 16 letters and digits.
    id: String,
    /// 1 to 100 characters, unique among the owner's watchlists.
    name: String,
    /// The current symbols of the stocks, in the owner's order. At most 100.
    symbols: Vec<String>,
    /// When the watchlist was created (UTC).
    created_at: DateTime<Utc>,
    /// When the watchlist was last changed (UTC).
    updated_at: DateTime<Utc>,
}

impl From<WatchlistRecord> for Watchlist {
    fn from(watchlist: WatchlistRecord) -> Self {
        let WatchlistRecord { id, name, symbols, created_at, updated_at } = watchlist;
        Self { id, name, symbols, created_at, updated_at }
    }
}

/// The watchlists of the key's owner.
#[derive(Serialize, ToSchema)]
pub struct Watchlists {
    /// Oldest first.
    watchlists: Vec<Watchlist>,
    /// The number of watchlists.
    count: usize,
}

/// The quotes of the stocks on a watchlist.
#[derive(Serialize, ToSchema)]
pub struct WatchlistQuotes {
    /// The id of the watchlist.
    id: String,
    /// The name of the watchlist.
    name: String,
    /// The number of quotes in this response.
    count: usize,
    /// In the order of the watchlist.
    quotes: Vec<QuoteAnswer>,
    /// The symbols of stocks on the watchlist that have no prices yet.
    missing: Vec<String>,
}

pub async fn list(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let watchlists = state.store.watchlists(owner.name()).await?;
    let watchlists: Vec<_> = watchlists.into_iter().map(Watchlist::from).collect();
    Ok(ok(&Watchlists { count: watchlists.len(), watchlists }))
}

pub async fn show(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let watchlist = state.store.find_watchlist(owner.name(), &id(&request)?).await?;
    Ok(ok(&Watchlist::from(watchlist.ok_or(Problem::UnknownWatchlist)?)))
}

pub async fn quotes(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let id = id(&request)?;
    let found = state.store.watchlist_stocks(owner.name(), &id).await?;
    let (name, stocks) = found.ok_or(Problem::UnknownWatchlist)?;
    let quotes = state.store.now().quotes(&stocks).await?;
    let is_quoted = |id: i32| quotes.iter().any(|(stock, _)| stock.id == id);
    let missing = stocks
        .iter()
        .filter(|stock| !is_quoted(stock.id))
        .map(|stock| stock.symbol.to_string())
        .collect();
    let quotes: Vec<_> =
        quotes.into_iter().map(|(stock, quote)| QuoteAnswer::new(stock.symbol, quote)).collect();
    Ok(ok(&WatchlistQuotes { id: id.to_string(), name, count: quotes.len(), quotes, missing }))
}

/// The id in the path of a request. A malformed id gets the same error as an unknown one.
fn id(request: &HttpRequest) -> Result<WatchlistId, Problem> {
    request.match_info().query("id").parse().map_err(|_| Problem::UnknownWatchlist)
}

/// The owner of the key that authenticated the request.
pub struct Owner(Arc<Caller>);

impl Owner {
    fn name(&self) -> &str {
        &self.0.owner
    }
}

impl FromRequest for Owner {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = RequestContext::of(request, |context| {
            context.client.get().map(|client| client.caller.clone())
        });
        ready(caller.map(Self).ok_or(Problem::Unauthorized))
    }
}
