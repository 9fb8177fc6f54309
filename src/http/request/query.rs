//! The query of a request, parameter by parameter. Unknown parameters are rejected, not ignored.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::http::header;
use chrono::{NaiveDate, Utc};

use super::parameter::{Parameter, Takes, Whole};
use crate::http::respond::error::Problem;
use crate::http::respond::format::Format;
use crate::http::respond::paging::decode_cursor;
use crate::http::server::state::State;
use crate::keys::TOKEN_PREFIX;
use crate::market::{AsOf, Symbol, parse_date};

/// The parameter for an API key.
pub const KEY: &str = "apikey";
/// The time as of which data is read.
pub const AS_OF: Parameter = Parameter::new(
    "asof",
    Takes::DateOrTime,
    "The data as it was published at this time, or at the end of this day in UTC, with the stocks \
     that had the symbols then. Default: now.",
);
/// The longest text of a filter, in characters.
const TEXT_CHARS_MAX: usize = 100;

/// The parameters of a request, all known to its route, each given once. The values of a list that
/// is given several times, as generated clients do, are joined by commas.
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// The query of a route with the parameters `known`.
    ///
    /// # Errors
    /// When a parameter is not in `known`, or is given twice.
    pub fn of(request: &'a HttpRequest, known: &[Parameter]) -> Result<Self, Problem> {
        let takes_key = || State::of(request).http.apikey_in_query;
        let known = known.iter().map(|known| (known.name, known.takes.is_list()));
        Self::parse(request.query_string(), known, takes_key)
    }

    /// The query of a route that is not in the public reference.
    pub fn naming(request: &'a HttpRequest, known: &[&'static str]) -> Result<Self, Problem> {
        Self::parse(request.query_string(), known.iter().map(|name| (*name, false)), || false)
    }

    /// `known` has names, each with whether the parameter is a list. `takes_key` returns whether a
    /// key may be among the parameters. Authentication has read it.
    fn parse(
        query: &'a str,
        known: impl Iterator<Item = (&'static str, bool)> + Clone,
        takes_key: impl Fn() -> bool,
    ) -> Result<Self, Problem> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let key = || (name == KEY && takes_key()).then_some((KEY, false));
            let found = known.clone().find(|(known, _)| *known == name).or_else(key);
            let Some((known_name, is_list)) = found else {
                let name = name.chars().take(TEXT_CHARS_MAX).collect();
                let expected = names(known.map(|(name, _)| name));
                return Err(Problem::UnknownParameter { name, expected });
            };
            // Otherwise the key would be sent to Postgres and stored in cache keys.
            if value.contains(TOKEN_PREFIX) && name != KEY {
                return Err(invalid(
                    known_name,
                    "contains what looks like an API key: send the key in X-API-Key",
                ));
            }
            match pairs.iter_mut().find(|(earlier, _)| *earlier == name) {
                None => pairs.push((name, value)),
                Some((_, list)) if is_list => *list = format!("{list},{value}").into(),
                Some(_) => return Err(twice(known_name)),
            }
        }
        Ok(Self { pairs })
    }

    /// The value of a parameter as it was sent.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    pub fn date(&self, name: &'static str) -> Result<Option<NaiveDate>, Problem> {
        let Some(text) = self.given(name) else { return Ok(None) };
        parse_date(text).map(Some).ok_or_else(|| {
            invalid(name, "is not a date: expected YYYY-MM-DD, a day of the calendar")
        })
    }

    /// The time as of which data is asked for, from [`AS_OF`].
    pub fn as_of(&self) -> Result<Option<AsOf>, Problem> {
        let Some(text) = self.given(AS_OF.name) else { return Ok(None) };
        let as_of = AsOf::parse(text, Utc::now());
        as_of.map(Some).map_err(|error| invalid(AS_OF.name, format!("is not valid: {error}")))
    }

    pub fn number(&self, name: &'static str, whole: Whole) -> Result<u32, Problem> {
        let Some(text) = self.given(name) else { return Ok(whole.default) };
        let expected =
            || format!("is not valid: expected a whole number from {} to {}", whole.min, whole.max);
        whole.read(text).ok_or_else(|| invalid(name, expected()))
    }

    /// A value of a type that parses itself.
    pub fn value<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Problem> {
        self.given(name).map(|text| value(name, text)).transpose()
    }

    /// `true` or `false`. The default is `false`.
    pub fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        let Some(text) = self.given(name) else { return Ok(false) };
        text.parse().map_err(|_| invalid(name, "is not valid: expected true or false"))
    }

    /// A filter by `true` or `false`. `None` if the parameter is absent, for no filter.
    pub fn only(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        if self.given(name).is_some() { self.flag(name).map(Some) } else { Ok(None) }
    }

    pub fn text(&self, name: &'static str) -> Result<Option<String>, Problem> {
        let Some(text) = self.given(name) else { return Ok(None) };
        let is_valid =
            !text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX && !text.contains('\0');
        let expected =
            || format!("is not valid: expected a text of 1 to {TEXT_CHARS_MAX} characters");
        if is_valid { Ok(Some(text.to_owned())) } else { Err(invalid(name, expected())) }
    }

    /// The last row of the page before.
    pub fn cursor<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Problem> {
        let Some(cursor) = self.given(name) else { return Ok(None) };
        decode_cursor(cursor).map(Some).ok_or_else(|| {
            invalid(name, "is not valid: expected the cursor in `next` of an earlier response")
        })
    }

    /// The parameter `format` or, without it, the format that `Accept` prefers.
    pub fn format(&self, request: &HttpRequest) -> Result<Format, Problem> {
        Ok(self.value("format")?.unwrap_or_else(|| {
            let headers = request.headers().get_all(header::ACCEPT);
            Format::preferred(headers.filter_map(|accept| accept.to_str().ok()))
        }))
    }
}

/// The symbol in the path of a request.
pub fn symbol(request: &HttpRequest) -> Result<Symbol, Problem> {
    let text = request.match_info().query("symbol");
    // The router decodes all but this: `BRK%2FB` is a share class.
    if text.contains('%') {
        return value("symbol", &text.replace("%2F", "/").replace("%2f", "/"));
    }
    value("symbol", text)
}

/// A part of the path of a request.
pub fn in_path<T: FromStr<Err: Display>>(
    request: &HttpRequest,
    name: &'static str,
) -> Result<T, Problem> {
    value(name, request.match_info().query(name))
}

/// Parses a value. `name` is its name in the request.
pub fn value<T: FromStr<Err: Display>>(name: &'static str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| invalid(name, format!("is not valid: {error}")))
}

/// The API key in a query, if any.
///
/// # Errors
/// When there are two.
pub fn key_in(query: &str) -> Result<Option<Cow<'_, str>>, Problem> {
    // Most queries have none, and need not be parsed to find out.
    if !query.contains(KEY) && !query.contains('%') {
        return Ok(None);
    }
    let mut keys = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == KEY);
    let key = keys.next().map(|(_, key)| key);
    if keys.next().is_some() { Err(twice(KEY)) } else { Ok(key) }
}

fn twice(name: &'static str) -> Problem {
    invalid(name, "is given twice: expected it once")
}

fn names(known: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<_> = known.collect();
    if names.is_empty() { "no parameters".to_owned() } else { names.join(", ") }
}

pub fn invalid(name: &'static str, expected: impl Into<String>) -> Problem {
    Problem::InvalidParameter { name, expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::respond::paging::url_after;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    const LIMIT: Whole = Whole { min: 1, max: 1000, default: 100 };

    fn limit(query: &str) -> Result<u32, Problem> {
        Query::parse(query, [("limit", false)].into_iter(), || true)?.number("limit", LIMIT)
    }

    #[test]
    fn a_number_is_accepted_within_its_bounds() {
        assert_eq!(
            (limit("").unwrap(), limit("limit=1").unwrap(), limit("limit=1000").unwrap()),
            (100, 1, 1000)
        );
        for query in [
            "limit=0",
            "limit=1001",
            "limit=ten",
            "limit=",
            "limit=+5",
            "limit=1.0",
            "limit=-1",
            "limit=99999999999",
        ] {
            let problem = limit(query).unwrap_err().to_string();
            assert_eq!(
                problem, "limit is not valid: expected a whole number from 1 to 1000",
                "{query}"
            );
        }
    }

    #[test]
    fn an_unknown_or_repeated_parameter_is_rejected_by_its_name() {
        let problem = limit("limti=5").unwrap_err().to_string();
        assert_eq!(problem, "the parameter \"limti\" is unknown: expected limit");
        assert_eq!(
            limit("limit=5&limit=5").unwrap_err().to_string(),
            "limit is given twice: expected it once"
        );
    }

    #[test]
    fn a_key_is_found_at_any_position_and_in_any_encoding() {
        for (query, key) in [
            ("apikey=tk_live_a", Some("tk_live_a")),
            ("limit=5&apikey=tk%5Flive%5fa", Some("tk_live_a")),
            ("api%6Bey=a", Some("a")),
            ("apikey", Some("")),
            ("ApiKey=a", None),
            ("", None),
        ] {
            assert_eq!(key_in(query).unwrap().as_deref(), key, "{query}");
        }
        let twice = "apikey is given twice: expected it once";
        assert_eq!(key_in("apikey=a&apikey=a").unwrap_err().to_string(), twice);
        assert_eq!(limit("limit=5&apikey=a&api%6bey=a").unwrap_err().to_string(), twice);
        assert_eq!(limit("limit=5&apikey=a").unwrap(), 5);
        let off = Query::parse("apikey=tk_live_a", [("limit", false)].into_iter(), || false)
            .err()
            .unwrap()
            .to_string();
        assert_eq!(off, "the parameter \"apikey\" is unknown: expected limit");
    }

    fn cursor(url: &str) -> Result<Option<u64>, Problem> {
        let request = TestRequest::with_uri(url).to_http_request();
        Query::of(&request, &[Parameter::new("cursor", Takes::Cursor, "")])?.cursor("cursor")
    }

    proptest! {
        #[test]
        fn any_query_is_parsed_or_rejected_without_a_panic(query in ".{0,80}") {
            let _ = limit(&query);
            let _ = Query::parse(&query, [("start", false)].into_iter(), || false)
                .and_then(|query| query.date("start"));
        }

        #[test]
        fn a_cursor_is_read_as_it_was_written(row: u64) {
            prop_assert_eq!(cursor(&url_after("/api/events".to_owned(), row)).unwrap(), Some(row));
        }

        #[test]
        fn a_text_that_is_no_cursor_is_rejected(text in "[A-Za-z0-9_-]{0,20}") {
            prop_assert!(cursor(&format!("/?cursor={text}")).is_err(), "{}", text);
        }
    }
}
