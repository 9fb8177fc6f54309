//! Responses made from cache entries.

use std::cell::RefCell;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;

use super::shared::HeaderWriter;
use crate::cache::{Encoding, Entry, Variant};
use crate::http::request::context::CacheOutcome;
use crate::http::request::negotiation::{accepts_gzip, names_tag};
use crate::http::respond::success::{UNKNOWN, VARY, VARY_NEGOTIATED, media_type};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

type Header = (HeaderName, HeaderValue);

/// The headers of the responses made from an entry in one encoding. Most of them are the same for
/// every request.
pub struct EntryHeaders {
    /// Of each response.
    common: Vec<Header>,
    /// Of a response with a body: `Content-Type`, and `Content-Encoding` if it is compressed.
    of_body: Vec<Header>,
    etag: HeaderValue,
    times: RefCell<Times>,
}

/// The headers that change with time.
struct Times {
    age_s: u64,
    fresh_for_s: u64,
    age: HeaderValue,
    cache_control: HeaderValue,
}

impl Times {
    /// The headers at `now_ms` (epoch milliseconds).
    fn of(entry: &Entry, now_ms: u64) -> Self {
        let (age_s, fresh_for_s) = (entry.age_s(now_ms), entry.fresh_for_s(now_ms));
        let mut writer = HeaderWriter::new();
        Self {
            age_s,
            fresh_for_s,
            age: writer.number(age_s).finish(),
            cache_control: writer.text("private, max-age=").number(fresh_for_s).finish(),
        }
    }
}

impl EntryHeaders {
    /// The headers of `variant`, which is one of `entry`. `is_negotiated`: `Accept` may choose the
    /// format.
    pub fn new(entry: &Entry, variant: &Variant, is_negotiated: bool, now_ms: u64) -> Self {
        let vary = if is_negotiated { VARY_NEGOTIATED } else { VARY };
        let mut common = vec![(header::VARY, vary)];
        let cached = [(header::LINK, &entry.headers.link), (UNKNOWN, &entry.headers.unknown)];
        for (name, value) in cached {
            let value = value.clone().map(HeaderValue::from_maybe_shared);
            common.extend(value.and_then(Result::ok).map(|value| (name, value)));
        }
        let mut of_body = vec![(header::CONTENT_TYPE, media_type(entry.media))];
        if variant.encoding == Encoding::Gzip {
            of_body.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        let (etag, times) = (tag_value(&variant.etag), RefCell::new(Times::of(entry, now_ms)));
        Self { common, of_body, etag, times }
    }

    /// The response to a request with these headers: 200 with the body of `variant`, or 304 if the
    /// client has it.
    pub fn to_response(
        &self,
        request_headers: &HeaderMap,
        entry: &Entry,
        variant: &Variant,
        outcome: CacheOutcome,
        now_ms: u64,
    ) -> HttpResponse {
        let mut times = self.times.borrow_mut();
        if times.age_s != entry.age_s(now_ms) || times.fresh_for_s != entry.fresh_for_s(now_ms) {
            *times = Times::of(entry, now_ms);
        }
        let matching = matching_tag(request_headers, entry, &variant.etag);
        let (mut response, of_body, etag) = match matching {
            Some(tag) => {
                (HttpResponse::new(StatusCode::NOT_MODIFIED), [].as_slice(), tag_value(tag))
            }
            None => {
                let body = BoxBody::new(variant.body.clone());
                let response = HttpResponse::with_body(StatusCode::OK, body);
                (response, self.of_body.as_slice(), self.etag.clone())
            }
        };
        let headers = response.headers_mut();
        for (name, value) in self.common.iter().chain(of_body) {
            headers.insert(name.clone(), value.clone());
        }
        headers.insert(header::CACHE_CONTROL, times.cache_control.clone());
        headers.insert(header::AGE, times.age.clone());
        headers.insert(X_CACHE, HeaderValue::from_static(outcome.text()));
        headers.insert(header::ETAG, etag);
        response
    }
}

fn tag_value(tag: &Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(tag.clone()).expect("a tag is hexadecimal digits in quotes")
}

/// The entity tag in `If-None-Match` under which the client has this entry, in an encoding that it
/// accepts. `sent` is the tag of the variant that it would get, which is preferred.
///
/// Tags are compared weakly (RFC 9110, 13.1.2), so a proxy may have added `W/`.
fn matching_tag<'a>(headers: &HeaderMap, entry: &'a Entry, sent: &'a Bytes) -> Option<&'a Bytes> {
    if !headers.contains_key(header::IF_NONE_MATCH) {
        return None;
    }
    let plain = &entry.variant(false).etag;
    // Without Accept-Encoding, the client accepts all encodings (RFC 9110, 12.5.3).
    let takes_gzip = || accepts_gzip(headers) || !headers.contains_key(header::ACCEPT_ENCODING);
    let gzip = || Some(entry.gzip_etag()).filter(|etag| names_tag(headers, etag) && takes_gzip());
    [sent, plain].into_iter().find(|etag| names_tag(headers, etag)).or_else(gzip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{CachedResponse, Lifetime};
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    fn entry(body: &str) -> Entry {
        let lifetime = Lifetime { fresh_s: 60, revalidate_s: 6 };
        Entry::new(CachedResponse::json(body.to_owned()), lifetime, 0)
    }

    fn headers(name: HeaderName, value: &[u8]) -> Option<HeaderMap> {
        let value = HeaderValue::from_bytes(value).ok()?;
        let request = TestRequest::default().insert_header((name, value)).to_http_request();
        Some(request.headers().clone())
    }

    fn matches(entry: &Entry, tags: &str) -> bool {
        let headers = headers(header::IF_NONE_MATCH, tags.as_bytes()).unwrap();
        matching_tag(&headers, entry, &entry.variant(false).etag).is_some()
    }

    proptest! {
        #[test]
        fn a_tag_matches_among_others_and_other_tags_do_not(
            body in ".{0,40}",
            others in prop::collection::vec("(W/)?\"[!#-~&&[^,]]{0,20}\"", 0..4),
            at in any::<prop::sample::Index>(),
            weak: bool,
            blank in " {0,2}"
        ) {
            let entry = entry(&body);
            let tag = std::str::from_utf8(&entry.variant(false).etag).unwrap().to_owned();
            let mut tags = others;
            prop_assert!(!matches(&entry, &tags.join(",")));
            let tag = if weak { format!("W/{tag}") } else { tag };
            tags.insert(at.index(tags.len() + 1), tag);
            let tags = tags.join(&format!("{blank},{blank}"));
            prop_assert!(matches(&entry, &tags), "{}", tags);
        }

        #[test]
        fn any_other_header_matches_only_with_a_star_and_without_a_panic(
            value in prop::collection::vec(32u8..=255, 0..60)
        ) {
            let Some(headers) = headers(header::IF_NONE_MATCH, &value) else { return Ok(()) };
            let entry = entry("{}");
            let matching = matching_tag(&headers, &entry, &entry.variant(false).etag);
            prop_assert!(matching.is_none() || value.contains(&b'*'));
        }

        #[test]
        fn gzip_is_accepted_if_it_is_named_with_a_quality_above_zero(
            others in prop::collection::vec(
                "(br|deflate|identity|zstd)(;q=(0|0\\.[0-9]|1))?",
                0..4
            ),
            at in any::<prop::sample::Index>(),
            tenths in 0u8..=10,
            upper: bool
        ) {
            let name = if upper { "GZIP" } else { "gzip" };
            let mut encodings = others;
            let gzip = format!("{name};q={}.{}", tenths / 10, tenths % 10);
            encodings.insert(at.index(encodings.len() + 1), gzip);
            let headers = headers(header::ACCEPT_ENCODING, encodings.join(", ").as_bytes());
            prop_assert_eq!(accepts_gzip(&headers.unwrap()), tenths > 0);
        }

        #[test]
        fn any_header_is_read_without_a_panic_and_only_gzip_or_a_star_accepts_gzip(
            value in "[ -~]{0,60}"
        ) {
            let headers = headers(header::ACCEPT_ENCODING, value.as_bytes());
            let Some(headers) = headers else { return Ok(()) };
            let names_gzip = value.to_lowercase().contains("gzip") || value.contains('*');
            prop_assert!(!accepts_gzip(&headers) || names_gzip);
        }
    }
}
