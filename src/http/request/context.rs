//! What a request went through: each stage leaves a note, and the boundary reads them when the
//! answer goes out.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest};

use crate::caller::Caller;
use crate::route::Route;
use crate::usage::KeyUsage;

/// One request's way. Requests stay on their thread, so notes need no lock.
pub struct RequestContext {
    pub route: Route,
    pub client: OnceCell<Client>,
    pub cache: Cell<Option<CacheOutcome>>,
}

/// Who is known to call, and where it is counted.
pub struct Client {
    pub caller: Arc<Caller>,
    pub usage: Arc<KeyUsage>,
}

/// What became of a request at the cache: the value of `X-Cache`.
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
    pub fn begin(request: &impl HttpMessage, path: &str) -> Route {
        let route = Route::of(path);
        request.extensions_mut().insert(Self {
            route,
            client: OnceCell::new(),
            cache: Cell::default(),
        });
        route
    }

    /// Reads the notes, or leaves one.
    pub fn of<T>(request: &HttpRequest, read: impl FnOnce(&Self) -> T) -> T {
        read(request.extensions().get::<Self>().expect("the boundary has begun it"))
    }
}
