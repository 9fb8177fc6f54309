//! Requests that were answered from the cache, by their raw form, so that the next request of the
//! same form needs neither the router nor a parser.
//!
//! A worker remembers the entry that the cache had for a URL with its `Accept` and
//! `Accept-Encoding`. That holds until a data version changes, or until the next day in UTC,
//! because parameters may refer to today. Each worker has a memo of its own, which needs no lock.

use std::cell::Cell;
use std::sync::{Arc, Weak};

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use chrono::{DateTime, Datelike, Utc};
use quick_cache::unsync::Cache;

use super::entry_response::EntryHeaders;
use crate::cache::{Entry, Versions};
use crate::clock::epoch_ms;
use crate::http::request::context::CacheOutcome;
use crate::http::request::negotiation::accepts_gzip;
use crate::http::request::query::key_in;
use crate::http::respond::pieces::is_long;
use crate::route::Route;

/// Requests that one worker remembers.
const REQUESTS_MAX: usize = 4096;
/// The size of a request that is remembered: its URL and the two headers.
const REQUEST_BYTES_MAX: usize = 512;

/// What a worker remembers.
pub struct RequestMemo {
    requests: Cache<Box<str>, Remembered>,
    /// The raw form of the request that is looked up. Kept to save an allocation per request.
    form: String,
}

struct Remembered {
    cache_key: Box<str>,
    /// The cache owns the entry, and may evict it.
    entry: Weak<Entry>,
    accepts_gzip: bool,
    headers: EntryHeaders,
    facts: Facts,
    /// The day, in UTC, on which the request was parsed.
    day: i32,
    /// When the cache last learned that the entry is in use, in epoch seconds.
    reported_s: Cell<u64>,
}

/// What follows from the raw form of a request.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    pub route: Route,
    pub cost: u32,
    /// Whether `Accept` may choose the format of the response.
    pub is_negotiated: bool,
    /// [`Versions::epoch`] before the cache key was made.
    pub epoch: u64,
}

/// A fresh entry, and what is known of its request.
pub struct Recalled<'a> {
    entry: Arc<Entry>,
    remembered: &'a Remembered,
}

impl Recalled<'_> {
    pub fn facts(&self) -> Facts {
        self.remembered.facts
    }

    /// The response to a request with these headers.
    pub fn to_response(&self, headers: &HeaderMap, now_ms: u64) -> HttpResponse {
        let Self { entry, remembered } = self;
        let variant = entry.variant(remembered.accepts_gzip);
        remembered.headers.to_response(headers, entry, variant, CacheOutcome::Hit, now_ms)
    }

    /// The cache key once a second, for the cache to learn that the entry is in use.
    pub fn key_to_report(&self, now_ms: u64) -> Option<&str> {
        let now_s = now_ms / 1000;
        let is_reported = self.remembered.reported_s.replace(now_s) == now_s;
        (!is_reported).then_some(&self.remembered.cache_key)
    }
}

impl Default for RequestMemo {
    fn default() -> Self {
        Self { requests: Cache::new(REQUESTS_MAX), form: String::new() }
    }
}

impl RequestMemo {
    /// Remembers the entry that the cache had for a request at `now`.
    pub fn insert(
        &mut self,
        head: &RequestHead,
        cache_key: &str,
        entry: &Arc<Entry>,
        facts: Facts,
        now: DateTime<Utc>,
    ) {
        if !write_form(&mut self.form, head) {
            return;
        }
        let (accepts_gzip, now_ms) = (accepts_gzip(&head.headers), epoch_ms(now));
        let variant = entry.variant(accepts_gzip);
        // A long body counts as a stream of its key, which the app does.
        if is_long(variant.body.size()) {
            return;
        }
        let remembered = Remembered {
            cache_key: cache_key.into(),
            entry: Arc::downgrade(entry),
            accepts_gzip,
            headers: EntryHeaders::new(entry, variant, facts.is_negotiated, now_ms),
            facts,
            day: now.num_days_from_ce(),
            reported_s: Cell::new(now_ms / 1000),
        };
        self.requests.insert(self.form.as_str().into(), remembered);
    }

    /// The entry for a request at `now`, if the cache would find the same one.
    pub fn recall(
        &mut self,
        head: &RequestHead,
        versions: &Versions,
        now: DateTime<Utc>,
    ) -> Option<Recalled<'_>> {
        if !write_form(&mut self.form, head) {
            return None;
        }
        let remembered = self.requests.get(self.form.as_str())?;
        let now_ms = epoch_ms(now);
        let is_current =
            remembered.facts.epoch == versions.epoch() && remembered.day == now.num_days_from_ce();
        let entry = remembered.entry.upgrade()?;
        if !is_current || !entry.is_fresh(now_ms) {
            return None;
        }
        Some(Recalled { entry, remembered })
    }
}

/// Writes the raw form of a request over `form`. False if it can't be remembered, as a URL with an
/// API key.
fn write_form(form: &mut String, head: &RequestHead) -> bool {
    let has_key = !matches!(key_in(head.uri.query().unwrap_or_default()), Ok(None));
    // The errors of a path that is written differently may be pages.
    if has_key || !head.uri.path().starts_with("/api/") {
        return false;
    }
    form.clear();
    let url = head.uri.path_and_query().map(|url| url.as_str());
    let parts = [
        url,
        only_value(&head.headers, &header::ACCEPT),
        only_value(&head.headers, &header::ACCEPT_ENCODING),
    ];
    parts.into_iter().all(|part| {
        let Some(part) = part.filter(|part| form.len() + part.len() < REQUEST_BYTES_MAX) else {
            return false;
        };
        form.push_str(part);
        form.push('\n'); // which no part contains
        true
    })
}

/// The value of a header, empty without one. `None` if there are several or it is not text.
fn only_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Some(""),
        (Some(value), None) => value.to_str().ok(),
        (Some(_), Some(_)) => None,
    }
}
