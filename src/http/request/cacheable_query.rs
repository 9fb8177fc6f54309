//! A request, parsed: what is asked, whatever way it was written.

use std::collections::HashSet;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::cache::{Content, DependsOn};
use crate::http::respond::error::Problem;
use crate::http::server::state::State;
use crate::market::Symbol;
use crate::store::StockRef;

/// A question that can be answered from the cache: one type for each cached route.
pub trait CacheableQuery: Clone + 'static {
    /// Whether `Accept` has a say in how the answer is written.
    const NEGOTIATED: bool = false;

    /// # Errors
    /// The first thing in the request that is not as expected.
    fn parse(request: &HttpRequest) -> Result<Self, Problem>;

    /// The question in one way of writing, and the data version that it is asked of: equal
    /// questions, however they were asked, have equal keys.
    fn canonical(&self, version: i64) -> String;

    /// The stocks whose change makes another answer of it.
    fn depends_on(&self) -> DependsOn<'_>;

    fn content(&self) -> Content;
}

/// The stock that is meant by a symbol: the one that was heard of, without a trip, or the one that
/// Postgres knows.
pub async fn stock_of(state: &State, symbol: Symbol) -> Result<StockRef, Problem> {
    match state.versions.stock(symbol) {
        Some(stock) => Ok(stock),
        None => state.store.stock_of(symbol).await?.ok_or(Problem::UnknownSymbol(symbol)),
    }
}

/// The stocks that are meant by symbols, each once, with the symbol that it was asked for by, in
/// the order of these; and the symbols that no stock has.
pub async fn stocks_of(
    state: &State,
    symbols: &[Symbol],
) -> Result<(Vec<(Symbol, StockRef)>, Vec<Symbol>), Problem> {
    let heard = |symbol: &Symbol| state.versions.stock(*symbol);
    let mut stocks: Vec<_> =
        symbols.iter().filter_map(|symbol| Some((*symbol, heard(symbol)?))).collect();
    let mut unheard: Vec<Symbol> =
        symbols.iter().copied().filter(|symbol| heard(symbol).is_none()).collect();
    if !unheard.is_empty() {
        let found = state.store.stocks_of(&unheard).await?;
        unheard.retain(|symbol| found.iter().all(|(under, _)| under != symbol));
        stocks.extend(found);
    }
    stocks.sort_unstable_by_key(|(symbol, _)| *symbol);
    let mut seen = HashSet::new();
    stocks.retain(|(_, stock)| seen.insert(stock.id));
    Ok((stocks, unheard))
}

/// Hands a handler its question: the one that the cache has parsed already.
pub struct Parsed<Q>(pub Q);

impl<Q: CacheableQuery> FromRequest for Parsed<Q> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = request.extensions().get::<Q>().cloned();
        ready(parsed.map_or_else(|| Q::parse(request), Ok).map(Parsed))
    }
}
