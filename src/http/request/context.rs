//! The context of a request: each middleware writes to it, and the outermost one
//! (`middleware/boundary.rs`) reads it for metrics, usage, traces and the log line.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest};

use crate::caller::Caller;
use crate::route::Route;
use crate::usage::KeyUsage;

/// What the middleware found out about a request. A request stays on its thread, so cells suffice.
pub struct RequestContext {
    pub route: Route,
    /// Set once the key is verified.
    pub client: OnceCell<Client>,
    /// Set if the response comes through the cache.
    pub cache: Cell<Option<CacheOutcome>>,
}

/// The authenticated client, and the usage counts of its key.
pub struct Client {
    pub caller: Arc<Caller>,
    pub usage: Arc<KeyUsage>,
}

/// The value of `X-Cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheOutcome {
    Hit,
    Stale,
    Miss,
}

impl CacheOutcome {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::Stale => "STALE",
            Self::Miss => "MISS",
        }
    }
}

impl RequestContext {
    /// Attaches a context to a request with this decoded path.
    pub fn begin(request: &impl HttpMessage, path: &str) -> Route {
        let route = Route::of(path);
        request.extensions_mut().insert(Self {
            route,
            client: OnceCell::new(),
            cache: Cell::default(),
        });
        route
    }

    /// Calls `with` with the context of a request.
    pub fn of<T>(request: &HttpRequest, with: impl FnOnce(&Self) -> T) -> T {
        with(request.extensions().get::<Self>().expect("the boundary attaches the context"))
    }
}
