//! The request log: one line per request, without keys, and a bounded number of lines per second.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use percent_encoding::percent_decode_str;

use crate::keys::TOKEN_PREFIX;

/// Bounds the lines per second, separately for server errors and for all other requests.
pub struct RequestLog {
    /// Whether the log level includes requests without a server error. Looked up once, because the
    /// lookup goes through every filter.
    info_is_enabled: bool,
    errors: Budget,
    others: Budget,
}

impl RequestLog {
    pub fn new(per_s_max: u32) -> Self {
        Self {
            info_is_enabled: tracing::enabled!(tracing::Level::INFO),
            errors: Budget::new(per_s_max),
            others: Budget::new(per_s_max),
        }
    }

    /// Whether the line of a request may be written.
    pub fn allows_line(&self, is_error: bool) -> bool {
        if is_error {
            self.errors.take_line()
        } else {
            self.info_is_enabled && self.others.take_line()
        }
    }
}

/// Lines per second.
struct Budget {
    started: Instant,
    per_s_max: u32,
    /// The current second since `started`.
    second: AtomicU64,
    /// Lines in this second.
    lines: AtomicU32,
    /// Lines that were left out since the last report.
    left_out: AtomicU64,
}

impl Budget {
    fn new(per_s_max: u32) -> Self {
        Self {
            started: Instant::now(),
            per_s_max,
            second: AtomicU64::new(0),
            lines: AtomicU32::new(0),
            left_out: AtomicU64::new(0),
        }
    }

    /// Whether one more line fits. In a new second, first logs how many lines were left out.
    fn take_line(&self) -> bool {
        let second = self.started.elapsed().as_secs();
        if self.second.load(Ordering::Relaxed) != second
            && self.second.swap(second, Ordering::Relaxed) != second
        {
            self.lines.store(0, Ordering::Relaxed);
            let left_out = self.left_out.swap(0, Ordering::Relaxed);
            if left_out > 0 {
                tracing::info!(left_out, "requests not logged (LOG_REQUESTS_PER_S_MAX)");
            }
        }
        let fits = self.lines.load(Ordering::Relaxed) < self.per_s_max
            && self.lines.fetch_add(1, Ordering::Relaxed) < self.per_s_max;
        if !fits {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        fits
    }
}

/// A path and query for the log.
///
/// Three dots replace each part that contains what looks like a token, and each parameter whose
/// name suggests one.
pub fn without_keys(url: &str) -> String {
    let (path, query) =
        url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let mut shown = String::with_capacity(url.len());
    show_parts(&mut shown, path, '/');
    if let Some(query) = query {
        shown.push('?');
        // A value may contain any other character, so it is replaced as a whole.
        show_parts(&mut shown, query, '&');
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
    let part = percent_decode_str(part).decode_utf8_lossy().to_ascii_lowercase();
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
        ] {
            assert_eq!(without_keys(url), shown);
        }
    }

    #[test]
    fn the_lines_of_a_second_are_bounded() {
        let log = RequestLog { info_is_enabled: true, ..RequestLog::new(3) };
        assert_eq!((0..1000).filter(|_| log.allows_line(false)).count() % 3, 0);
        assert!(log.others.left_out.load(Ordering::Relaxed) >= 991);
        assert!(log.allows_line(true), "other requests do not use up the lines of errors");
    }
}
