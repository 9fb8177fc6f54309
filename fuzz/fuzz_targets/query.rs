//! Queries of the routes of prices: a question that is taken writes itself as a URL, which asks the
//! same.

#![no_main]

use actix_web::http::Uri;
use actix_web::test::TestRequest;
use libfuzzer_sys::fuzz_target;
use tickerd::http::api::prices::PricesQuery;
use tickerd::http::api::prices::day::DayQuery;
use tickerd::http::api::prices::many::ManyQuery;
use tickerd::http::request::cacheable_query::CacheableQuery;

/// The key of what is asked, and the same of the URL in it.
fn ask<Q: CacheableQuery>(query: &str) -> Option<(String, Option<String>)> {
    let parse = |query: &str| {
        let uri: Uri = format!("/?{query}").parse().ok()?;
        let request = TestRequest::with_uri(&uri.to_string())
            .param("symbol", "AAPL")
            .param("date", "2012-05-01");
        Some(Q::parse(&request.to_http_request()).ok()?.canonical(7))
    };
    let key = parse(query)?;
    let (_, written) = key.split_once('?').expect("the key of a question of prices holds its URL");
    let again = parse(written);
    Some((key, again))
}

fuzz_target!(|query: &str| {
    // Whether a key may be there is asked of a server's configuration.
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "apikey") {
        return;
    }
    for asked in [ask::<PricesQuery>(query), ask::<ManyQuery>(query), ask::<DayQuery>(query)] {
        if let Some((key, again)) = asked {
            assert_eq!(again.as_ref(), Some(&key));
        }
    }
});
