//! Query strings of the price routes. The cache key of a valid query contains its canonical URL,
//! which has the same key.

#![no_main]

use actix_web::http::Uri;
use actix_web::test::TestRequest;
use libfuzzer_sys::fuzz_target;
use tickerd::http::api::prices::PricesQuery;
use tickerd::http::api::prices::day::DayQuery;
use tickerd::http::api::prices::many::ManyQuery;
use tickerd::http::request::cacheable_query::CacheableQuery;

/// The cache key of a query string and that of the URL in the key; `None` if the query is invalid.
fn keys<Q: CacheableQuery>(query: &str) -> Option<(String, Option<String>)> {
    let key = |query: &str| {
        let uri: Uri = format!("/?{query}").parse().ok()?;
        let request = TestRequest::with_uri(&uri.to_string())
            .param("symbol", "AAPL")
            .param("date", "2012-05-01");
        Some(Q::parse(&request.to_http_request()).ok()?.canonical(7))
    };
    let query_key = key(query)?;
    let (_, canonical) = query_key.split_once('?').expect("the key contains a URL");
    let canonical_key = key(canonical);
    Some((query_key, canonical_key))
}

fuzz_target!(|query: &str| {
    // Parsing an API key needs the configuration of a server.
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "apikey") {
        return;
    }
    let results = [keys::<PricesQuery>(query), keys::<ManyQuery>(query), keys::<DayQuery>(query)];
    for (query_key, canonical_key) in results.into_iter().flatten() {
        assert_eq!(canonical_key.as_ref(), Some(&query_key));
    }
});
