//! The request log: one line per request, without keys. Lines and bytes per second are bounded.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use actix_web::http::Method;
use percent_encoding::percent_decode_str;

use crate::config::LogConfig;
use crate::keys::TOKEN_PREFIX;

/// The bytes of a URL in a line.
const URL_BYTES_MAX: usize = 2048;
/// The bytes of a line beside the URL, rounded up. The cause of an error may be longer.
const LINE_BYTES: usize = 300;

/// Bounds lines and bytes per second, separately for server errors and for all other requests.
pub struct RequestLog {
    /// Whether the log level includes requests without a server error. Looked up once, because the
    /// lookup goes through every filter.
    info_is_enabled: bool,
    errors: Budget,
    others: Budget,
}

impl RequestLog {
    pub fn new(config: &LogConfig) -> Self {
        let budget =
            || Budget::new(config.log_requests_per_s_max, config.log_request_bytes_per_s_max);
        Self {
            info_is_enabled: tracing::enabled!(tracing::Level::INFO),
            errors: budget(),
            others: budget(),
        }
    }

    /// Whether the line of a request may be written whose URL has `url_bytes`.
    pub fn allows_line(&self, is_error: bool, url_bytes: usize) -> bool {
        let bytes = (url_bytes.min(URL_BYTES_MAX) + LINE_BYTES) as u32;
        if is_error {
            self.errors.take_line(bytes)
        } else {
            self.info_is_enabled && self.others.take_line(bytes)
        }
    }
}

/// Lines and bytes per second.
struct Budget {
    started: Instant,
    per_s_max: u32,
    bytes_per_s_max: u32,
    /// The current second since `started`.
    second: AtomicU64,
    /// Lines in this second.
    lines: AtomicU32,
    /// Bytes of these lines.
    bytes: AtomicU32,
    /// Lines that were left out since the last report.
    left_out: AtomicU64,
}

impl Budget {
    fn new(per_s_max: u32, bytes_per_s_max: u32) -> Self {
        Self {
            started: Instant::now(),
            per_s_max,
            bytes_per_s_max,
            second: AtomicU64::new(0),
            lines: AtomicU32::new(0),
            bytes: AtomicU32::new(0),
            left_out: AtomicU64::new(0),
        }
    }

    /// Whether one more line of so many bytes fits. In a new second, first logs how many lines were
    /// left out.
    fn take_line(&self, bytes: u32) -> bool {
        let second = self.started.elapsed().as_secs();
        if self.second.load(Ordering::Relaxed) != second
            && self.second.swap(second, Ordering::Relaxed) != second
        {
            self.lines.store(0, Ordering::Relaxed);
            self.bytes.store(0, Ordering::Relaxed);
            let left_out = self.left_out.swap(0, Ordering::Relaxed);
            if left_out > 0 {
                tracing::info!(
                    left_out,
                    "requests not logged (LOG_REQUESTS_PER_S_MAX, LOG_REQUEST_BYTES_PER_S_MAX)"
                );
            }
        }
        let fits = self.lines.load(Ordering::Relaxed) < self.per_s_max
            && self.bytes.load(Ordering::Relaxed).saturating_add(bytes) <= self.bytes_per_s_max
            && self.lines.fetch_add(1, Ordering::Relaxed) < self.per_s_max;
        if !fits {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        } else {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        fits
    }
}

/// The method of a request, for the log, traces and errors. A client may send any text as a method,
/// a key too, so only the standard ones are shown.
pub fn shown_method(method: &Method) -> &'static str {
    const STANDARD: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    const NAMES: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    let standard = STANDARD.iter().position(|standard| standard == method);
    standard.map_or("_OTHER", |at| NAMES[at])
}

/// A path and query for the log.
///
/// Three dots replace each part that contains what looks like a token, each parameter whose name
/// suggests one, and what is beyond [`URL_BYTES_MAX`].
pub fn without_keys(url: &str) -> String {
    let end = url.floor_char_boundary(URL_BYTES_MAX);
    let (url, is_cut) = (&url[..end], end < url.len());
    let (path, query) =
        url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let mut shown = String::with_capacity(url.len());
    show_parts(&mut shown, path, '/');
    if let Some(query) = query {
        shown.push('?');
        // A value may contain any other character, so it is replaced as a whole.
        show_parts(&mut shown, query, '&');
    }
    if is_cut {
        shown.push_str("...");
    }
    shown
}

fn show_parts(shown: &mut String, text: &str, separator: char) {
    for part in text.split_inclusive(separator) {
        let text = part.trim_end_matches(separator);
        shown.push_str(if may_contain_key(text) { "..." } else { text });
        shown.push_str(&part[text.len()..]);
    }
}

fn may_contain_key(part: &str) -> bool {
    let mut part = part.to_ascii_lowercase();
    // Some clients encode twice. Each round makes the text shorter.
    while part.contains('%') {
        let decoded = percent_decode_str(&part).decode_utf8_lossy().to_ascii_lowercase();
        if decoded == part {
            break;
        }
        part = decoded;
    }
    let name = part.split_once('=').map(|(name, _)| name.replace(['-', '_'], ""));
    let is_named_like_key = name.is_some_and(|name| {
        ["apikey", "xapikey", "key", "token", "accesstoken"].contains(&name.as_str())
    });
    is_named_like_key || part.contains(TOKEN_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_logged_wherever_it_is_in_the_url() {
        for (url, shown) in [
            (
                "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31",
                "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31",
            ),
            ("/api/stocks?apikey=tk_live_abc&limit=5", "/api/stocks?...&limit=5"),
            ("/api/stocks?API_KEY=abc", "/api/stocks?..."),
            ("/api/stocks/tk_live_abc_def/prices", "/api/stocks/.../prices"),
            ("/x?symbol=tk_live_abc", "/x?..."),
            ("/x?symbol=tk%5Flive_abc&api%6Bey=abc", "/x?...&..."),
            ("/x?apikey=a/b?c=d&limit=5", "/x?...&limit=5"),
            ("/x?limit=5&APIKEY=%61%2Fb%26c", "/x?limit=5&..."),
            ("/x?%61pikey=a&&=b", "/x?...&&=b"),
            ("/x?apikey", "/x?apikey"),
            ("/x?symbol=tk%255Flive_abc&%2561pikey=abc&y=%25", "/x?...&...&y=%25"),
        ] {
            assert_eq!(without_keys(url), shown);
        }
    }

    #[test]
    fn a_long_url_is_cut_and_no_key_is_logged_at_the_cut() {
        let url = |length: usize| format!("/api/stocks/{}", "é".repeat(length));
        assert_eq!(without_keys(&url(10)), url(10));
        let cut = without_keys(&url(30_000));
        assert!(cut.len() <= URL_BYTES_MAX + 3 && cut.ends_with("é..."), "{}", cut.len());
        for length in 2000..2060 {
            let url = format!("/x?{}&symbol=tk_live_secret_part", "y".repeat(length));
            assert!(!without_keys(&url).contains("tk_live_"), "{length}");
        }
    }

    #[test]
    fn only_standard_methods_are_shown() {
        let shown = |text: &[u8]| shown_method(&Method::from_bytes(text).unwrap());
        assert_eq!([shown(b"GET"), shown(b"PATCH")], ["GET", "PATCH"]);
        for other in [b"tk_live_abc".as_slice(), b"get", &[b'A'; 5000]] {
            assert_eq!(shown(other), "_OTHER");
        }
    }

    #[test]
    fn the_lines_of_a_second_are_bounded() {
        let budget = || Budget::new(3, 10_000);
        let log = RequestLog { info_is_enabled: true, errors: budget(), others: budget() };
        assert_eq!((0..1000).filter(|_| log.allows_line(false, 20)).count() % 3, 0);
        assert!(log.others.left_out.load(Ordering::Relaxed) >= 991);
        assert!(log.allows_line(true, 20), "other requests do not use up the lines of errors");
    }

    #[test]
    fn the_bytes_of_a_second_are_bounded_and_long_urls_get_fewer_lines() {
        // Two seconds may begin while this runs, each with its own bytes.
        let written = |url_bytes| {
            let budget = || Budget::new(100, 64 * 1024);
            let log = RequestLog { info_is_enabled: true, errors: budget(), others: budget() };
            (0..10_000).filter(|_| log.allows_line(false, url_bytes)).count()
        };
        assert!(written(20) >= 100);
        let long = written(1_000_000);
        assert!((27..=54).contains(&long), "{long} lines of 2348 bytes");
    }
}
