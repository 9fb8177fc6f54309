//! Repeated requests, which are answered before routing, get the answers of the app, and stop when
//! anything changes that the app would notice.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::Response;

use crate::metrics::samples;
use crate::support::{App, Database, eventually, header, id_of, redis_url, run, unique};

const PATHS: [&str; 24] = [
    "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&limit=20",
    "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&limit=250",
    "/api/stocks/AAPL/prices?start=2000-01-01&end=2012-12-31&limit=1000&adjust=all",
    "/api/stocks/aapl/prices?interval=1w&start=2012-01-01",
    "/api/stocks/%41APL/prices?st%61rt=2012-01-01&limit=5",
    "/api/stocks/IBM/prices?start=2012-12-01&format=csv",
    "/api/stocks/IBM/prices?start=2012-12-01&format=ndjson",
    "/api/stocks/IBM/prices?start=2012-12-01&asof=2099-01-01",
    "/api/prices?symbols=AAPL,MSFT,NOSUCH&start=2012-12-01",
    "/api/prices?symbols=AAPL&symbols=IBM&start=2012-12-01&format=csv",
    "/api/prices/daily/2012-12-31?limit=5",
    "/api/stocks",
    "/api/stocks?q=inc",
    "/api/stocks/AAPL",
    "/api/stocks/AAPL/quote",
    "/api/stocks/AAPL/events",
    "/api/stocks/AAPL/revisions",
    "/api/stocks/AAPL/chart.svg",
    "/api/stocks/NOSUCH/prices?start=2012-01-01",
    "/api/stocks/AAPL/prices?start=never",
    "/api/events?start=2012-01-01",
    "/api/exchanges",
    "/api/calendar?exchange=NYSE",
    "/api/status",
];

/// Headers whose values differ between two requests of one form, or that actix may omit.
const CHANGING: [&str; 8] = [
    "x-request-id",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "ratelimit",
    "age",
    "cache-control",
    "date",
    "retry-after",
];

async fn hot_responses(app: &App) -> f64 {
    samples(app).await["tickerd_http_hot_path_responses_total"]
}

/// The same URL in a form that no request has had.
fn in_new_form(path: &str, count: usize) -> String {
    format!("{path}{}{}", if path.contains('?') { "&" } else { "?" }, "&".repeat(count))
}

/// Status, stable headers, and the body, which contains the request id if it is an error.
async fn stable(answer: Response) -> (u16, BTreeMap<String, String>, Vec<u8>) {
    let is_error = answer.status().is_client_error();
    let headers = answer
        .headers()
        .iter()
        .filter(|(name, _)| !CHANGING.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap().to_vec();
    (status, headers, if is_error { Vec::new() } else { body })
}

/// One worker, so that repeated requests reach the same memory.
async fn one_worker(database: &Database) -> App {
    App::with(database, &[("WORKERS", "1"), ("ADMIN_PORT", "0")]).await
}

/// Requests a path until the worker remembers it.
async fn warm(app: &App, key: &str, path: &str) {
    let before = hot_responses(app).await;
    for _ in 0..3 {
        app.get(key, path).await;
    }
    assert!(hot_responses(app).await > before, "{path} is not answered before routing");
}

#[tokio::test]
async fn a_repeated_request_gets_the_answer_of_the_app_in_every_form() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let database = Database::sample().await;
    let (app, key) = (one_worker(&database).await, database.issue("enterprise"));
    let mut hot = 0.0;
    for round in 1..=300 {
        let path = *PATHS.choose(&mut rng).unwrap();
        let method = *["GET", "GET", "GET", "HEAD"].choose(&mut rng).unwrap();
        let etag = app.get(&key, path).await.headers().get("etag").cloned();
        let etag = etag.map_or("none".to_owned(), |tag| tag.to_str().unwrap().to_owned());
        let tags = [format!("W/{etag}"), "*".to_owned(), "\"other\"".to_owned(), etag];
        let mut headers = vec![match rng.random_range(0..3) {
            0 => ("authorization", format!("bearer {key}")),
            _ => ("x-api-key", key.clone()),
        }];
        let optional = [
            (
                "accept",
                ["*/*", "text/csv", "application/json"].choose(&mut rng).unwrap().to_string(),
            ),
            (
                "accept-encoding",
                ["gzip, br", "gzip;q=0", "*"].choose(&mut rng).unwrap().to_string(),
            ),
            ("if-none-match", tags.choose(&mut rng).unwrap().clone()),
            ("origin", "https://example.com".to_owned()),
            ("x-request-id", ["mine-1", "not allowed!"].choose(&mut rng).unwrap().to_string()),
            ("connection", "close".to_owned()),
        ];
        headers.extend(optional.into_iter().filter(|_| rng.random_bool(0.3)));
        let has_body = rng.random_bool(0.05);
        let send = async |path: &str| {
            let mut request = app.request(method, path);
            for (name, value) in &headers {
                request = request.header(*name, value);
            }
            if has_body {
                request = request.body("ignored");
            }
            request.send().await.unwrap()
        };
        for _ in 0..2 {
            send(path).await;
        }
        let before = hot_responses(&app).await;
        let repeated = send(path).await;
        hot += hot_responses(&app).await - before;
        let routed = send(&in_new_form(path, round)).await;
        for name in CHANGING.iter().filter(|name| **name != "x-request-id" && **name != "age") {
            let present = [&repeated, &routed].map(|answer| answer.headers().contains_key(*name));
            assert_eq!(present[0], present[1], "{name}: {method} {path} {headers:?}");
        }
        let sent_id =
            headers.iter().any(|(name, value)| *name == "x-request-id" && value == "mine-1");
        assert_eq!(header(&repeated, "x-request-id") == "mine-1", sent_id);
        let (repeated, routed) = (stable(repeated).await, stable(routed).await);
        assert_eq!(repeated, routed, "{method} {path} {headers:?}");
    }
    assert!(hot > 150.0, "only {hot} of 300 requests were answered before routing");
}

#[tokio::test]
async fn metrics_and_usage_count_repeated_requests_like_others() {
    let database = Database::sample().await;
    let (app, key) = (one_worker(&database).await, database.issue("pro"));
    let path = PATHS[0];
    let answers = 20;
    let mut bytes = 0;
    for _ in 0..answers {
        bytes += app.get(&key, path).await.bytes().await.unwrap().len();
    }
    assert!(hot_responses(&app).await >= f64::from(answers) - 3.0);
    let samples = samples(&app).await;
    let count = |outcome: &str| {
        samples[&format!(
            "tickerd_http_request_duration_seconds_count{{outcome=\"{outcome}\",\
             route=\"/api/stocks/{{symbol}}/prices\"}}"
        )]
    };
    assert_eq!((count("hit"), count("miss")), (f64::from(answers) - 1.0, 1.0));
    let counted = async || {
        let (_, usage) = app.json(&key, "/api/usage").await;
        let rows = usage["usage"].as_array().unwrap();
        let row = rows.iter().find(|row| row["route"] == "/api/stocks/{symbol}/prices");
        row.is_some_and(|row| {
            row["requests"] == answers && row["cacheHits"] == answers - 1 && row["bytes"] == bytes
        })
    };
    eventually("usage is stored", Duration::from_secs(15), counted).await;
}

/// The requests that waited find the entry without a look-up in memory, and the later ones are
/// answered before it.
#[tokio::test]
async fn an_entry_that_first_requests_waited_for_is_shared_with_other_instances() {
    let database = Database::sample().await;
    let key = database.issue("enterprise");
    let prefix = format!("{}:", unique("test"));
    let redis = [
        ("REDIS_URL", &*redis_url()),
        ("REDIS_KEY_PREFIX", &prefix),
        ("WORKERS", "1"),
        ("ADMIN_PORT", "0"),
    ];
    let apps = [App::with(&database, &redis).await, App::with(&database, &redis).await];
    for (shared, year) in (2000..2012).enumerate() {
        let path = format!("/api/stocks/IBM/prices?start={year}-01-01&end={year}-12-31&limit=1000");
        join_all((0..20).map(|_| apps[0].get(&key, &path))).await;
        // The responses do not wait for it.
        let is_written = async || redis_writes(&apps[0]).await > shared as f64;
        eventually("the entry is written to Redis", Duration::from_secs(5), is_written).await;
        assert_eq!(header(&apps[1].get(&key, &path).await, "x-cache"), "HIT", "{path}");
    }
}

async fn redis_writes(app: &App) -> f64 {
    let name = "tickerd_redis_call_duration_seconds_count{call=\"set\"}";
    samples(app).await.get(name).copied().unwrap_or_default()
}

#[tokio::test]
async fn a_correction_is_in_the_next_answer_to_a_repeated_request() {
    let database = Database::sample().await;
    let (app, key) = (one_worker(&database).await, database.issue("pro"));
    let path = "/api/stocks/IBM/prices?start=2012-12-31&end=2012-12-31";
    let close = async || app.json(&key, path).await.1["prices"][0]["close"].as_f64().unwrap();
    for round in 1..=5 {
        warm(&app, &key, path).await;
        let corrected = 190.0 + f64::from(round);
        database.load(
            "prices",
            &format!(
                "symbol,date,open,high,low,close,volume,adjusted_close\n\
                 IBM,2012-12-31,190,200,180,{corrected},5,100\n"
            ),
        );
        let is_new = async || close().await == corrected;
        eventually("the correction is served", Duration::from_secs(5), is_new).await;
        // Once seen, it stays.
        for _ in 0..5 {
            assert_eq!(close().await, corrected);
        }
    }
}

#[tokio::test]
async fn a_revoked_key_a_lower_limit_and_another_key_count_on_repeated_requests() {
    let database = Database::sample().await;
    let (app, path) = (one_worker(&database).await, PATHS[0]);
    let [key, other] = [(); 2].map(|()| database.issue("pro"));
    warm(&app, &key, path).await;
    assert_eq!(header(&app.get(&other, path).await, "x-ratelimit-remaining"), "999");
    assert_eq!(app.get("tk_live_nobody", path).await.status(), 401);
    let status = async |key: &str| app.get(key, path).await.status().as_u16();
    run(&mut database.tickerd(&["keys", "revoke", id_of(&key), "--yes"]));
    eventually("the key is revoked", Duration::from_secs(5), async || status(&key).await == 401)
        .await;
    assert_eq!(status(&other).await, 200);
    run(&mut database.tickerd(&["tiers", "set", "pro", "--requests-per-minute", "2", "--yes"]));
    let is_limited = async || status(&other).await == 429;
    eventually("the limit is lower", Duration::from_secs(5), is_limited).await;
    let before = hot_responses(&app).await;
    let refused = app.get(&other, path).await;
    assert_eq!(hot_responses(&app).await, before + 1.0);
    assert_eq!(header(&refused, "x-ratelimit-limit"), "2");
    assert!(header(&refused, "retry-after").parse::<u32>().unwrap() <= 61);
    assert_eq!(header(&refused, "cache-control"), "no-store");
    let routed = app.get(&other, &in_new_form(path, 1)).await;
    let (refused, routed) = (stable(refused).await, stable(routed).await);
    assert_eq!(routed, refused);
}
