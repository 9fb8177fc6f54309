//! The forms that rows are sent in, and which of them a client wants.

use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::http::header;

use super::error::Problem;
use crate::cache::Media;
use crate::http::request::query::Query;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Json,
    /// RFC 4180, with a header line.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected json, csv or ndjson")]
pub struct FormatError;

impl Format {
    pub const WORDS: [&str; 3] = ["json", "csv", "ndjson"];

    /// What the parameter `format` says or, without it, `Accept`.
    pub fn wanted(query: &Query<'_>, request: &HttpRequest) -> Result<Self, Problem> {
        Ok(query.value("format")?.unwrap_or_else(|| {
            let lines = request.headers().get_all(header::ACCEPT);
            Self::preferred(lines.filter_map(|accept| accept.to_str().ok()))
        }))
    }

    /// What stands in the `Accept` headers with the greatest weight (RFC 9110, 12.5.1); JSON where
    /// nothing there is ours.
    fn preferred<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut best = (Self::Json, 0.0);
        // What those send who don't care.
        for range in lines.filter(|line| *line != "*/*").flat_map(|line| line.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "text/csv" => Self::Csv,
                "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::Ndjson,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => continue,
            };
            let cost = parts.find_map(|part| {
                part.strip_prefix(['q', 'Q'])?.strip_prefix('=')?.parse::<f32>().ok()
            });
            let cost = cost.unwrap_or(1.0);
            if cost > best.1 {
                best = (format, cost);
            }
        }
        best.0
    }

    pub const fn media(self) -> Media {
        match self {
            Self::Json => Media::Json,
            Self::Csv => Media::Csv,
            Self::Ndjson => Media::Ndjson,
        }
    }

    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        [Self::Json, Self::Csv, Self::Ndjson]
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or(FormatError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_weightiest_form_that_is_ours_is_sent() {
        for (accept, format) in [
            ("*/*", Format::Json),
            ("text/csv", Format::Csv),
            ("Text/CSV; charset=utf-8", Format::Csv),
            ("application/x-ndjson, */*;q=0.1", Format::Ndjson),
            ("text/csv;q=0.5, application/json", Format::Json),
            ("text/csv;q=0.5, application/json;q=0.4", Format::Csv),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Json),
            ("text/csv;Q=0.1, application/json;q=0.2", Format::Json),
            ("text/html\ntext/csv", Format::Csv),
            ("text/csv;q=0", Format::Json),
            ("text/html", Format::Json),
            ("", Format::Json),
        ] {
            assert_eq!(Format::preferred(accept.lines()), format, "{accept}");
        }
    }

    proptest! {
        #[test]
        fn of_our_forms_the_one_with_the_greatest_weight_is_sent_wherever_it_stands(
            weights in prop::sample::subsequence(vec![1u8, 2, 3, 4, 5, 6, 7, 8, 9, 10], 3).prop_shuffle(),
            order in Just(vec![0usize, 1, 2]).prop_shuffle(), other in "text/(html|plain)"
        ) {
            let names = ["application/json", "text/csv", "application/x-ndjson"];
            let range = |at: usize| format!("{}; q={}.{}", names[at], weights[at] / 10, weights[at] % 10);
            let ranges: Vec<_> = order.iter().map(|at| range(*at)).chain([other]).collect();
            let best = (0..3).max_by_key(|at| weights[*at]).unwrap();
            let form = [Format::Json, Format::Csv, Format::Ndjson][best];
            prop_assert_eq!(Format::preferred([ranges.join(",").as_str()].into_iter()), form);
        }

        #[test]
        fn whoever_names_no_lines_gets_json_without_a_panic(accept in "[ -~]{0,60}") {
            let form = Format::preferred([accept.as_str()].into_iter());
            let lower = accept.to_lowercase();
            prop_assert!(form == Format::Json || lower.contains("csv") || lower.contains("ndjson") || lower.contains("jsonl"));
        }
    }
}
