//! Cursors, encoded and decoded. A valid cursor is written again as an equivalent cursor.

#![no_main]

use actix_web::test::TestRequest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use tickerd::http::api::prices::PricesQuery;
use tickerd::http::api::prices::day::DayQuery;
use tickerd::http::api::prices::many::ManyQuery;
use tickerd::http::request::cacheable_query::CacheableQuery;
use tickerd::store::EventPlace;

/// The cache key of the page after a cursor; `None` if the cursor is invalid.
fn page_key<Q: CacheableQuery>(parameters: &str, cursor: &str) -> Option<String> {
    let uri = format!("/?{parameters}cursor={cursor}");
    let request = TestRequest::with_uri(&uri)
        .param("symbol", "AAPL")
        .param("date", "2012-05-01")
        .to_http_request();
    Q::parse(&request).ok().map(|query| query.canonical(7))
}

fn check<Q: CacheableQuery>(parameters: &str, cursor: &str) {
    if let Some(key) = page_key::<Q>(parameters, cursor) {
        let (_, written) = key.rsplit_once("cursor=").expect("the key has a cursor");
        assert_eq!(page_key::<Q>(parameters, written), Some(key.clone()));
    }
}

fuzz_target!(|text: &str| {
    let raw: String =
        text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    for cursor in [raw, URL_SAFE_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(format!("1:{text}"))] {
        check::<PricesQuery>("start=2012-01-01&", &cursor);
        check::<ManyQuery>("symbols=A,B&start=2012-01-01&", &cursor);
        check::<DayQuery>("", &cursor);
    }
    if let Ok(place) = text.parse::<EventPlace>() {
        assert_eq!(place.to_string().parse::<EventPlace>().map_err(drop), Ok(place));
    }
});
