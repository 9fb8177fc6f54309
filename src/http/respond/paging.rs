//! Pages of a long response: the cursor, the URL of the next page, and its header.
//!
//! A cursor names the last row of its page, not a number of rows. So rows that are loaded between
//! two requests hide no row and show none twice.

use std::fmt::{Display, Write};
use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The version of the format of a cursor. A cursor of another version is rejected.
const FORM: &str = "1:";
/// Enough for most cache keys, so that the string does not grow while it is written.
const KEY_BYTES: usize = 160;

/// The last row of the page before, from a cursor. `None` if the text is no cursor.
pub fn decode_cursor<T: FromStr>(cursor: &str) -> Option<T> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix(FORM)?.parse().ok()
}

/// The cache key of a page: the data version and the URL of the page, which `url` writes.
pub fn page_key(version: i64, url: impl Fn(&mut String), after: Option<impl Display>) -> String {
    let mut key = String::with_capacity(KEY_BYTES);
    // Writing to a string does not fail.
    let _ = write!(key, "v{version}");
    url(&mut key);
    match after {
        Some(row) => url_after(key, row),
        None => key,
    }
}

/// The URL of the page after `row`.
pub fn url_after(mut url: String, row: impl Display) -> String {
    let cursor = URL_SAFE_NO_PAD.encode(format!("{FORM}{row}"));
    let separator = if url.contains('?') { '&' } else { '?' };
    // Writing to a string does not fail.
    let _ = write!(url, "{separator}cursor={cursor}");
    url
}

/// Adds a `Link` to the next page (RFC 8288), if there is one.
pub fn set_next_link(response: &mut HttpResponse, next: Option<&str>) {
    if let Some(next) = next
        && let Ok(link) = HeaderValue::try_from(format!("<{next}>; rel=\"next\""))
    {
        response.headers_mut().insert(header::LINK, link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cursor_of(url: &str) -> &str {
        url.split_once("?cursor=").unwrap().1
    }

    proptest! {
        #[test]
        fn a_cursor_is_decoded_to_its_row(row: u64) {
            let url = url_after("/api/events".to_owned(), row);
            prop_assert_eq!(decode_cursor(cursor_of(&url)), Some(row));
        }

        #[test]
        fn any_other_text_is_no_cursor(
            text in "[A-Za-z0-9_-]{0,20}",
            other_form in "([02-9]?:)?[0-9]{1,9}|1:[0-9]{0,5}[a-z]"
        ) {
            for text in [text, URL_SAFE_NO_PAD.encode(other_form)] {
                prop_assert_eq!(decode_cursor::<u64>(&text), None);
            }
        }
    }
}
