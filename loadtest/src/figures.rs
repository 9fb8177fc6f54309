//! The figures of a turn of load, and their medians over several turns.

use std::collections::BTreeMap;

use serde::Serialize;

/// One turn of one server.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    pub requests: u64,
    pub requests_per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub statuses: BTreeMap<String, u64>,
}

impl Figures {
    /// The medians over turns. Requests and statuses are summed.
    pub fn median(turns: &[Self]) -> Self {
        let median_of = |figure: fn(&Self) -> f64| median(turns.iter().map(figure).collect());
        let mut statuses = BTreeMap::new();
        for (status, n) in turns.iter().flat_map(|turn| &turn.statuses) {
            *statuses.entry(status.clone()).or_default() += n;
        }
        Self {
            requests: turns.iter().map(|turn| turn.requests).sum(),
            requests_per_s: median_of(|turn| turn.requests_per_s),
            p50_ms: median_of(|turn| turn.p50_ms),
            p99_ms: median_of(|turn| turn.p99_ms),
            p999_ms: median_of(|turn| turn.p999_ms),
            statuses,
        }
    }
}

/// The ceiling that a server is compared with.
#[derive(Debug, Clone, Serialize)]
pub struct Ceiling {
    /// `bare`, `pgbench` or `COPY`.
    pub name: &'static str,
    pub figures: Figures,
    /// The median of the ratios within each round. If the speed of the machine drifts, it affects
    /// both sides of a round.
    pub requests_ratio: f64,
    pub p99_ratio: f64,
}

impl Ceiling {
    pub fn new(name: &'static str, ours: &[Figures], theirs: &[Figures]) -> Self {
        let ratio = |figure: fn(&Figures) -> f64| {
            median(
                ours.iter()
                    .zip(theirs)
                    .map(|(ours, theirs)| figure(ours) / figure(theirs))
                    .collect(),
            )
        };
        Self {
            name,
            figures: Figures::median(theirs),
            requests_ratio: ratio(|turn| turn.requests_per_s),
            p99_ratio: ratio(|turn| turn.p99_ms),
        }
    }
}

/// The median; 0 of no values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(requests_per_s: f64, p99_ms: f64) -> Figures {
        Figures {
            requests: 10,
            requests_per_s,
            p99_ms,
            statuses: [("200".to_owned(), 10)].into(),
            ..Figures::default()
        }
    }

    #[test]
    fn medians() {
        assert_eq!(
            (median(vec![]), median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0])),
            (0.0, 2.0, 2.5)
        );
        let all = Figures::median(&[turn(1.0, 9.0), turn(5.0, 8.0), turn(2.0, 1.0)]);
        assert_eq!(
            (all.requests, all.requests_per_s, all.p99_ms, all.statuses["200"]),
            (30, 2.0, 8.0, 30)
        );
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine is half as fast in the second round, but both ratios are equal.
        let ceiling = Ceiling::new(
            "bare",
            &[turn(80.0, 2.0), turn(40.0, 4.0)],
            &[turn(100.0, 1.0), turn(50.0, 2.0)],
        );
        assert_eq!(
            (ceiling.requests_ratio, ceiling.p99_ratio, ceiling.figures.requests_per_s),
            (0.8, 2.0, 75.0)
        );
    }
}
