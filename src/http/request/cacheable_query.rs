//! A parsed request, in a form that is the same for all ways to write the same request.
//!
//! Each cached route has a type for its parameters. It gives the cache key, the stocks that the
//! response depends on, and the kind of content.

use std::collections::HashSet;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::cache::{Content, DependsOn};
use crate::http::respond::error::Problem;
use crate::http::server::state::State;
use crate::market::{AsOf, Symbol};
use crate::store::StockRef;

/// The parameters of a route that is served through the cache.
pub trait CacheableQuery: Clone + 'static {
    /// Whether `Accept` may choose the format of the response.
    const NEGOTIATED: bool = false;

    /// # Errors
    /// The first part of the request that is not valid.
    fn parse(request: &HttpRequest) -> Result<Self, Problem>;

    /// The cache key: the data version and the canonical URL. Equal requests have equal keys,
    /// whatever the order and case of their parameters.
    fn canonical(&self, version: i64) -> String;

    /// The stocks whose data the response is made of.
    fn depends_on(&self) -> DependsOn<'_>;

    fn content(&self) -> Content;
}

/// The stock of a symbol: from memory if this instance knows it, otherwise from Postgres. With
/// `as_of`, the stock that had the symbol then.
pub async fn stock_of(
    state: &State,
    symbol: Symbol,
    as_of: Option<AsOf>,
) -> Result<StockRef, Problem> {
    if let Some(as_of) = as_of {
        let found = stocks_then(state, &[symbol], as_of).await?.pop();
        return found.map(|(_, stock)| stock).ok_or(Problem::UnknownSymbolThen { symbol, as_of });
    }
    match state.versions.stock(symbol) {
        Some(stock) => Ok(stock),
        None => state.store.now().stock_of(symbol).await?.ok_or(Problem::UnknownSymbol(symbol)),
    }
}

/// The stocks that had these symbols then.
async fn stocks_then(
    state: &State,
    symbols: &[Symbol],
    as_of: AsOf,
) -> Result<Vec<(Symbol, StockRef)>, Problem> {
    let mut stocks = state.store.as_of(Some(as_of)).stocks_of(symbols).await?;
    // A replica that has replayed all that this instance knows also has what was published then.
    let version = state.versions.to_read();
    stocks.iter_mut().for_each(|(_, stock)| stock.version = version);
    Ok(stocks)
}

/// The stocks of several symbols, and the symbols that no stock has.
///
/// Each stock comes once, with the symbol that it was requested by, in the order of the symbols.
pub async fn stocks_of(
    state: &State,
    symbols: &[Symbol],
    as_of: Option<AsOf>,
) -> Result<(Vec<(Symbol, StockRef)>, Vec<Symbol>), Problem> {
    let known = |symbol: &Symbol| match as_of {
        Some(_) => None,
        None => state.versions.stock(*symbol),
    };
    let mut stocks: Vec<_> =
        symbols.iter().filter_map(|symbol| Some((*symbol, known(symbol)?))).collect();
    let mut unknown: Vec<Symbol> =
        symbols.iter().copied().filter(|symbol| known(symbol).is_none()).collect();
    if !unknown.is_empty() {
        let found = match as_of {
            Some(as_of) => stocks_then(state, &unknown, as_of).await?,
            None => state.store.now().stocks_of(&unknown).await?,
        };
        unknown.retain(|symbol| found.iter().all(|(under, _)| under != symbol));
        stocks.extend(found);
    }
    stocks.sort_unstable_by_key(|(symbol, _)| *symbol);
    let mut seen = HashSet::new();
    stocks.retain(|(_, stock)| seen.insert(stock.id));
    Ok((stocks, unknown))
}

/// The cache key of a response about one stock that has no parameter but `asof`.
pub fn stock_key(version: i64, what: &str, symbol: Symbol, as_of: Option<AsOf>) -> String {
    match as_of {
        None => format!("v{version}/{what}/{symbol}"),
        Some(as_of) => format!("v{version}/{what}/{symbol}?asof={as_of}"),
    }
}

/// Extracts the query of a handler. The cache has usually parsed it already.
pub struct Parsed<Q>(pub Q);

impl<Q: CacheableQuery> FromRequest for Parsed<Q> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = request.extensions().get::<Q>().cloned();
        ready(parsed.map_or_else(|| Q::parse(request), Ok).map(Parsed))
    }
}
