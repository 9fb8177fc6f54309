//! Statistics of responses: statuses, cache results and latencies.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::client::{Response, X_CACHE};
use crate::LoadtestError;
use crate::figures::Figures;

/// The status of requests without a response.
pub const ERROR: &str = "error";
const LATENCY_US_MAX: u64 = 60_000_000;

pub struct ResponseStats {
    latency_us: Histogram<u64>,
    statuses: BTreeMap<String, u64>,
    caches: BTreeMap<String, u64>,
}

impl ResponseStats {
    pub fn new() -> Result<Self, LoadtestError> {
        let latency_us = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?;
        Ok(Self { latency_us, statuses: BTreeMap::new(), caches: BTreeMap::new() })
    }

    pub fn add(&mut self, response: &Result<Response, LoadtestError>, latency: Duration) {
        self.latency_us.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        let Ok(response) = response else { return add(&mut self.statuses, ERROR, 1) };
        add(&mut self.statuses, response.status.as_str(), 1);
        add(&mut self.caches, response.header(&X_CACHE), 1);
    }

    pub fn merge(&mut self, other: Self) -> Result<(), LoadtestError> {
        self.latency_us.add(&other.latency_us)?;
        other.statuses.iter().for_each(|(status, n)| add(&mut self.statuses, status, *n));
        other.caches.iter().for_each(|(cache, n)| add(&mut self.caches, cache, *n));
        Ok(())
    }

    pub fn requests(&self) -> u64 {
        self.latency_us.len()
    }

    pub fn statuses(&self) -> &BTreeMap<String, u64> {
        &self.statuses
    }

    /// The share of responses from the cache (HIT or STALE) among those with `X-Cache`.
    pub fn hit_rate(&self) -> Option<f64> {
        let count = |name: &str| self.caches.get(name).copied().unwrap_or(0) as f64;
        let (cached, missed) = (count("HIT") + count("STALE"), count("MISS"));
        (cached + missed > 0.0).then(|| cached / (cached + missed))
    }

    pub fn figures(&self, seconds: f64) -> Figures {
        let at = |quantile| self.latency_us.value_at_quantile(quantile) as f64 / 1e3;
        Figures {
            requests: self.requests(),
            requests_per_s: self.requests() as f64 / seconds,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            statuses: self.statuses.clone(),
            cpu_us: None,
        }
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str, n: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += n,
        None => {
            counts.insert(name.to_owned(), n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::Bytes;
    use hyper::header::{HeaderMap, HeaderValue};

    fn response(cache: &'static str) -> Result<Response, LoadtestError> {
        let headers = HeaderMap::from_iter([(X_CACHE, HeaderValue::from_static(cache))]);
        Ok(Response { status: hyper::StatusCode::OK, headers, body: Bytes::new() })
    }

    #[test]
    fn responses_and_errors_are_counted() {
        let mut all = ResponseStats::new().unwrap();
        for ms in 1..=99 {
            all.add(&response("HIT"), Duration::from_millis(ms));
        }
        let mut other = ResponseStats::new().unwrap();
        other.add(&response("MISS"), Duration::from_millis(500));
        other.add(&Err("closed".into()), Duration::from_millis(500));
        all.merge(other).unwrap();
        let figures = all.figures(2.0);
        assert_eq!((figures.requests, figures.requests_per_s), (101, 50.5));
        assert!((figures.p50_ms - 51.0).abs() < 0.1, "{}", figures.p50_ms);
        assert!((figures.p999_ms - 500.0).abs() < 1.0, "{}", figures.p999_ms);
        assert_eq!(
            all.statuses(),
            &BTreeMap::from([("200".to_owned(), 100), (ERROR.to_owned(), 1)])
        );
        assert_eq!(all.hit_rate(), Some(0.99));
    }
}
