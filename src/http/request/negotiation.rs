//! What a client accepts, and what it has already: `Accept`, `Accept-Encoding` and
//! `If-None-Match`.

use actix_web::http::header::{self, HeaderMap};

/// What proxies add to a tag, before its closing quote, when they compress a response.
const PROXY_SUFFIXES: [&[u8]; 7] =
    [b"-gzip", b"--gzip", b";gzip", b"-br", b"-zstd", b"-deflate", b":br"];

/// Whether `Accept-Encoding` names gzip with a quality value above 0. If it does not name gzip, `*`
/// counts instead (RFC 9110, 12.5.3).
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let quality_of = |wanted: &str| {
        let accepted = headers
            .get_all(header::ACCEPT_ENCODING)
            .filter_map(|encodings| encodings.to_str().ok());
        accepted.flat_map(|encodings| encodings.split(',')).find_map(|encoding| {
            let (name, quality) = encoding.split_once(';').unwrap_or((encoding, "q=1"));
            let quality =
                quality.trim().strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok());
            name.trim().eq_ignore_ascii_case(wanted).then(|| quality.unwrap_or(0.0))
        })
    };
    quality_of("gzip").or_else(|| quality_of("*")).is_some_and(|quality| quality > 0.0)
}

/// Whether `If-None-Match` contains this tag, by weak comparison (RFC 9110, 13.1.2). A proxy that
/// compresses may have made the tag weak, or added a suffix to it.
pub fn names_tag(headers: &HeaderMap, etag: &[u8]) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).filter_map(|tags| tags.to_str().ok());
    lines.flat_map(|tags| tags.split(',')).any(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag).as_bytes();
        tag == b"*" || tag == etag || without_proxy_suffix(tag, etag)
    })
}

/// Whether a tag is `etag` with the suffix of a proxy.
fn without_proxy_suffix(tag: &[u8], etag: &[u8]) -> bool {
    let (Some(tag), Some(etag)) = (tag.strip_suffix(b"\""), etag.strip_suffix(b"\"")) else {
        return false;
    };
    tag.strip_prefix(etag).is_some_and(|suffix| PROXY_SUFFIXES.contains(&suffix))
}

/// Whether the client is a browser that loads a page: it names HTML, and before any JSON.
pub fn wants_html(headers: &HeaderMap) -> bool {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()) else {
        return false;
    };
    let mut media = accept.split(',').map(|range| range.split(';').next().unwrap_or("").trim());
    media.find(|media| *media == "text/html" || media.ends_with("json")) == Some("text/html")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        TestRequest::default().insert_header((name, value)).to_http_request().headers().clone()
    }

    #[test]
    fn a_tag_is_recognized_as_proxies_change_it() {
        for (sent, is_named) in [
            ("\"abc-gz\"", true),
            ("W/\"abc-gz\"", true),
            ("\"abc-gz-gzip\"", true),
            ("W/\"abc-gz;gzip\", \"other\"", true),
            ("\"abc-gz--gzip\"", true),
            ("\"abc-gz-br\"", true),
            ("*", true),
            ("\"abc\"", false),
            ("\"abc-gzx\"", false),
            ("\"abc-gz-gzip", false),
            ("abc-gz", false),
        ] {
            let headers = headers(header::IF_NONE_MATCH, sent);
            assert_eq!(names_tag(&headers, b"\"abc-gz\""), is_named, "{sent}");
        }
    }

    #[test]
    fn a_browser_that_loads_a_page_is_told_from_a_program() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, wants) in [
            (browser, true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html", false),
            ("text/csv", false),
        ] {
            assert_eq!(wants_html(&headers(header::ACCEPT, accept)), wants, "{accept}");
        }
    }
}
