//! Everything that is measured, by name: what Prometheus reads. No label holds a key, an owner or a
//! symbol.

use std::array::from_fn;
use std::sync::{LazyLock, OnceLock};

use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::route::Route;

/// The media type of [`text`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// From an answer out of memory to a time-out, in seconds.
const SECONDS: [f64; 14] = [
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];
const PERMITS: [f64; 8] = [0.0, 1.0, 2.0, 4.0, 16.0, 64.0, 256.0, 1024.0];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    CacheHit,
    CacheStale,
    CacheMiss,
    /// Answered, and nothing that is cached.
    Uncached,
    /// 401: no key that is valid.
    Unauthorized,
    /// 429.
    Limited,
    ClientError,
    ServerError,
}

const OUTCOMES: [&str; 8] =
    ["hit", "stale", "miss", "uncached", "unauthorized", "limited", "client_error", "server_error"];

impl Outcome {
    pub const fn text(self) -> &'static str {
        OUTCOMES[self as usize]
    }
}

/// What a decision of the limiter stood on.
#[derive(Debug, Clone, Copy)]
pub enum Basis {
    /// A lease or a refusal that still held.
    Memory,
    /// A call that the request waited for.
    RedisWindow,
    /// The window of this instance: no Redis is configured, or it is lost.
    Alone,
}

const BASES: [&str; 3] = ["memory", "ledger", "alone"];

/// Where an answer was looked for.
#[derive(Debug, Clone, Copy)]
pub enum CacheTier {
    Memory,
    Redis,
}

const TIERS: [&str; 2] = ["memory", "redis"];

const REDIS_CALLS: [&str; 6] = ["get", "set", "evalsha", "publish", "pubsub", "ping"];

/// What is read when somebody asks, and not counted as it happens.
pub struct Readings {
    pub cache_bytes: u64,
    pub cache_entries: u64,
    pub connections_idle: usize,
    pub connections_busy: usize,
    pub connection_waiters: usize,
    pub argon2_waiting: usize,
    pub redis_configured: bool,
    pub redis_connected: bool,
    pub instances: u32,
    pub changes_followed: bool,
    /// The end (epoch seconds, UTC) of the newest day of each exchange that has prices.
    pub newest_days: Vec<(String, i64)>,
}

struct Metrics {
    registry: Registry,
    requests: HistogramVec,
    /// Looked up once each: a look-up by labels takes a lock.
    by_outcome: [[OnceLock<Histogram>; OUTCOMES.len()]; Route::ALL.len()],
    decisions: [[IntCounter; 2]; BASES.len()],
    lease_permits: Histogram,
    lookups: [[IntCounter; 2]; TIERS.len()],
    redis_calls: HistogramVec,
    redis_failures: IntCounterVec,
    queries: Histogram,
    query_failures: IntCounter,
    argon2: Histogram,
    cache_bytes: IntGauge,
    cache_entries: IntGauge,
    connections: IntGaugeVec,
    connection_waiters: IntGauge,
    argon2_waiting: IntGauge,
    redis_configured: IntGauge,
    redis_connected: IntGauge,
    instances: IntGauge,
    changes_followed: IntGauge,
    usage_stored_at: IntGauge,
    newest_day: IntGaugeVec,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

impl Metrics {
    fn new() -> Self {
        let r = Registry::new();
        #[cfg(feature = "process-metrics")]
        r.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("no name is there twice");
        gauges(&r, "tickerd_build_info", "1, with the version as a label", &["version"])
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        let decisions = counters(
            &r,
            "tickerd_limiter_decisions_total",
            "Requests with a key that the limiter admitted or refused, by what that stood on",
            &["basis", "decision"],
        );
        let redis_failures = counters(
            &r,
            "tickerd_redis_call_failures_total",
            "Calls to Redis that failed or took too long",
            &["call"],
        );
        // There from the start: a rate of what was not there before is nothing.
        REDIS_CALLS.iter().for_each(|call| drop(redis_failures.with_label_values(&[call])));
        let lookups = counters(
            &r,
            "tickerd_cache_lookups_total",
            "Answers looked for in each tier of the cache",
            &["tier", "result"],
        );
        Self {
            requests: histograms(
                &r,
                "tickerd_http_request_duration_seconds",
                "From the head of a request to its answer, by route and outcome",
                &["route", "outcome"],
            ),
            by_outcome: Default::default(),
            decisions: from_fn(|b| {
                ["refused", "admitted"]
                    .map(|decision| decisions.with_label_values(&[BASES[b], decision]))
            }),
            lease_permits: histogram(
                &r,
                "tickerd_limiter_lease_permits",
                "Permits that a call to the ledger took ahead",
                &PERMITS,
            ),
            lookups: from_fn(|t| {
                ["miss", "hit"].map(|result| lookups.with_label_values(&[TIERS[t], result]))
            }),
            redis_calls: histograms(
                &r,
                "tickerd_redis_call_duration_seconds",
                "Calls to Redis, failed ones included",
                &["call"],
            ),
            redis_failures,
            queries: histogram(
                &r,
                "tickerd_database_query_duration_seconds",
                "Statements of requests, the wait for a connection included",
                &SECONDS,
            ),
            query_failures: counters(
                &r,
                "tickerd_database_query_failures_total",
                "Statements that failed or took too long",
                &[],
            )
            .with_label_values::<&str>(&[]),
            argon2: histogram(
                &r,
                "tickerd_argon2_duration_seconds",
                "Verifications of a secret, the wait for a thread included",
                &SECONDS,
            ),
            cache_bytes: gauge(&r, "tickerd_cache_memory_bytes", "Weight of the answers in memory"),
            cache_entries: gauge(&r, "tickerd_cache_memory_entries", "Answers in memory"),
            connections: gauges(
                &r,
                "tickerd_database_connections",
                "Connections to Postgres",
                &["state"],
            ),
            connection_waiters: gauge(
                &r,
                "tickerd_database_connection_waiters",
                "Requests that wait for a connection",
            ),
            argon2_waiting: gauge(
                &r,
                "tickerd_argon2_waiting",
                "New keys that are looked up, hashed or wait for it",
            ),
            redis_configured: gauge(
                &r,
                "tickerd_redis_configured",
                "1 where there is to be a Redis",
            ),
            redis_connected: gauge(
                &r,
                "tickerd_redis_connected",
                "1 while there is a connection to Redis",
            ),
            instances: gauge(
                &r,
                "tickerd_instances",
                "Instances that share the Redis, as last seen",
            ),
            changes_followed: gauge(
                &r,
                "tickerd_changes_followed",
                "1 while what is committed is heard of",
            ),
            usage_stored_at: gauge(
                &r,
                "tickerd_usage_stored_timestamp_seconds",
                "When usage was last stored, epoch seconds",
            ),
            newest_day: gauges(
                &r,
                "tickerd_newest_day_timestamp_seconds",
                "The end of the newest day with prices, epoch seconds",
                &["exchange"],
            ),
            registry: r,
        }
    }
}

/// A request ended.
pub fn request(route: Route, outcome: Outcome, seconds: f64) {
    let m = &*METRICS;
    let labels = [route.pattern(), outcome.text()];
    m.by_outcome[route as usize][outcome as usize]
        .get_or_init(|| m.requests.with_label_values(&labels))
        .observe(seconds);
}

/// The limiter decided.
pub fn decision(basis: Basis, admitted: bool) {
    METRICS.decisions[basis as usize][usize::from(admitted)].inc();
}

/// The ledger granted so many permits ahead.
pub fn lease(permits: u32) {
    METRICS.lease_permits.observe(permits.into());
}

/// An answer was looked for.
pub fn lookup(tier: CacheTier, hit: bool) {
    METRICS.lookups[tier as usize][usize::from(hit)].inc();
}

/// Redis was asked.
pub fn redis_call(call: &'static str, succeeded: bool, seconds: f64) {
    METRICS.redis_calls.with_label_values(&[call]).observe(seconds);
    if !succeeded {
        METRICS.redis_failures.with_label_values(&[call]).inc();
    }
}

/// Postgres was asked.
pub fn query(succeeded: bool, seconds: f64) {
    METRICS.queries.observe(seconds);
    if !succeeded {
        METRICS.query_failures.inc();
    }
}

/// A secret was verified.
pub fn argon2(seconds: f64) {
    METRICS.argon2.observe(seconds);
}

/// A batch of usage is stored, or there was none to store.
pub fn usage_stored(now_s: i64) {
    METRICS.usage_stored_at.set(now_s);
}

/// All of it, in the text format of Prometheus.
pub fn text(readings: &Readings) -> Vec<u8> {
    let m = &*METRICS;
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    m.cache_bytes.set(readings.cache_bytes.cast_signed());
    m.cache_entries.set(readings.cache_entries.cast_signed());
    m.connections.with_label_values(&["idle"]).set(whole(readings.connections_idle));
    m.connections.with_label_values(&["busy"]).set(whole(readings.connections_busy));
    m.connection_waiters.set(whole(readings.connection_waiters));
    m.argon2_waiting.set(whole(readings.argon2_waiting));
    m.redis_configured.set(readings.redis_configured.into());
    m.redis_connected.set(readings.redis_connected.into());
    m.instances.set(readings.instances.into());
    m.changes_followed.set(readings.changes_followed.into());
    for (exchange, ends_s) in &readings.newest_days {
        m.newest_day.with_label_values(&[exchange]).set(*ends_s);
    }
    let mut text = Vec::new();
    TextEncoder::new()
        .encode(&m.registry.gather(), &mut text)
        .expect("a buffer in memory can be written");
    text
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    made: prometheus::Result<C>,
) -> C {
    let collector = made.expect("the names are right");
    registry.register(Box::new(collector.clone())).expect("no name is there twice");
    collector
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    registered(registry, IntGauge::new(name, help))
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    registered(
        registry,
        Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())),
    )
}

fn histograms(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    registered(
        registry,
        HistogramVec::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), labels),
    )
}
