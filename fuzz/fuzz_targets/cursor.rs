//! Cursors, as they are sent and as they are inside: one that is taken is written again as one that
//! means the same.

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

/// The key of the page after a cursor.
fn page<Q: CacheableQuery>(given: &str, cursor: &str) -> Option<String> {
    let uri = format!("/?{given}cursor={cursor}");
    let request = TestRequest::with_uri(&uri)
        .param("symbol", "AAPL")
        .param("date", "2012-05-01")
        .to_http_request();
    Q::parse(&request).ok().map(|question| question.canonical(7))
}

fn holds<Q: CacheableQuery>(given: &str, cursor: &str) {
    if let Some(key) = page::<Q>(given, cursor) {
        let (_, written) =
            key.rsplit_once("cursor=").expect("a page after the first says after what");
        assert_eq!(page::<Q>(given, written), Some(key.clone()));
    }
}

fuzz_target!(|text: &str| {
    let sent: String =
        text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    for cursor in [sent, URL_SAFE_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(format!("1:{text}"))]
    {
        holds::<PricesQuery>("start=2012-01-01&", &cursor);
        holds::<ManyQuery>("symbols=A,B&start=2012-01-01&", &cursor);
        holds::<DayQuery>("", &cursor);
    }
    if let Ok(place) = text.parse::<EventPlace>() {
        assert_eq!(place.to_string().parse::<EventPlace>().map_err(drop), Ok(place));
    }
});
