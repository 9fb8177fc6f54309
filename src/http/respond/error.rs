//! The errors of the API: one type, [`Problem`], for every error that a client can get.
//!
//! Its `Display` text is the sentence for the client. `kind` maps each variant to a status and a
//! published code. Handlers and middleware return a `Problem`. The outermost middleware
//! (`middleware/boundary.rs`) writes the body, because only it knows the id of the request.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

use super::document::{self, Parts};
use super::sentences::{higher_limit, meant_or_see, no_day, rate_limited};
use crate::caller::RateLimit;
use crate::keys::{HashError, KeyServiceError};
use crate::market::{AsOf, Calendar, Symbol};
use crate::store::{StoreError, WATCHLISTS_PER_OWNER_MAX};

/// The `Retry-After` of errors that end at an unknown time.
const RETRY_AFTER_S: u64 = 1;

/// The longest path that an error repeats.
const PATH_SHOWN_CHARS_MAX: usize = 100;

/// A 404 that points to the documentation.
pub const NOTHING_HERE: Problem = Problem::NotFound { see: "/docs", meant: None };

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{name} {expected}")]
    InvalidParameter { name: &'static str, expected: String },
    #[error("the parameter {name} is missing: expected {expected}")]
    MissingParameter { name: &'static str, expected: &'static str },
    #[error("the parameter {name:?} is unknown: expected {expected}")]
    UnknownParameter { name: String, expected: String },
    #[error("the request could not be understood")]
    BadRequest,
    #[error("the body is not valid: {0}")]
    InvalidBody(String),
    #[error(
        "a valid API key is required: send it as X-API-Key: KEY, as Authorization: Bearer KEY or, \
         if this server allows it, as ?apikey=KEY"
    )]
    Unauthorized,
    #[error("no stock has the symbol {0}")]
    UnknownSymbol(Symbol),
    #[error("no stock had the symbol {symbol} as of {as_of}")]
    UnknownSymbolThen { symbol: Symbol, as_of: AsOf },
    #[error(
        "asof is before {}, when this server began to keep replaced data: expected a later time",
        start.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    BeforeHistory { start: DateTime<Utc> },
    #[error("there is no such watchlist: see GET /api/watchlists")]
    UnknownWatchlist,
    #[error("a watchlist with the name {0:?} exists already: expected another name")]
    WatchlistExists(String),
    #[error("the limit of {WATCHLISTS_PER_OWNER_MAX} watchlists is reached: delete one first")]
    TooManyWatchlists,
    #[error("{symbol} has no prices {range}")]
    NoData { symbol: Symbol, range: String },
    #[error(
        "there is no calendar of {exchange:?}: expected {}",
        Calendar::known_exchanges().join(" or ")
    )]
    NoCalendar { exchange: String },
    #[error("there are no prices of {date}{}", no_day(exchange.as_deref(), *why))]
    NoDay { date: NaiveDate, exchange: Option<String>, why: Option<&'static str> },
    #[error("the data changed while it was read: retry in {RETRY_AFTER_S} s")]
    Restated,
    /// `meant` is the path without superfluous slashes.
    #[error("there is nothing at this path: {}", meant_or_see(meant.as_deref(), see))]
    NotFound { see: &'static str, meant: Option<String> },
    #[error("{method} is not allowed here: expected {}", allowed.replace(", ", " or "))]
    MethodNotAllowed { method: &'static str, allowed: &'static str },
    #[error(
        "/admin is disabled: set ADMIN_TOKEN or ADMIN_TOKEN_FILE to a secret and restart tickerd"
    )]
    AdminOff,
    #[error(
        "/admin is not available under this name: use localhost, a loopback address or the address \
         of ADMIN_HOST, or add the name to ADMIN_HOSTS and restart tickerd"
    )]
    AdminHost,
    #[error("the admin token is required: send it as Authorization: Bearer TOKEN (ADMIN_TOKEN)")]
    AdminUnauthorized,
    // The command line prints the same text for these errors of a change of keys.
    #[error("{0}")]
    UnknownKey(KeyServiceError),
    #[error("{0}")]
    KeyExists(KeyServiceError),
    #[error("{0}")]
    KeyNotActive(KeyServiceError),
    #[error("{0}")]
    KeyRotated(KeyServiceError),
    #[error("expected a body of at most {bytes_max} bytes")]
    BodyTooLarge { bytes_max: u64 },
    #[error("expected the whole body within {timeout_ms} ms")]
    BodyTooSlow { timeout_ms: u64 },
    #[error("expected a path and query of at most {bytes_max} bytes")]
    UrlTooLong { bytes_max: usize },
    #[error("expected headers of at most {bytes_max} bytes")]
    HeadersTooLarge { bytes_max: usize },
    #[error(
        "{}: retry in {retry_after_s} s{}",
        rate_limited(*limit, *cost),
        higher_limit(upgrade.as_deref())
    )]
    RateLimited { limit: RateLimit, cost: u32, retry_after_s: u64, upgrade: Option<String> },
    #[error(
        "this request has a cost of {cost}, more than the limit of {limit}: \
         ask for fewer symbols, or set a lower limit"
    )]
    CostAboveLimit { cost: u32, limit: RateLimit },
    #[error(
        "the limit of {limit} requests an hour without a key is reached for this address: \
         retry in {retry_after_s} s"
    )]
    AddressLimited { limit: u32, retry_after_s: u64 },
    #[error("too many invalid keys came from this address: retry in {retry_after_s} s")]
    TooManyFailures { retry_after_s: u64 },
    #[error(
        "{max} streams of this key are in progress, and no more are allowed: read or close one, \
         or retry in {RETRY_AFTER_S} s"
    )]
    TooManyStreams { max: usize },
    #[error("too many streams are in progress: retry in {RETRY_AFTER_S} s")]
    StreamsBusy,
    #[error("too many keys are waiting for verification: retry in {RETRY_AFTER_S} s")]
    Busy,
    #[error("the data is temporarily unavailable: retry in {RETRY_AFTER_S} s")]
    Unavailable(#[source] StoreError),
    /// Another request for the same data has just failed. Its log line has the cause.
    #[error("the data is temporarily unavailable: retry in {RETRY_AFTER_S} s")]
    RecentlyFailed,
    #[error("an internal error occurred")]
    Internal(#[source] StoreError),
    #[error("an internal error occurred")]
    NotHashed(#[source] HashError),
}

impl Problem {
    /// Status and code. A published code never changes.
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidParameter { .. } => (StatusCode::BAD_REQUEST, "invalid_parameter"),
            Self::MissingParameter { .. } => (StatusCode::BAD_REQUEST, "missing_parameter"),
            Self::UnknownParameter { .. } => (StatusCode::BAD_REQUEST, "unknown_parameter"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::InvalidBody(_) => (StatusCode::BAD_REQUEST, "invalid_body"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::UnknownSymbol(_) | Self::UnknownSymbolThen { .. } => {
                (StatusCode::NOT_FOUND, "unknown_symbol")
            }
            Self::BeforeHistory { .. } => (StatusCode::BAD_REQUEST, "before_history"),
            Self::UnknownWatchlist => (StatusCode::NOT_FOUND, "unknown_watchlist"),
            Self::WatchlistExists(_) => (StatusCode::CONFLICT, "watchlist_exists"),
            Self::TooManyWatchlists => (StatusCode::CONFLICT, "too_many_watchlists"),
            Self::NoData { .. } | Self::NoDay { .. } => (StatusCode::NOT_FOUND, "no_data"),
            Self::NoCalendar { .. } => (StatusCode::NOT_FOUND, "no_calendar"),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::AdminOff => (StatusCode::FORBIDDEN, "admin_off"),
            Self::AdminHost => (StatusCode::FORBIDDEN, "admin_host"),
            Self::AdminUnauthorized => (StatusCode::UNAUTHORIZED, "admin_unauthorized"),
            Self::UnknownKey(_) => (StatusCode::NOT_FOUND, "unknown_key"),
            Self::KeyExists(_) => (StatusCode::CONFLICT, "key_exists"),
            Self::KeyNotActive(_) => (StatusCode::CONFLICT, "key_not_active"),
            Self::KeyRotated(_) => (StatusCode::CONFLICT, "key_rotated"),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyTooSlow { .. } => (StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
            Self::UrlTooLong { .. } => (StatusCode::URI_TOO_LONG, "url_too_long"),
            Self::HeadersTooLarge { .. } => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large")
            }
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Self::CostAboveLimit { .. } => (StatusCode::BAD_REQUEST, "too_heavy"),
            Self::AddressLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "address_limited"),
            Self::TooManyFailures { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_failures"),
            Self::TooManyStreams { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_streams"),
            Self::Restated => (StatusCode::SERVICE_UNAVAILABLE, "restated"),
            Self::Busy | Self::StreamsBusy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Unavailable(_) | Self::RecentlyFailed => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            Self::Internal(_) | Self::NotHashed(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        }
    }

    pub fn code(&self) -> &'static str {
        self.kind().1
    }

    /// The cause of a server error, for the log. A client never sees it.
    pub fn cause(&self) -> Option<&dyn std::error::Error> {
        match self {
            Self::Unavailable(error) | Self::Internal(error) => Some(error),
            Self::NotHashed(error) => Some(error),
            _ => None,
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_s, .. }
            | Self::AddressLimited { retry_after_s, .. }
            | Self::TooManyFailures { retry_after_s } => Some(*retry_after_s),
            Self::TooManyStreams { .. }
            | Self::StreamsBusy
            | Self::Busy
            | Self::Restated
            | Self::Unavailable(_)
            | Self::RecentlyFailed => Some(RETRY_AFTER_S),
            _ => None,
        }
    }

    /// The body, as JSON.
    pub fn document(&self, request_id: &str) -> Vec<u8> {
        let (status, code) = self.kind();
        let upgrade =
            if let Self::RateLimited { upgrade, .. } = self { upgrade.as_deref() } else { None };
        let parts = Parts {
            status,
            code,
            detail: &self.to_string(),
            retry_after_s: self.retry_after_s(),
            upgrade,
        };
        document::to_json(&parts, request_id)
    }

    /// The body, as a page for people.
    pub fn page(&self, request_id: &str) -> String {
        document::to_html(self.kind().0, &self.to_string(), request_id)
    }

    /// The problem that stands for an error response of actix.
    pub fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => NOTHING_HERE,
            _ => Self::BadRequest,
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind().0
    }

    /// Status and headers, without a body.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after_s() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        match self {
            Self::Unauthorized | Self::AdminUnauthorized => {
                response.insert_header((
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"tickerd\""),
                ));
            }
            Self::MethodNotAllowed { allowed, .. } => {
                response.insert_header((header::ALLOW, HeaderValue::from_static(allowed)));
            }
            _ => {}
        }
        response.finish()
    }
}

impl actix_web::Responder for Problem {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::from_error(self)
    }
}

/// The handler of all paths without a route.
pub async fn not_found(request: HttpRequest) -> Problem {
    Problem::NotFound { see: "/docs", meant: without_superfluous_slashes(request.path()) }
}

/// The path that a client meant whose base URL ends with a slash; `None` if it has no superfluous
/// one. Longer paths than those of the API are not repeated.
fn without_superfluous_slashes(path: &str) -> Option<String> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let meant = format!("/{}", segments.join("/"));
    (meant != path && meant.starts_with("/api/") && meant.len() <= PATH_SHOWN_CHARS_MAX)
        .then_some(meant)
}
