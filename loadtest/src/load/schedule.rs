//! The start times of requests at a given rate.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Exp1};

/// A request rate that rises linearly, then is constant.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub from_per_s: f64,
    /// The rate after `rise_s`.
    pub to_per_s: f64,
    pub rise_s: f64,
    pub seconds: f64,
}

impl Rate {
    pub fn steady(per_s: f64, seconds: f64) -> Self {
        Self { from_per_s: per_s, to_per_s: per_s, rise_s: 0.0, seconds }
    }

    fn at(&self, second: f64) -> f64 {
        if second >= self.rise_s {
            return self.to_per_s;
        }
        self.from_per_s + (self.to_per_s - self.from_per_s) * second / self.rise_s
    }

    /// The start times of requests, relative to the start. Clients are independent of each other,
    /// so the times are a Poisson process.
    pub fn start_times(&self) -> Vec<Duration> {
        let mut random = StdRng::seed_from_u64(1);
        let mut now_s = 0.0;
        let mut times = Vec::new();
        loop {
            let gap: f64 = Exp1.sample(&mut random);
            now_s += gap / self.at(now_s);
            if now_s >= self.seconds {
                return times;
            }
            times.push(Duration::from_secs_f64(now_s));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_constant() {
        let times = Rate::steady(1000.0, 20.0).start_times();
        assert!((19_400..20_600).contains(&times.len()), "{}", times.len());
        assert!(times.is_sorted() && times.last().is_some_and(|last| last.as_secs_f64() < 20.0));
    }

    #[test]
    fn a_rising_rate_reaches_the_new_rate() {
        let rate = Rate { from_per_s: 1000.0, to_per_s: 5000.0, rise_s: 1.0, seconds: 3.0 };
        let times = rate.start_times();
        let within = |from: u64, to: u64| {
            times.iter().filter(|time| (from..to).contains(&time.as_secs())).count()
        };
        assert!((2_800..3_200).contains(&within(0, 1)), "{}", within(0, 1));
        assert!((9_600..10_400).contains(&within(1, 3)), "{}", within(1, 3));
    }
}
