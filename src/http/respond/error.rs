//! Every error that a client can see: one type, one body (RFC 9457), one place that maps to a
//! status.

use std::fmt;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::keys::{HashError, KeyServiceError};
use crate::market::{Calendar, Symbol};
use crate::store::{StoreError, WATCHLISTS_PER_OWNER_MAX};

/// How long a client should wait where we can't know.
const RETRY_AFTER_S: u64 = 1;

/// Where nothing is, and where callers find out what there is.
pub const NOTHING_HERE: Problem = Problem::NotFound { see: "/docs" };

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{name} {expected}")]
    InvalidParameter { name: &'static str, expected: String },
    #[error("the parameter {name} is missing: expected {expected}")]
    MissingParameter { name: &'static str, expected: &'static str },
    #[error("the parameter {name:?} is not known here: expected {expected}")]
    UnknownParameter { name: String, expected: String },
    #[error("the request could not be understood")]
    BadRequest,
    #[error("the body is not as expected: {0}")]
    InvalidBody(String),
    #[error(
        "a valid API key is required, as X-API-Key: KEY, as Authorization: Bearer KEY or, where that is allowed, as ?apikey=KEY"
    )]
    Unauthorized,
    #[error("no stock has the symbol {0}")]
    UnknownSymbol(Symbol),
    #[error("there is no such watchlist: see GET /api/watchlists")]
    UnknownWatchlist,
    #[error("there is a watchlist with the name {0:?} already: expected another name")]
    WatchlistExists(String),
    #[error(
        "there are {WATCHLISTS_PER_OWNER_MAX} watchlists, the most that are kept: delete one first"
    )]
    TooManyWatchlists,
    #[error("{symbol} has no prices {range}")]
    NoData { symbol: Symbol, range: String },
    #[error("there is no calendar of {exchange:?}: expected {}", Calendar::known_exchanges().join(" or "))]
    NoCalendar { exchange: String },
    #[error("nothing is known of {date}{}", no_day(exchange.as_deref(), *why))]
    NoDay { date: NaiveDate, exchange: Option<String>, why: Option<&'static str> },
    #[error("the data was restated while it was read: retry in {RETRY_AFTER_S} s")]
    Restated,
    #[error("there is nothing at this path: see {see}")]
    NotFound { see: &'static str },
    #[error("{method} is not allowed here: expected {}", allowed.replace(", ", " or "))]
    MethodNotAllowed { method: Method, allowed: &'static str },
    #[error(
        "/admin is switched off: set ADMIN_TOKEN or ADMIN_TOKEN_FILE to a secret of your own and start tickerd again"
    )]
    AdminOff,
    #[error("the token of operators is required, as Authorization: Bearer TOKEN (ADMIN_TOKEN)")]
    AdminUnauthorized,
    // What stands in the way of a change of keys: it is one sentence for HTTP and the command line.
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
    #[error("{}: retry in {retry_after_s} s", no_room(*limit, *cost))]
    RateLimited { limit: u32, cost: u32, retry_after_s: u64, upgrade: Option<String> },
    #[error(
        "this request counts as {cost}, more than the limit of {limit} requests a minute: ask for fewer symbols, or set a lower limit"
    )]
    TooHeavy { cost: u32, limit: u32 },
    #[error(
        "the limit of {limit} requests an hour without a key is reached for this address: retry in {retry_after_s} s"
    )]
    AddressLimited { limit: u32, retry_after_s: u64 },
    #[error("too many wrong keys came from this address: retry in {retry_after_s} s")]
    TooManyFailures { retry_after_s: u64 },
    #[error("more new keys are waiting to be verified than can be: retry in {RETRY_AFTER_S} s")]
    Busy,
    #[error("the data can't be reached right now: retry in {RETRY_AFTER_S} s")]
    Unavailable(#[source] StoreError),
    /// Another request for the same has just failed for want of Postgres; its line in the log has
    /// the cause.
    #[error("the data can't be reached right now: retry in {RETRY_AFTER_S} s")]
    RecentlyFailed,
    #[error("something went wrong here")]
    Internal(#[source] StoreError),
    #[error("something went wrong here")]
    NotHashed(#[source] HashError),
}

impl Problem {
    /// Status and code. The codes are published and stay.
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidParameter { .. } => (StatusCode::BAD_REQUEST, "invalid_parameter"),
            Self::MissingParameter { .. } => (StatusCode::BAD_REQUEST, "missing_parameter"),
            Self::UnknownParameter { .. } => (StatusCode::BAD_REQUEST, "unknown_parameter"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::InvalidBody(_) => (StatusCode::BAD_REQUEST, "invalid_body"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::UnknownSymbol(_) => (StatusCode::NOT_FOUND, "unknown_symbol"),
            Self::UnknownWatchlist => (StatusCode::NOT_FOUND, "unknown_watchlist"),
            Self::WatchlistExists(_) => (StatusCode::CONFLICT, "watchlist_exists"),
            Self::TooManyWatchlists => (StatusCode::CONFLICT, "too_many_watchlists"),
            Self::NoData { .. } | Self::NoDay { .. } => (StatusCode::NOT_FOUND, "no_data"),
            Self::NoCalendar { .. } => (StatusCode::NOT_FOUND, "no_calendar"),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::AdminOff => (StatusCode::FORBIDDEN, "admin_off"),
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
            Self::TooHeavy { .. } => (StatusCode::BAD_REQUEST, "too_heavy"),
            Self::AddressLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "address_limited"),
            Self::TooManyFailures { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_failures"),
            Self::Restated => (StatusCode::SERVICE_UNAVAILABLE, "restated"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
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

    /// What a client must never see and a log should hold.
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
            Self::Busy | Self::Restated | Self::Unavailable(_) | Self::RecentlyFailed => {
                Some(RETRY_AFTER_S)
            }
            _ => None,
        }
    }

    /// The body, as JSON.
    pub fn document(&self, request_id: &str) -> Vec<u8> {
        let (status, code) = self.kind();
        let detail = self.to_string();
        let upgrade =
            if let Self::RateLimited { upgrade, .. } = self { upgrade.as_deref() } else { None };
        let document = Document {
            r#type: format_args!("urn:problem-type:tickerd:{code}"),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: &detail,
            code,
            request_id,
            error: &detail,
            retry_after: self.retry_after_s(),
            upgrade,
        };
        serde_json::to_vec(&document).unwrap_or_default()
    }

    /// The nearest problem for an error that the framework answered by itself.
    pub fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => NOTHING_HERE,
            _ => Self::BadRequest,
        }
    }
}

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct Document<'a> {
    /// `urn:problem-type:tickerd:` and the code.
    #[schema(value_type = String)]
    r#type: fmt::Arguments<'a>,
    /// The name of the status.
    title: &'a str,
    status: u16,
    /// A sentence: what was expected, where, what to do.
    detail: &'a str,
    /// What programs go by: codes stay once published.
    code: &'a str,
    /// That of `X-Request-Id`: the operator finds the request by it.
    request_id: &'a str,
    /// The same as `detail`.
    error: &'a str,
    /// Seconds, as in `Retry-After`: with every 429 and 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
    /// Where more is sold: with 429, on the tier `free`, where the operator has such a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    upgrade: Option<&'a str>,
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind().0
    }

    /// Status and headers; the body is written at the boundary, which knows the request's id.
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

/// Of which exchange nothing is known, and why.
fn no_day(exchange: Option<&str>, why: Option<&str>) -> String {
    let of = exchange.map(|exchange| format!(" at the exchange {exchange:?}")).unwrap_or_default();
    let why = why.map(|why| format!(": US exchanges were closed ({why})")).unwrap_or_default();
    of + &why
}

fn no_room(limit: u32, cost: u32) -> String {
    match cost {
        1 => format!("the limit of {limit} requests a minute is reached"),
        _ => format!(
            "the limit of {limit} requests a minute has no room for one that counts as {cost}"
        ),
    }
}

/// Whatever has no route.
pub async fn not_found() -> Problem {
    NOTHING_HERE
}

impl actix_web::Responder for Problem {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::from_error(self)
    }
}
