//! The cost of a request.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{App, Database, eventually, header};

const CHEAP: &str = "/api/stocks/AAPL";

/// A path of this cost, with unknown symbols.
fn with_cost(cost: usize) -> String {
    format!("/api/prices?start=2012-01-01&symbols={}", vec!["NOSUCH"; cost].join("%2C"))
}

#[tokio::test]
async fn a_request_for_three_stocks_costs_three_permits_and_says_so() {
    let database = Database::sample().await;
    let (app, key) =
        (App::with(&database, &[("USAGE_FLUSH_MS", "50")]).await, database.issue("free"));
    let cheap = app.get(&key, CHEAP).await;
    assert_eq!(
        (header(&cheap, "x-ratelimit-remaining"), header(&cheap, "x-ratelimit-cost")),
        ("99", "")
    );
    for (path, cost, remaining) in [
        ("/api/prices?symbols=AAPL,MSFT,IBM&start=2012-01-01", "3", "96"),
        ("/api/prices/daily/2012-12-31?limit=250", "10", "86"),
        ("/api/watchlists/1/quotes", "5", "81"),
        ("/api/prices?symbols=AAPL&start=2012-01-01", "", "80"),
        // Percent-encoding does not change the route, and so not the cost.
        ("/api/%70rices?symbols=AAPL,MSFT&start=2012-01-01", "2", "78"),
        ("/%61pi/prices/d%61ily/2012-12-31?limit=250", "10", "68"),
        ("/api/watchlists/1/%71uotes", "5", "63"),
        // Too many symbols: rejected before their cost is charged.
        (&with_cost(101), "", "62"),
    ] {
        let answer = app.get(&key, path).await;
        assert_eq!(
            (header(&answer, "x-ratelimit-cost"), header(&answer, "x-ratelimit-remaining")),
            (cost, remaining)
        );
    }
    let from_a_page = app
        .request("GET", &with_cost(2))
        .header("x-api-key", &key)
        .header("origin", "https://example.com");
    let answer = from_a_page.send().await.unwrap();
    assert!(header(&answer, "access-control-expose-headers").contains("x-ratelimit-cost"));
    eventually("usage counts requests, not their cost", Duration::from_secs(10), async || {
        let usage = database.output(&["usage", "--by", "key", "--json"]).json();
        usage[0]["requests"] == 10
    })
    .await;
}

#[tokio::test]
async fn concurrent_costly_requests_on_two_instances_fill_the_limit_and_never_exceed_it() {
    let database = Database::sample().await;
    let (apps, key) = (App::with_shared_redis(&database, 2).await, database.issue("free"));
    let (seven, mut admitted) = (with_cost(7), 0);
    for answer in join_all((0..60).map(|n| apps[n % 2].get(&key, &seven))).await {
        assert_eq!(header(&answer, "x-ratelimit-cost"), "7");
        admitted += u32::from(answer.status() != 429);
    }
    assert_eq!(admitted, 14, "98 of 100");
    let cheap = join_all((0..20).map(|n| apps[n % 2].get(&key, CHEAP))).await;
    assert_eq!(
        cheap.iter().filter(|answer| answer.status() == 200).count(),
        2,
        "the rest is left for cheaper requests"
    );
}

#[tokio::test]
async fn a_costly_request_over_the_limit_is_not_charged_and_says_when_to_retry() {
    let database = Database::sample().await;
    for apps in
        [vec![App::without_redis(&database).await], App::with_shared_redis(&database, 1).await]
    {
        let (app, key, sixty) = (&apps[0], database.issue("free"), with_cost(60));
        assert_ne!(app.get(&key, &sixty).await.status(), 429);
        for _ in 0..3 {
            let refused = app.get(&key, &sixty).await;
            assert_eq!(
                (refused.status().as_u16(), header(&refused, "x-ratelimit-remaining")),
                (429, "40")
            );
            let wait_s: u64 = header(&refused, "retry-after").parse().unwrap();
            assert!((55..=61).contains(&wait_s), "{wait_s}");
            let body: Value = refused.json().await.unwrap();
            let detail = body["detail"].as_str().unwrap();
            let expected = "the limit of 100 requests a minute does not leave enough \
                            for a cost of 60: retry in ";
            assert!(detail.starts_with(expected), "{detail}");
        }
        assert_ne!(app.get(&key, &with_cost(39)).await.status(), 429);
        assert_eq!(app.get(&key, CHEAP).await.status(), 200);
        assert_eq!(app.get(&key, CHEAP).await.status(), 429);
    }
}

#[tokio::test]
async fn a_request_that_costs_more_than_the_whole_limit_is_rejected_and_not_charged() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    database.connect().await.batch_execute("INSERT INTO tiers VALUES ('small', 5)").await.unwrap();
    let key = database.issue("small");
    let (status, body) = app.json(&key, &with_cost(6)).await;
    assert_eq!(
        (status, &body["code"], &body["retryAfter"]),
        (400, &"too_heavy".into(), &Value::Null)
    );
    let detail = "this request has a cost of 6, more than the limit of 5 requests a minute: \
                  ask for fewer symbols, or set a lower limit";
    assert_eq!(body["detail"], detail);
    assert_ne!(
        app.get(&key, &with_cost(5)).await.status(),
        429,
        "a cost equal to the limit is admitted"
    );
}
