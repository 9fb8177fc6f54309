//! The formats of rows, and the one that `Accept` prefers.

use crate::cache::Media;
use crate::market::word_enum;

word_enum! {
    #[derive(Default)]
    pub enum Format: "json, csv or ndjson" {
        #[default]
        Json = "json",
        /// RFC 4180, with a header line.
        Csv = "csv",
        /// One JSON object per line.
        Ndjson = "ndjson",
    }
}

impl Format {
    /// The format with the highest quality value in the `Accept` headers (RFC 9110, 12.5.1). JSON
    /// if they name none of the formats.
    pub fn preferred<'a>(accept_headers: impl Iterator<Item = &'a str>) -> Self {
        let mut best = (Self::Json, 0.0);
        // Most clients send only this, which prefers nothing.
        let headers = accept_headers.filter(|header| *header != "*/*");
        for range in headers.flat_map(|header| header.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "text/csv" => Self::Csv,
                "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::Ndjson,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => continue,
            };
            let quality = parts.find_map(|part| {
                part.strip_prefix(['q', 'Q'])?.strip_prefix('=')?.parse::<f32>().ok()
            });
            let quality = quality.unwrap_or(1.0);
            if quality > best.1 {
                best = (format, quality);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_supported_format_with_the_highest_quality_is_preferred() {
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
        fn the_highest_quality_decides_wherever_it_stands(
            qualities in prop::sample::subsequence((1u8..=10).collect::<Vec<_>>(), 3)
                .prop_shuffle(),
            order in Just(vec![0usize, 1, 2]).prop_shuffle(),
            other in "text/(html|plain)"
        ) {
            let names = ["application/json", "text/csv", "application/x-ndjson"];
            let range = |at: usize| {
                format!("{}; q={}.{}", names[at], qualities[at] / 10, qualities[at] % 10)
            };
            let ranges: Vec<_> = order.iter().map(|at| range(*at)).chain([other]).collect();
            let best = (0..3).max_by_key(|at| qualities[*at]).unwrap();
            let format = [Format::Json, Format::Csv, Format::Ndjson][best];
            prop_assert_eq!(Format::preferred([ranges.join(",").as_str()].into_iter()), format);
        }

        #[test]
        fn a_header_without_csv_or_ndjson_means_json(accept in "[ -~]{0,60}") {
            let format = Format::preferred([accept.as_str()].into_iter());
            let lower = accept.to_lowercase();
            let names_lines = ["csv", "ndjson", "jsonl"].iter().any(|name| lower.contains(name));
            prop_assert!(format == Format::Json || names_lines);
        }
    }
}
