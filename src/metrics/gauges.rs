//! The gauges: values that are read when the metrics are requested.

use prometheus::{IntGauge, IntGaugeVec};

use super::families::Families;

/// The values of the gauges at one moment.
pub struct Readings {
    pub cache_bytes: u64,
    pub cache_entries: u64,
    pub connections_idle: usize,
    pub connections_busy: usize,
    pub connection_waiters: usize,
    pub argon2_waiting: usize,
    pub redis_configured: bool,
    pub redis_connected: bool,
    pub redis_restricted: bool,
    pub redis_evicts_windows: bool,
    pub instances: u32,
    pub changes_followed: bool,
    /// Each exchange with prices, and the end (epoch seconds, UTC) of its newest day.
    pub newest_days: Vec<(String, i64)>,
}

pub struct Gauges {
    cache_bytes: IntGauge,
    cache_entries: IntGauge,
    connections: IntGaugeVec,
    connection_waiters: IntGauge,
    argon2_waiting: IntGauge,
    redis_configured: IntGauge,
    redis_connected: IntGauge,
    redis_restricted: IntGauge,
    redis_evicts_windows: IntGauge,
    instances: IntGauge,
    changes_followed: IntGauge,
    newest_day: IntGaugeVec,
}

impl Gauges {
    pub fn new(families: &Families) -> Self {
        Self {
            cache_bytes: families
                .gauge("tickerd_cache_memory_bytes", "Size of the cache entries in memory"),
            cache_entries: families
                .gauge("tickerd_cache_memory_entries", "Cache entries in memory"),
            connections: families.gauges(
                "tickerd_database_connections",
                "Connections to Postgres, by state",
                &["state"],
            ),
            connection_waiters: families.gauge(
                "tickerd_database_connection_waiters",
                "Requests that wait for a connection to Postgres",
            ),
            argon2_waiting: families.gauge(
                "tickerd_argon2_waiting",
                "Uncached keys in verification: in the lookup, in the queue or in argon2id",
            ),
            redis_configured: families
                .gauge("tickerd_redis_configured", "1 if Redis is configured"),
            redis_connected: families
                .gauge("tickerd_redis_connected", "1 while this instance is connected to Redis"),
            redis_restricted: families.gauge(
                "tickerd_redis_restricted",
                "1 while Redis refuses something that this instance needs",
            ),
            redis_evicts_windows: families.gauge(
                "tickerd_redis_evicts_windows",
                "1 if a full Redis evicts windows of limits (maxmemory-policy)",
            ),
            instances: families
                .gauge("tickerd_instances", "Instances that share this Redis, as last counted"),
            changes_followed: families.gauge(
                "tickerd_changes_followed",
                "1 while this instance receives change notifications",
            ),
            newest_day: families.gauges(
                "tickerd_newest_day_timestamp_seconds",
                "End of the newest day with prices, in epoch seconds",
                &["exchange"],
            ),
        }
    }

    pub fn set(&self, readings: &Readings) {
        let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.cache_bytes.set(readings.cache_bytes.cast_signed());
        self.cache_entries.set(readings.cache_entries.cast_signed());
        self.connections.with_label_values(&["idle"]).set(signed(readings.connections_idle));
        self.connections.with_label_values(&["busy"]).set(signed(readings.connections_busy));
        self.connection_waiters.set(signed(readings.connection_waiters));
        self.argon2_waiting.set(signed(readings.argon2_waiting));
        self.redis_configured.set(readings.redis_configured.into());
        self.redis_connected.set(readings.redis_connected.into());
        self.redis_restricted.set(readings.redis_restricted.into());
        self.redis_evicts_windows.set(readings.redis_evicts_windows.into());
        self.instances.set(readings.instances.into());
        self.changes_followed.set(readings.changes_followed.into());
        for (exchange, ends_s) in &readings.newest_days {
            self.newest_day.with_label_values(&[exchange]).set(*ends_s);
        }
    }
}
