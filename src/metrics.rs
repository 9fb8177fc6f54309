//! Every metric that Prometheus reads, by name.
//!
//! Counters and histograms are recorded as things happen, through the functions below. Most gauges
//! are set from [`Readings`] when `GET /metrics` is requested. No label holds a key, an owner or a
//! symbol.

mod families;
mod gauges;

use std::array::from_fn;
use std::sync::{LazyLock, OnceLock};

use prometheus::{
    Encoder, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry, TextEncoder,
};

use crate::route::Route;
use families::{Families, SECONDS};
use gauges::Gauges;
pub use gauges::Readings;

/// The media type of [`text`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

const PERMITS: [f64; 8] = [0.0, 1.0, 2.0, 4.0, 16.0, 64.0, 256.0, 1024.0];

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    CacheHit,
    CacheStale,
    CacheMiss,
    /// Successful, and not served through the cache.
    Uncached,
    /// 401: the request has no valid key.
    Unauthorized,
    /// 429.
    Limited,
    ClientError,
    ServerError,
}

/// The labels of [`Outcome`], in the order of its variants.
const OUTCOMES: [&str; 8] =
    ["hit", "stale", "miss", "uncached", "unauthorized", "limited", "client_error", "server_error"];

impl Outcome {
    pub const fn text(self) -> &'static str {
        OUTCOMES[self as usize]
    }
}

/// The state that the limiter decided by.
#[derive(Debug, Clone, Copy)]
pub enum Basis {
    /// A lease or a remembered rejection, without a call.
    Memory,
    /// The window in Redis.
    RedisWindow,
    /// The window of this instance: Redis is not configured or unavailable.
    LocalFallback,
}

/// The labels of [`Basis`], in the order of its variants.
const BASES: [&str; 3] = ["memory", "ledger", "alone"];

/// The tier of the cache in which an entry was looked up.
#[derive(Debug, Clone, Copy)]
pub enum CacheTier {
    Memory,
    Redis,
}

const TIERS: [&str; 2] = ["memory", "redis"];

const REDIS_CALLS: [&str; 6] = ["get", "set", "evalsha", "publish", "pubsub", "ping"];

struct Metrics {
    registry: Registry,
    requests: HistogramVec,
    /// The histograms of `requests`, each looked up once, because a lookup by labels takes a lock.
    by_outcome: [[OnceLock<Histogram>; OUTCOMES.len()]; Route::ALL.len()],
    hot_path: IntCounter,
    /// By basis: refused, admitted.
    decisions: [[IntCounter; 2]; BASES.len()],
    lease_permits: Histogram,
    windows_lost: IntCounter,
    /// By tier: misses, hits.
    lookups: [[IntCounter; 2]; TIERS.len()],
    redis_calls: HistogramVec,
    redis_failures: IntCounterVec,
    queries: Histogram,
    query_failures: IntCounter,
    argon2: Histogram,
    gauges: Gauges,
    usage_stored_at: IntGauge,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

impl Metrics {
    fn new() -> Self {
        let families = Families(Registry::new());
        register_process(&families);
        let redis_failures = redis_failures(&families);
        let no_labels: [&str; 0] = [];
        Self {
            requests: families.durations(
                "tickerd_http_request_duration_seconds",
                "Time from the head of a request to its response, by route and outcome",
                &["route", "outcome"],
            ),
            by_outcome: Default::default(),
            hot_path: families.counter(
                "tickerd_http_hot_path_responses_total",
                "Responses to repeated requests, sent from memory before routing",
            ),
            decisions: decisions(&families),
            windows_lost: families.counter(
                "tickerd_limiter_windows_lost_total",
                "Windows of keys that Redis had lost when this instance asked for them",
            ),
            lease_permits: families.histogram(
                "tickerd_limiter_lease_permits",
                "Permits that a call to the window in Redis took ahead",
                &PERMITS,
            ),
            lookups: lookups(&families),
            redis_calls: families.durations(
                "tickerd_redis_call_duration_seconds",
                "Duration of calls to Redis, with failed ones",
                &["call"],
            ),
            redis_failures,
            queries: families.histogram(
                "tickerd_database_query_duration_seconds",
                "Duration of the statements of requests, with the wait for a connection",
                &SECONDS,
            ),
            query_failures: families
                .counters(
                    "tickerd_database_query_failures_total",
                    "Statements that failed or timed out",
                    &no_labels,
                )
                .with_label_values(&no_labels),
            argon2: families.histogram(
                "tickerd_argon2_duration_seconds",
                "Duration of verifications of a secret, with the wait for a thread",
                &SECONDS,
            ),
            gauges: Gauges::new(&families),
            usage_stored_at: families.gauge(
                "tickerd_usage_stored_timestamp_seconds",
                "Time at which usage was last stored, in epoch seconds",
            ),
            registry: families.0,
        }
    }
}

fn register_process(families: &Families) {
    #[cfg(feature = "process-metrics")]
    families
        .0
        .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
        .expect("each name is registered once");
    families
        .gauges("tickerd_build_info", "Always 1; the label holds the version", &["version"])
        .with_label_values(&[env!("CARGO_PKG_VERSION")])
        .set(1);
}

fn decisions(families: &Families) -> [[IntCounter; 2]; BASES.len()] {
    let decisions = families.counters(
        "tickerd_limiter_decisions_total",
        "Decisions of the limiter on requests with a valid key, by basis: \
         memory (a lease or a remembered rejection), ledger (the window in Redis) \
         or alone (the window of this instance)",
        &["basis", "decision"],
    );
    from_fn(|basis| {
        ["refused", "admitted"]
            .map(|decision| decisions.with_label_values(&[BASES[basis], decision]))
    })
}

fn lookups(families: &Families) -> [[IntCounter; 2]; TIERS.len()] {
    let lookups = families.counters(
        "tickerd_cache_lookups_total",
        "Lookups in the cache, by tier and result",
        &["tier", "result"],
    );
    from_fn(|tier| ["miss", "hit"].map(|result| lookups.with_label_values(&[TIERS[tier], result])))
}

fn redis_failures(families: &Families) -> IntCounterVec {
    let failures = families.counters(
        "tickerd_redis_call_failures_total",
        "Calls to Redis that failed or timed out",
        &["call"],
    );
    // Create the series at zero so that rate() works.
    REDIS_CALLS.iter().for_each(|call| drop(failures.with_label_values(&[call])));
    failures
}

/// Records a finished request.
pub fn request(route: Route, outcome: Outcome, seconds: f64) {
    let metrics = &*METRICS;
    let labels = [route.pattern(), outcome.text()];
    metrics.by_outcome[route as usize][outcome as usize]
        .get_or_init(|| metrics.requests.with_label_values(&labels))
        .observe(seconds);
}

/// Records a response that was sent before routing.
pub fn hot_path() {
    METRICS.hot_path.inc();
}

/// Records a decision of the limiter.
pub fn decision(basis: Basis, admitted: bool) {
    METRICS.decisions[basis as usize][usize::from(admitted)].inc();
}

/// Records a window of a key that Redis had lost.
pub fn window_lost() {
    METRICS.windows_lost.inc();
}

/// Records the permits that a call to the window in Redis took ahead.
pub fn lease(permits: u32) {
    METRICS.lease_permits.observe(permits.into());
}

/// Records a lookup in one tier of the cache.
pub fn lookup(tier: CacheTier, hit: bool) {
    METRICS.lookups[tier as usize][usize::from(hit)].inc();
}

/// Records a call to Redis.
pub fn redis_call(call: &'static str, succeeded: bool, seconds: f64) {
    METRICS.redis_calls.with_label_values(&[call]).observe(seconds);
    if !succeeded {
        METRICS.redis_failures.with_label_values(&[call]).inc();
    }
}

/// Records a statement of a request.
pub fn query(succeeded: bool, seconds: f64) {
    METRICS.queries.observe(seconds);
    if !succeeded {
        METRICS.query_failures.inc();
    }
}

/// Records a verification of a secret.
pub fn argon2(seconds: f64) {
    METRICS.argon2.observe(seconds);
}

/// Records that usage is stored as of `now_s` (epoch seconds).
pub fn usage_stored(now_s: i64) {
    METRICS.usage_stored_at.set(now_s);
}

/// All metrics in the text format of Prometheus.
pub fn text(readings: &Readings) -> Vec<u8> {
    let metrics = &*METRICS;
    metrics.gauges.set(readings);
    let mut text = Vec::new();
    TextEncoder::new()
        .encode(&metrics.registry.gather(), &mut text)
        .expect("writing to memory does not fail");
    text
}
