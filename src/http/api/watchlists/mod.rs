//! `/api/watchlists`: lists of stocks that key holders keep, each seen by all keys of one owner and
//! by nobody else.

pub mod write;

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::quote::QuoteAnswer;
use crate::caller::{Caller, WatchlistId};
use crate::http::request::context::RequestContext;
use crate::http::request::query::Query;
use crate::http::respond::error::Problem;
use crate::http::respond::uncached::ok;
use crate::http::server::state::State;
use crate::store::Watchlist;

/// The lists of the key's owner.
#[derive(Serialize, ToSchema)]
pub struct Watchlists {
    /// Oldest first.
    watchlists: Vec<Watchlist>,
    /// Lists in this answer: all that there are.
    count: usize,
}

/// Where the stocks of a list stand now.
#[derive(Serialize, ToSchema)]
pub struct WatchlistQuotes {
    /// The id of the list.
    id: String,
    /// The name of the list.
    name: String,
    /// Quotes in this answer.
    count: usize,
    /// In the order of the list.
    quotes: Vec<QuoteAnswer>,
    /// The symbols of the list's stocks that have no prices yet.
    missing: Vec<String>,
}

pub async fn list(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let watchlists = state.store.watchlists(owner.name()).await?;
    Ok(ok(&Watchlists { count: watchlists.len(), watchlists }))
}

pub async fn show(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let watchlist = state.store.find_watchlist(owner.name(), &id(&request)?).await?;
    Ok(ok(&watchlist.ok_or(Problem::UnknownWatchlist)?))
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
    let quotes = state.store.quotes(&stocks).await?;
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

/// The list in the path of a request. What can't be an id is no list, as any other id that the
/// owner does not have.
fn id(request: &HttpRequest) -> Result<WatchlistId, Problem> {
    request.match_info().query("id").parse().map_err(|_| Problem::UnknownWatchlist)
}

/// Whose lists are meant: the owner of the key that the request came with.
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
