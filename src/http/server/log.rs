//! One line a request, without a key in it, and never more lines than a disk can take.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use percent_encoding::percent_decode_str;

use crate::keys::TOKEN_PREFIX;

/// Bounds the lines about requests in any second: those about server errors, and the others, each
/// for themselves.
pub struct RequestLog {
    /// Whether lines about requests that did not fail are wanted at all: asked once, since that
    /// goes through every filter.
    tells_all: bool,
    errors: Budget,
    others: Budget,
}

impl RequestLog {
    pub fn new(per_s_max: u32) -> Self {
        let tells_all = tracing::enabled!(tracing::Level::INFO);
        Self { tells_all, errors: Budget::new(per_s_max), others: Budget::new(per_s_max) }
    }

    /// Whether one more line fits into this second.
    pub fn takes_a_line(&self, is_error: bool) -> bool {
        if is_error {
            self.errors.takes_a_line()
        } else {
            self.tells_all && self.others.takes_a_line()
        }
    }
}

struct Budget {
    started: Instant,
    per_s_max: u32,
    second: AtomicU64,
    lines: AtomicU32,
    left_out: AtomicU64,
}

impl Budget {
    fn new(per_s_max: u32) -> Self {
        let (second, lines, left_out) = (AtomicU64::new(0), AtomicU32::new(0), AtomicU64::new(0));
        Self { started: Instant::now(), per_s_max, second, lines, left_out }
    }

    /// Whether one more fits. At the turn of a second, says how many did not.
    fn takes_a_line(&self) -> bool {
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

/// A path and query as they may be logged: a part that holds what looks like a token, wherever it
/// was put by mistake, is left out, and so is one that is named as if it held one.
pub fn without_keys(url: &str) -> String {
    let (path, query) =
        url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let mut shown = String::with_capacity(url.len());
    show_parts(&mut shown, path, '/');
    if let Some(query) = query {
        shown.push('?');
        // A value may hold any other sign: it is left out whole.
        show_parts(&mut shown, query, '&');
    }
    shown
}

fn show_parts(shown: &mut String, text: &str, separator: char) {
    for part in text.split_inclusive(separator) {
        let text = part.trim_end_matches(separator);
        shown.push_str(if may_hold_a_key(text) { "..." } else { text });
        shown.push_str(&part[text.len()..]);
    }
}

fn may_hold_a_key(part: &str) -> bool {
    let part = percent_decode_str(part).decode_utf8_lossy().to_ascii_lowercase();
    let name = part.split_once('=').map(|(name, _)| name.replace(['-', '_'], ""));
    let names_a_key = name.is_some_and(|name| {
        ["apikey", "xapikey", "key", "token", "accesstoken"].contains(&name.as_str())
    });
    names_a_key || part.contains(TOKEN_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_survives_wherever_it_was_put() {
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
    fn a_second_takes_so_many_lines_and_no_more() {
        let log = RequestLog { tells_all: true, ..RequestLog::new(3) };
        assert_eq!((0..1000).filter(|_| log.takes_a_line(false)).count() % 3, 0);
        assert!(log.others.left_out.load(Ordering::Relaxed) >= 991);
        assert!(log.takes_a_line(true), "a flood of requests leaves the lines of errors alone");
    }
}
