//! Invalid requests get a problem document that says what was expected. Input that is not HTTP is
//! tested in `faults/hostile.rs`.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use crate::support::{App, Database, eventually, header};

/// Checks that a response is a complete and consistent problem document. Returns its status, code
/// and detail.
async fn problem(answer: Response) -> (u16, String, String) {
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let (status, id) = (answer.status().as_u16(), header(&answer, "x-request-id").to_owned());
    let body: Value = answer.json().await.unwrap();
    let text =
        |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}")).to_owned();
    assert_eq!((body["status"].as_u64(), text("requestId")), (Some(status.into()), id));
    assert_eq!(text("type"), format!("urn:problem-type:tickerd:{}", text("code")));
    assert_eq!(text("detail"), text("error"));
    assert!(!text("title").is_empty());
    (status, text("code"), text("detail"))
}

#[tokio::test]
async fn each_bad_request_says_what_was_expected_and_where() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let prices = "/api/stocks/AAPL/prices";
    for (path, status, code, message) in [
        (prices.to_owned(), 400, "missing_parameter", "start"),
        (
            format!("{prices}?start=2013-02-30"),
            400,
            "invalid_parameter",
            "start is not a date: expected YYYY-MM-DD",
        ),
        (
            format!("{prices}?start=2012-01-02&end=2012-01-01"),
            400,
            "invalid_parameter",
            "start (2012-01-02) is after end (2012-01-01)",
        ),
        (
            format!("{prices}?start=2012-01-01&end=soon"),
            400,
            "invalid_parameter",
            "end is not a date",
        ),
        (
            format!("{prices}?start=2012-01-01&limit=0"),
            400,
            "invalid_parameter",
            "limit is not valid: expected a whole number from 1 to 1000",
        ),
        (
            format!("{prices}?start=2012-01-01&limit=1001"),
            400,
            "invalid_parameter",
            "from 1 to 1000",
        ),
        (
            format!("{prices}?start=2012-01-01&limit=ten"),
            400,
            "invalid_parameter",
            "from 1 to 1000",
        ),
        (
            format!("{prices}?start=2012-01-01&color=red"),
            400,
            "unknown_parameter",
            "\"color\" is unknown: expected start, end, limit",
        ),
        (
            format!("{prices}?start=2012-01-01&start=2012-01-01"),
            400,
            "invalid_parameter",
            "start is given twice",
        ),
        ("/api/stocks?limit=101".to_owned(), 400, "invalid_parameter", "from 1 to 100"),
        ("/api/stocks?offset=-1".to_owned(), 400, "invalid_parameter", "offset"),
        ("/api/stocks?exchange=".to_owned(), 400, "invalid_parameter", "exchange"),
        ("/api/exchanges?x=1".to_owned(), 400, "unknown_parameter", "expected no parameters"),
        ("/api/stocks/A%20B".to_owned(), 400, "invalid_parameter", "symbol is not valid"),
        ("/api/stocks/%FF%FE/quote".to_owned(), 400, "invalid_parameter", "symbol is not valid"),
        ("/api/stocks/ABCDEFGHIJKLM/quote".to_owned(), 400, "invalid_parameter", "1 to 12"),
        ("/api/stocks/NOPE".to_owned(), 404, "unknown_symbol", "NOPE"),
        ("/api/stocks/NOPE/quote".to_owned(), 404, "unknown_symbol", "NOPE"),
        ("/api/stocks/NOPE/prices?start=2012-01-01".to_owned(), 404, "unknown_symbol", "NOPE"),
        (
            format!("{prices}?start=1999-01-01&end=1999-12-31"),
            404,
            "no_data",
            "AAPL has no prices from 1999-01-01 to 1999-12-31",
        ),
        ("/api/nothing".to_owned(), 404, "not_found", "/docs"),
        ("/nothing".to_owned(), 404, "not_found", "/docs"),
        ("//api/stocks".to_owned(), 404, "not_found", "expected /api/stocks, without"),
        ("/api/stocks/".to_owned(), 404, "not_found", "expected /api/stocks, without"),
        ("/api//stocks/AAPL/".to_owned(), 404, "not_found", "expected /api/stocks/AAPL, without"),
        (
            "/api/stocks?exchange=NASDQ".to_owned(),
            400,
            "invalid_parameter",
            "expected BATS, NASDAQ, NYSE,",
        ),
        (
            "/api/events?exchange=NASDQ&start=2012-01-01".to_owned(),
            400,
            "invalid_parameter",
            "NYSE",
        ),
        (
            "/api/prices/daily/2012-12-31?exchange=NASDQ".to_owned(),
            400,
            "invalid_parameter",
            "NYSE",
        ),
        (
            "/api/stocks?sector=technology".to_owned(),
            400,
            "invalid_parameter",
            "expected Communication Services or Technology",
        ),
        (format!("/api/stocks?sector={}", "x".repeat(5000)), 414, "url_too_long", "4096 bytes"),
    ] {
        let (got_status, got_code, detail) = problem(app.get(&key, &path).await).await;
        assert_eq!((got_status, got_code.as_str()), (status, code), "{path}: {detail}");
        assert!(detail.contains(message), "{path}: {detail}");
    }
}

#[tokio::test]
async fn an_error_outside_the_api_is_a_page_for_browsers_and_a_document_for_programs() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("ANONYMOUS_REQUESTS_PER_HOUR_MAX", "2")]).await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let page = async |path: &str| {
        let answer = app.request("GET", path).header("accept", browser).send().await.unwrap();
        let media = header(&answer, "content-type").to_owned();
        (answer.status().as_u16(), media, answer.text().await.unwrap())
    };
    let (status, media, text) = page("/%3Cscript%3E").await;
    assert_eq!((status, media.as_str()), (404, "text/html; charset=utf-8"));
    assert!(text.contains("<h1>Not Found</h1>") && text.contains("href=\"/docs\""), "{text}");
    assert!(!text.contains("<script"), "{text}");
    let program = app.request("GET", "/nothing").header("accept", "*/*").send().await.unwrap();
    assert_eq!(header(&program, "content-type"), "application/problem+json");
    let (status, media, text) = page("/nothing").await;
    assert_eq!((status, media.as_str()), (429, "text/html; charset=utf-8"));
    assert!(text.contains("retry in"), "{text}");
    let (status, media, _) = page("/api/stocks").await;
    assert_eq!((status, media.as_str()), (401, "application/problem+json"));
}

#[tokio::test]
async fn other_methods_get_405_with_the_allowed_methods() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (method, path) in [
        ("POST", "/api/stocks"),
        ("DELETE", "/api/stocks/AAPL"),
        ("PUT", "/health"),
        ("PATCH", "/api/stocks/AAPL/quote"),
    ] {
        let answer = app.request(method, path).header("x-api-key", &key).send().await.unwrap();
        assert_eq!(header(&answer, "allow"), "GET, HEAD", "{method} {path}");
        let (status, code, _) = problem(answer).await;
        assert_eq!((status, code.as_str()), (405, "method_not_allowed"), "{method} {path}");
    }
}

#[tokio::test]
async fn oversized_headers_and_bodies_get_problem_documents() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let large = app
        .request("GET", "/api/stocks")
        .header("x-api-key", &key)
        .header("x-filler", "x".repeat(20_000));
    let (status, code, detail) = problem(large.send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (431, "headers_too_large"), "{detail}");
    let large =
        app.request("POST", "/api/stocks").header("x-api-key", &key).body("x".repeat(20_000));
    let (status, code, detail) = problem(large.send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (413, "body_too_large"), "{detail}");
}

#[tokio::test]
async fn responses_never_contain_the_drivers_error_text() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    // The text of the database error stays in the log.
    let revoke = "REVOKE SELECT ON prices FROM tickerd_serve";
    database.connect().await.batch_execute(revoke).await.unwrap();
    let answer = app.get(&key, "/api/stocks/AAPL/prices?start=2012-01-01").await;
    let (status, code, detail) = problem(answer).await;
    assert_eq!(
        (status, code.as_str(), detail.as_str()),
        (500, "internal", "an internal error occurred")
    );
    eventually("the cause is logged", Duration::from_secs(10), async || {
        app.log().iter().any(|line| line.contains("permission denied for table prices"))
    })
    .await;
}
