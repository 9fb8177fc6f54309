//! Pages of a long answer: where the next one begins, and its URL.
//!
//! A page goes on from the last row of the one before, not from a number of rows: what is loaded
//! meanwhile can neither hide a row nor show one twice.

use std::fmt::{Display, Write};
use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::Problem;
use crate::http::request::query::{Query, invalid};

/// Set before what a cursor holds: one of another form is refused, not misread.
const FORM: &str = "1:";
/// Room for most keys, so that none is moved while it is written.
const KEY_BYTES: usize = 160;

impl Query<'_> {
    /// The last row of the page before.
    pub fn cursor<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Problem> {
        let Some(cursor) = self.given(name) else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let row = text
            .as_deref()
            .and_then(|text| text.strip_prefix(FORM))
            .and_then(|row| row.parse().ok());
        row.map(Some).ok_or_else(|| {
            invalid(name, "is not valid: expected what `next` of an earlier answer holds")
        })
    }
}

/// The key of a page under a data version: the version, and the page's URL behind it.
pub fn key_of(version: i64, url: impl Fn(&mut String), after: Option<impl Display>) -> String {
    let mut key = String::with_capacity(KEY_BYTES);
    // Writing to a text can't fail.
    let _ = write!(key, "v{version}");
    url(&mut key);
    match after {
        Some(row) => url_after(key, row),
        None => key,
    }
}

/// The URL of a page: that of the question, from after a row on.
pub fn url_after(mut url: String, row: impl Display) -> String {
    let cursor = URL_SAFE_NO_PAD.encode(format!("{FORM}{row}"));
    let separator = if url.contains('?') { '&' } else { '?' };
    // Writing to a text can't fail.
    let _ = write!(url, "{separator}cursor={cursor}");
    url
}

/// Names the next page in the headers of an answer (RFC 8288).
pub fn link(answer: &mut HttpResponse, next: Option<&str>) {
    if let Some(next) = next
        && let Ok(link) = HeaderValue::try_from(format!("<{next}>; rel=\"next\""))
    {
        answer.headers_mut().insert(header::LINK, link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::parameter::{Parameter, Takes};
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    const CURSOR: &[Parameter] = &[Parameter::new("cursor", Takes::Cursor, "")];

    fn read(url: &str) -> Result<Option<u64>, Problem> {
        let request = TestRequest::with_uri(url).to_http_request();
        Query::of(&request, CURSOR)?.cursor("cursor")
    }

    proptest! {
        #[test]
        fn a_cursor_is_read_as_it_was_written(row: u64) {
            prop_assert_eq!(read(&url_after("/api/events".to_owned(), row)).unwrap(), Some(row));
        }

        #[test]
        fn any_other_text_is_refused_without_a_panic(text in "[A-Za-z0-9_-]{0,20}", other_form in "([02-9]?:)?[0-9]{1,9}|1:[0-9]{0,5}[a-z]") {
            for text in [text, URL_SAFE_NO_PAD.encode(other_form)] {
                prop_assert!(read(&format!("/?cursor={text}")).is_err(), "{}", text);
            }
        }
    }
}
