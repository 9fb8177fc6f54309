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
    /// Processor time of the server a request, user and system, in microseconds. It depends less on
    /// other programs than requests per second. `None` where `/proc` does not tell.
    pub cpu_us: Option<f64>,
}

impl Figures {
    /// Adds the processor time that the server used in this turn, in seconds.
    pub fn with_cpu(self, cpu_s: Option<f64>) -> Self {
        let requests = self.statuses.values().sum::<u64>().max(1) as f64;
        Self { cpu_us: cpu_s.map(|cpu_s| cpu_s * 1e6 / requests), ..self }
    }

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
            cpu_us: median_of_some(turns.iter().map(|turn| turn.cpu_us)),
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
    /// The same of the processor time a request.
    pub cpu_ratio: Option<f64>,
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
            cpu_ratio: median_of_some(
                ours.iter().zip(theirs).map(|(ours, theirs)| Some(ours.cpu_us? / theirs.cpu_us?)),
            ),
        }
    }
}

/// The median of the values that are known.
fn median_of_some(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.flatten().collect();
    (!values.is_empty()).then(|| median(values))
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

    #[test]
    fn processor_time_is_divided_by_the_requests_of_the_turn() {
        let [ours, theirs] = [2.5e-4, 1e-4].map(|cpu_s| turn(1.0, 1.0).with_cpu(Some(cpu_s)));
        assert_eq!((ours.cpu_us, theirs.cpu_us), (Some(25.0), Some(10.0)));
        let ceiling = Ceiling::new("bare", &[ours, turn(1.0, 1.0)], &[theirs.clone(), theirs]);
        assert_eq!(ceiling.cpu_ratio, Some(2.5));
    }
}
