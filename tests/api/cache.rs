//! Responses are cached while they are correct, and shared only between callers who may see them.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::{App, CommandOutput, Database, eventually, header, redis_url, run, unique};

const CLOSED: &str = "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&limit=1000";
const OPEN: &str = "/api/stocks/AAPL/prices?start=2012-01-01";

fn max_age_s(answer: &reqwest::Response) -> u32 {
    header(answer, "cache-control").strip_prefix("private, max-age=").unwrap().parse().unwrap()
}

#[tokio::test]
async fn clearing_the_cache_makes_every_instance_read_rows_that_were_changed_by_hand() {
    let database = Database::sample().await;
    let key = database.issue("enterprise");
    let prefix = format!("{}:", unique("test"));
    let redis = [("REDIS_URL", &*redis_url()), ("REDIS_KEY_PREFIX", &prefix)];
    let mut apps = vec![App::without_redis(&database).await];
    for _ in 0..2 {
        apps.push(App::with(&database, &redis).await);
    }
    let path = "/api/stocks/IBM/prices?start=2012-12-31&end=2012-12-31";
    let close = async |app: &App| app.json(&key, path).await.1["prices"][0]["close"].as_f64();
    let before = close(&apps[0]).await;
    assert!(before.is_some_and(|close| close > 100.0), "{before:?}");
    for app in &apps {
        assert_eq!(close(app).await, before);
    }
    // By hand: no revision is drawn.
    let change = "UPDATE prices SET close = low WHERE date = '2012-12-31';
                  UPDATE stocks SET symbol = 'NEW' WHERE symbol = 'MSFT'";
    database.connect().await.batch_execute(change).await.unwrap();
    for app in &apps {
        assert_eq!(close(app).await, before, "it is cached");
    }
    let mut clear = database.tickerd(&["cache", "clear", "--json"]);
    clear.envs(redis);
    let cleared = CommandOutput::of(&mut clear).json();
    assert!(cleared["revision"].as_i64().is_some_and(|revision| revision > 0), "{cleared}");
    for app in &apps {
        let is_read = async || close(app).await < before;
        eventually("the row is read again", Duration::from_secs(2), is_read).await;
        let statuses = async |symbol: &str| {
            app.get(&key, &format!("/api/stocks/{symbol}/quote")).await.status().as_u16()
        };
        assert_eq!((statuses("NEW").await, statuses("MSFT").await), (200, 404));
    }
}

#[tokio::test]
async fn the_second_request_is_a_hit_and_final_data_has_a_longer_max_age() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (path, at_least_s, at_most_s) in [
        (CLOSED, 86_000, 86_400),
        (OPEN, 295, 300),
        ("/api/stocks/AAPL/prices?start=2012-01-01&end=2099-12-31", 295, 300),
        ("/api/stocks/AAPL/quote", 55, 60),
        ("/api/stocks/AAPL", 3595, 3600),
        ("/api/stocks", 3595, 3600),
    ] {
        let (first, second) = (app.get(&key, path).await, app.get(&key, path).await);
        assert_eq!(
            (header(&first, "x-cache"), header(&second, "x-cache")),
            ("MISS", "HIT"),
            "{path}"
        );
        for answer in [&first, &second] {
            assert!(
                (at_least_s..=at_most_s).contains(&max_age_s(answer)),
                "{path}: {}",
                max_age_s(answer)
            );
            assert!(header(answer, "age").parse::<u32>().unwrap() <= 5);
        }
        assert_eq!(header(&first, "etag"), header(&second, "etag"));
        assert_eq!(first.bytes().await.unwrap(), second.bytes().await.unwrap(), "{path}");
    }
}

#[tokio::test]
async fn equivalent_queries_share_a_cache_entry_across_spellings_and_callers() {
    let database = Database::sample().await;
    let (app, key, other) =
        (App::without_redis(&database).await, database.issue("pro"), database.issue("free"));
    app.get(&key, OPEN).await;
    for (key, path) in [
        (&key, "/api/stocks/aapl/prices?start=2012-01-01"),
        (&key, "/api/stocks/AAPL/prices?start=2012-01-01&limit=100"),
        (&other, "/api/stocks/AAPL/prices?limit=100&start=2012-01-01"),
        (&other, "/api/stocks/%41APL/prices?st%61rt=2012-01-01"),
    ] {
        assert_eq!(header(&app.get(key, path).await, "x-cache"), "HIT", "{path}");
    }
    for path in [
        "/api/stocks/AAPL/prices?start=2012-01-01&limit=99",
        "/api/stocks/IBM/prices?start=2012-01-01",
    ] {
        assert_eq!(header(&app.get(&key, path).await, "x-cache"), "MISS", "{path}");
    }
    // The rate limit headers are the caller's own and never part of a cache entry.
    assert_eq!(header(&app.get(&other, OPEN).await, "x-ratelimit-limit"), "100");
}

#[tokio::test]
async fn a_matching_etag_gets_304() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let etag = header(&app.get(&key, CLOSED).await, "etag").to_owned();
    let fetch = async |tags: &str| {
        app.request("GET", CLOSED)
            .header("x-api-key", &key)
            .header("if-none-match", tags)
            .send()
            .await
            .unwrap()
    };
    for tags in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let answer = fetch(&tags).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "etag")),
            (304, etag.as_str()),
            "{tags}"
        );
        assert!(max_age_s(&answer) > 86_000);
        assert!(!header(&answer, "x-ratelimit-remaining").is_empty());
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    assert_eq!(fetch("\"other\"").await.status(), 200);
}

#[tokio::test]
async fn gzip_is_sent_to_clients_that_accept_it_with_its_own_etag() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let plain = app.get(&key, CLOSED).await;
    let fetch = async |accepted: &str| {
        app.request("GET", CLOSED)
            .header("x-api-key", &key)
            .header("accept-encoding", accepted)
            .send()
            .await
            .unwrap()
    };
    let packed = fetch("br, gzip;q=0.8").await;
    assert_eq!((header(&packed, "content-encoding"), header(&packed, "x-cache")), ("gzip", "HIT"));
    assert_ne!(header(&packed, "etag"), header(&plain, "etag"));
    let packed = packed.bytes().await.unwrap();
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked)
        .unwrap();
    let plain = plain.bytes().await.unwrap();
    assert_eq!(unpacked, plain);
    assert!(packed.len() * 2 < plain.len(), "{} of {}", packed.len(), plain.len());
    for accepted in ["gzip; q=0.5", "*", "GZIP"] {
        assert_eq!(header(&fetch(accepted).await, "content-encoding"), "gzip", "{accepted}");
    }
    for refused in ["identity", "gzip;q=0", "gzip; q=0", "br", "gzip;q=0, *", "*;q=0"] {
        assert_eq!(header(&fetch(refused).await, "content-encoding"), "", "{refused}");
    }
}

#[tokio::test]
async fn large_responses_are_gzipped_at_once_and_small_ones_from_the_cache() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let encoding = async |limit: u32| {
        let path = format!("/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&limit={limit}");
        let request =
            app.request("GET", &path).header("x-api-key", &key).header("accept-encoding", "gzip");
        let answer = request.send().await.unwrap();
        (header(&answer, "x-cache").to_owned(), header(&answer, "content-encoding").to_owned())
    };
    let is = |outcome: &str, encoding: &str| (outcome.to_owned(), encoding.to_owned());
    assert_eq!(encoding(20).await, is("MISS", ""));
    assert_eq!(encoding(20).await, is("HIT", "gzip"));
    assert_eq!(encoding(250).await, is("MISS", "gzip"));
    assert_eq!(encoding(1).await, is("MISS", ""));
    assert_eq!(encoding(1).await, is("HIT", ""), "too small for gzip");
}

#[tokio::test]
async fn the_etag_of_the_gzip_form_matches_requests_for_the_plain_form() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    app.get(&key, CLOSED).await;
    let request =
        app.request("GET", CLOSED).header("x-api-key", &key).header("accept-encoding", "gzip");
    let packed = request.send().await.unwrap();
    assert!(header(&packed, "etag").ends_with("-gz\""));
    let request = app.request("GET", CLOSED).header("x-api-key", &key);
    let answer = request.header("if-none-match", header(&packed, "etag")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "etag")), (304, header(&packed, "etag")));
    // Unless the client says that it does not accept gzip.
    let request =
        app.request("GET", CLOSED).header("x-api-key", &key).header("accept-encoding", "identity");
    let answer = request.header("if-none-match", header(&packed, "etag")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn concurrent_misses_of_one_entry_query_postgres_once() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    app.get(&key, "/api/stocks").await;
    let answers = join_all((0..50).map(|_| app.get(&key, CLOSED))).await;
    let outcomes: Vec<_> = answers.iter().map(|answer| header(answer, "x-cache")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "MISS").count(), 1, "{outcomes:?}");
}

#[tokio::test]
async fn a_response_cached_by_one_instance_is_a_hit_on_another() {
    let database = Database::sample().await;
    let (apps, key) = (App::with_shared_redis(&database, 2).await, database.issue("pro"));
    let first = apps[0].get(&key, CLOSED).await;
    assert_eq!(header(&first, "x-cache"), "MISS");
    let etag = header(&first, "etag").to_owned();
    // A response is shared through Redis when it is requested a second time.
    assert_eq!(header(&apps[0].get(&key, CLOSED).await, "x-cache"), "HIT");
    // The response is written to Redis in the background. Don't poll: a request to the second
    // instance would fill its cache.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = apps[1].get(&key, CLOSED).await;
    assert_eq!((header(&second, "x-cache"), header(&second, "etag")), ("HIT", etag.as_str()));
}

#[tokio::test]
async fn a_correction_is_served_by_every_instance_within_a_second_of_its_commit() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("correction"));
    let shared = [("REDIS_URL", redis_url()), ("REDIS_KEY_PREFIX", prefix)];
    let variables: Vec<_> = shared.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let apps = [App::with(&database, &variables).await, App::with(&database, &variables).await];
    let key = database.issue("pro");
    let path = "/api/stocks/AAPL/prices?start=2012-12-31&end=2012-12-31";
    for app in &apps {
        assert!(app.get(&key, path).await.text().await.unwrap().contains("\"close\":532.1729"));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let rows = "symbol,date,open,high,low,close,volume,adjusted_close\n\
                AAPL,2012-12-31,510.53,535.4,509,532.17,23553300,69\n";
    std::fs::write(file.path(), rows).unwrap();
    let mut ingest = database.tickerd(&["ingest", "prices", file.path().to_str().unwrap()]);
    let output = run(ingest.envs(variables.iter().copied()));
    assert!(output.status.success(), "{output:?}");
    for app in &apps {
        let corrected =
            async || app.get(&key, path).await.text().await.unwrap().contains("\"close\":532.17,");
        eventually("the correction is served", Duration::from_secs(1), corrected).await;
    }
}

#[tokio::test]
async fn an_error_is_never_cached() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for path in ["/api/stocks/NOPE", "/api/stocks/AAPL/prices?start=2024-01-01"] {
        for _ in 0..2 {
            let answer = app.get(&key, path).await;
            assert_eq!((answer.status().as_u16(), header(&answer, "x-cache")), (404, ""), "{path}");
            assert_eq!(header(&answer, "cache-control"), "no-store");
        }
    }
}
