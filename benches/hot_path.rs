//! The parts of a request that is served from memory, and what memory saves: `cargo bench`.

use std::hint::black_box;
use std::sync::Arc;

use actix_web::test::TestRequest;
use chrono::{Days, NaiveDate};
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use secrecy::ExposeSecret;

use tickerd::cache::{Cache, CachedResponse, Content, Found, lifetime};
use tickerd::caller::{Caller, KeyId, RateLimit, Tier};
use tickerd::config::CacheConfig;
use tickerd::http::api::prices::{PriceRow, PricesQuery};
use tickerd::http::request::cacheable_query::CacheableQuery;
use tickerd::keys::{Token, hash_secret};
use tickerd::limiter::{KeyLimiter, SlidingWindow, TakeRequest};
use tickerd::market::{Bar, Exchange, Symbol};

const EPOCH_MS: u64 = 1_700_000_000_000;

fn tokens(c: &mut Criterion) {
    let token = Token::random();
    let text = token.reveal();
    let typo = text.expose_secret().replace("tk_live_", "tk_live-");
    c.bench_function("token: parse a valid one", |b| {
        b.iter(|| Token::parse(black_box(text.expose_secret())))
    });
    c.bench_function("token: reject a malformed one", |b| {
        b.iter(|| Token::parse(black_box(&typo)))
    });
    let mut slow = c.benchmark_group("token");
    slow.sample_size(10);
    slow.bench_function("argon2id, which a cached key avoids", |b| {
        b.iter(|| hash_secret(&token.secret))
    });
}

fn windows(c: &mut Criterion) {
    let (mut window, limit) = (SlidingWindow::default(), RateLimit::per_minute(10_000));
    let mut now_ms = EPOCH_MS;
    c.bench_function("sliding window: take a permit, 100 requests a second", |b| {
        b.iter(|| {
            now_ms += 10;
            black_box(window.take(now_ms, limit, TakeRequest::ONE))
        });
    });
    let tier = Tier { name: "enterprise".to_owned(), limit };
    let id = KeyId::random();
    let caller = Caller {
        id,
        limit_id: id,
        owner: "bench".to_owned(),
        tier: Arc::new(tier),
        expires_at: None,
    };
    let limiter = KeyLimiter::new(None);
    c.bench_function("limiter: decide without Redis", |b| {
        b.iter(|| limiter.admit(black_box(&caller), black_box(1)).now_or_never().unwrap().admitted);
    });
}

fn cache(c: &mut Criterion) {
    let uri = "/api/stocks/aapl/prices?start=2012-01-01&end=2012-12-31&limit=20";
    let request = TestRequest::with_uri(uri).param("symbol", "aapl").to_http_request();
    let query = PricesQuery::parse(&request).unwrap();
    c.bench_function("cache key: parse a request and write its key", |b| {
        b.iter(|| PricesQuery::parse(black_box(&request)).unwrap().canonical(EPOCH_MS as i64));
    });
    let config = CacheConfig {
        cache_memory_bytes_max: 1 << 20,
        cache_stale_s_max: 0,
        cache_writes_max: 1,
        changes_poll_ms: 1000,
        changes_poll_without_redis_ms: 1000,
        rest_after_s: 0,
    };
    let cache = Cache::new(&config, None);
    let key = query.canonical(1);
    let exchange =
        Exchange { zone: chrono_tz::America::New_York, closes_at: chrono::NaiveTime::MIN };
    let hour = lifetime(
        Content::Metadata,
        &exchange,
        chrono::DateTime::from_timestamp_millis(EPOCH_MS as i64).unwrap(),
        0,
    );
    let Some(Found::Miss(miss)) = cache.look_up(&key, EPOCH_MS).now_or_never() else {
        panic!("an empty cache has no hits")
    };
    miss.fill(CachedResponse::json("{}"), hour, EPOCH_MS);
    c.bench_function("cache: look up a hit", |b| {
        b.iter(|| {
            let found = cache.look_up(black_box(&key), EPOCH_MS + 1).now_or_never();
            assert!(matches!(found, Some(Found::Hit(_))));
        });
    });
}

fn json(c: &mut Criterion) {
    let symbol: Symbol = "AAPL".parse().unwrap();
    let request =
        TestRequest::with_uri("/?start=2012-01-01").param("symbol", "AAPL").to_http_request();
    let query = PricesQuery::parse(&request).unwrap();
    let newest = NaiveDate::from_ymd_opt(2012, 12, 31).unwrap();
    let bar = |days_ago: u32| Bar {
        date: newest - Days::new(days_ago.into()),
        open: 510.53,
        high: 535.4,
        low: 509.0 + f64::from(days_ago) / 100.0,
        close: 532.17,
        adjusted_close: 69.405672871547,
        volume: 23_553_300,
        vwap: None,
        trades: None,
    };
    for rows in [20, 250, 1000] {
        let bars: Vec<_> =
            (0..rows).map(|days_ago| PriceRow::daily(symbol, symbol, bar(days_ago))).collect();
        c.bench_function(&format!("json: {rows} bars"), |b| {
            b.iter(|| query.body(symbol, black_box(&bars), None));
        });
    }
}

criterion_group!(hot_path, tokens, windows, cache, json);
criterion_main!(hot_path);
