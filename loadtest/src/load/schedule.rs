//! When requests of a pace are due.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Exp1};

/// A pace in requests a second.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub from_per_s: f64,
    /// Reached after `rise_s`, kept from then on.
    pub to_per_s: f64,
    pub rise_s: f64,
    pub seconds: f64,
}

impl Pace {
    pub fn steady(per_s: f64, seconds: f64) -> Self {
        Self { from_per_s: per_s, to_per_s: per_s, rise_s: 0.0, seconds }
    }

    fn at(&self, second: f64) -> f64 {
        if second >= self.rise_s {
            return self.to_per_s;
        }
        self.from_per_s + (self.to_per_s - self.from_per_s) * second / self.rise_s
    }

    /// Instants since the start. Callers don't know of each other, so gaps are drawn, not even: a
    /// Poisson process.
    pub fn due(&self) -> Vec<Duration> {
        let (mut random, mut now_s) = (StdRng::seed_from_u64(1), 0.0);
        let mut due = Vec::new();
        loop {
            let gap: f64 = Exp1.sample(&mut random);
            now_s += gap / self.at(now_s);
            if now_s >= self.seconds {
                return due;
            }
            due.push(Duration::from_secs_f64(now_s));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_pace_is_kept() {
        let due = Pace::steady(1000.0, 20.0).due();
        assert!((19_400..20_600).contains(&due.len()), "{}", due.len());
        assert!(due.is_sorted() && due.last().is_some_and(|last| last.as_secs_f64() < 20.0));
    }

    #[test]
    fn a_rise_ends_in_the_new_pace() {
        let due = Pace { from_per_s: 1000.0, to_per_s: 5000.0, rise_s: 1.0, seconds: 3.0 }.due();
        let within = |from: u64, to: u64| {
            due.iter().filter(|due| (from..to).contains(&due.as_secs())).count()
        };
        assert!((2_800..3_200).contains(&within(0, 1)), "{}", within(0, 1));
        assert!((9_600..10_400).contains(&within(1, 3)), "{}", within(1, 3));
    }
}
