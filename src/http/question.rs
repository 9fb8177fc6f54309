//! A request, parsed: what is asked, whatever way it was written.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::error::Problem;
use crate::cache::Content;
use crate::market::Symbol;
use crate::store::{Store, StoreFault};

/// A question that can be answered from the cache: one type for each cached route.
pub trait Question: Clone + 'static {
    /// # Errors
    /// The first thing in the request that is not as expected.
    fn parse(request: &HttpRequest) -> Result<Self, Problem>;

    /// The question in one way of writing, and the data version that it is asked of: equal questions, however they were
    /// asked, have equal keys.
    fn canonical(&self, version: i64) -> String;

    /// The stock that the answer depends on; without one it depends on all.
    fn symbol(&self) -> Option<Symbol>;

    fn content(&self) -> Content;
}

/// Asks about a stock by its symbol or, where no stock has that one now, by the symbol of the stock that had it last.
/// Yields the stock's own symbol with what was found.
pub async fn by_symbol<T>(
    store: &Store,
    symbol: Symbol,
    ask: impl AsyncFn(Symbol) -> Result<Option<T>, StoreFault>,
) -> Result<(Symbol, T), Problem> {
    if let Some(found) = ask(symbol).await? {
        return Ok((symbol, found));
    }
    let unknown = || Problem::UnknownSymbol(symbol);
    let successor = store.successor(symbol).await?.ok_or_else(unknown)?;
    Ok((successor, ask(successor).await?.ok_or_else(unknown)?))
}

/// Hands a handler its question: the one that the cache has parsed already.
pub struct Asked<Q>(pub Q);

impl<Q: Question> FromRequest for Asked<Q> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = request.extensions().get::<Q>().cloned();
        ready(parsed.map_or_else(|| Q::parse(request), Ok).map(Asked))
    }
}
