//! Mixed traffic: requests of many keys for many stocks, a few of which are far more popular.

use rand::rngs::StdRng;
use rand::{RngExt, seq::SliceRandom};
use rand_distr::{Distribution, Zipf};

use super::generator::GeneratedRequest;
use crate::LoadtestError;

/// The n-th most popular stock gets 1/n of the requests of the most popular one.
pub const ZIPF_EXPONENT: f64 = 1.0;
/// The share of ranges that end before today.
pub const CLOSED_SHARE: f64 = 0.82;
/// The share of ranges without an end.
const OPEN_SHARE: f64 = 0.08;
/// The share of quotes. The rest are requests for a stock.
const QUOTE_SHARE: f64 = 0.06;

/// The typical ranges of charts.
const SPANS_MONTHS: [u32; 4] = [1, 3, 6, 12];
/// Ranges end in one of the last months of the data, most often in the latest.
const END_MONTHS: u32 = 12;

/// Draws random requests.
pub struct Traffic {
    symbols: Vec<String>,
    popular: Zipf<f64>,
    recent: Zipf<f64>,
    keys: usize,
}

impl Traffic {
    /// All `keys` are equally frequent. That is the worst case for leases, which prefetch permits
    /// for keys that send their next request soon.
    pub fn new(mut symbols: Vec<String>, keys: usize) -> Result<Self, LoadtestError> {
        // Adjacent symbols share pages of Postgres, so popularity must not follow the alphabet.
        symbols.shuffle(&mut <StdRng as rand::SeedableRng>::seed_from_u64(1));
        let popular = Zipf::new(symbols.len() as f64, ZIPF_EXPONENT)?;
        let recent = Zipf::new(f64::from(END_MONTHS), ZIPF_EXPONENT)?;
        Ok(Self { symbols, popular, recent, keys })
    }

    pub fn draw(&self, random: &mut StdRng) -> GeneratedRequest {
        let symbol = &self.symbols[self.popular.sample(random) as usize - 1];
        let kind: f64 = random.random();
        let path = if kind < CLOSED_SHARE {
            self.closed(symbol, random)
        } else if kind < CLOSED_SHARE + OPEN_SHARE {
            format!("/api/stocks/{symbol}/prices?start=2025-12-01")
        } else if kind < CLOSED_SHARE + OPEN_SHARE + QUOTE_SHARE {
            format!("/api/stocks/{symbol}/quote")
        } else {
            format!("/api/stocks/{symbol}")
        };
        GeneratedRequest { path, key: random.random_range(0..self.keys) }
    }

    fn closed(&self, symbol: &str, random: &mut StdRng) -> String {
        let months = SPANS_MONTHS[random.random_range(0..SPANS_MONTHS.len())];
        // Months count from January 2024.
        let last = 24 - self.recent.sample(random) as u32;
        let first = last + 1 - months;
        let [start, end] =
            [first, last].map(|month| format!("{}-{:02}", 2024 + month / 12, month % 12 + 1));
        format!("/api/stocks/{symbol}/prices?start={start}-01&end={end}-28&limit=260")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn drawn(n: usize) -> Vec<GeneratedRequest> {
        let symbols = (0..2000).map(|n| format!("S{n}")).collect();
        let traffic = Traffic::new(symbols, 800).unwrap();
        let mut random = StdRng::seed_from_u64(7);
        (0..n).map(|_| traffic.draw(&mut random)).collect()
    }

    #[test]
    fn requests_have_the_documented_shares() {
        let requests = drawn(20_000);
        let closed = requests.iter().filter(|request| request.path.contains("&end=")).count();
        let share = closed as f64 / requests.len() as f64;
        assert!((share - CLOSED_SHARE).abs() < 0.01, "{share}");
        assert!(requests.iter().all(|request| request.key < 800));
        for kind in ["/quote", "/prices?start=2025-12-01"] {
            assert!(requests.iter().any(|request| request.path.ends_with(kind)), "{kind}");
        }
    }

    #[test]
    fn few_stocks_get_most_requests() {
        let mut counts = std::collections::HashMap::new();
        for request in drawn(20_000) {
            *counts.entry(request.path.split('/').nth(3).map(str::to_owned)).or_insert(0) += 1;
        }
        let mut counts: Vec<_> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        assert!(counts.len() > 1000, "{}", counts.len());
        assert!(
            (1.6..2.4).contains(&(f64::from(counts[0]) / f64::from(counts[1]))),
            "{:?}",
            &counts[..3]
        );
    }

    #[test]
    fn ranges_are_ordered_and_within_two_years() {
        for request in drawn(2000).iter().filter(|request| request.path.contains("&end=")) {
            let path = &request.path;
            let (start, end) = path.split_once("start=").unwrap().1.split_once("&end=").unwrap();
            assert!(start < &end[..10] && start >= "2024-01-01" && end < "2026", "{path}");
        }
    }
}
