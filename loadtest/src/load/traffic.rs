//! Mixed traffic: many callers who ask for many stocks, a few of them far more often than the rest.

use rand::rngs::StdRng;
use rand::{RngExt, seq::SliceRandom};
use rand_distr::{Distribution, Zipf};

use super::generator::Ask;
use crate::Failure;

/// The second most popular stock is asked for half as often as the first, the third a third as
/// often, and so on.
pub const ZIPF_EXPONENT: f64 = 1.0;
/// Ranges that end before today.
pub const CLOSED_SHARE: f64 = 0.82;
const OPEN_SHARE: f64 = 0.08;
/// The rest are documents of stocks.
const QUOTE_SHARE: f64 = 0.06;

/// What charts show: a month, three, six, a year.
const SPANS_MONTHS: [u32; 4] = [1, 3, 6, 12];
/// Ranges end with one of the last months of the data, the newest most often.
const END_MONTHS: u32 = 12;

/// What is asked, by chance.
pub struct Traffic {
    symbols: Vec<String>,
    popular: Zipf<f64>,
    recent: Zipf<f64>,
    keys: usize,
}

impl Traffic {
    /// `keys` call equally often: the worst for leases, which are taken ahead for keys that call
    /// again soon.
    pub fn new(mut symbols: Vec<String>, keys: usize) -> Result<Self, Failure> {
        // Neighbours in the alphabet are neighbours on Postgres' pages: popularity must not be.
        symbols.shuffle(&mut <StdRng as rand::SeedableRng>::seed_from_u64(1));
        let popular = Zipf::new(symbols.len() as f64, ZIPF_EXPONENT)?;
        let recent = Zipf::new(f64::from(END_MONTHS), ZIPF_EXPONENT)?;
        Ok(Self { symbols, popular, recent, keys })
    }

    pub fn draw(&self, random: &mut StdRng) -> Ask {
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
        Ask { path, key: random.random_range(0..self.keys) }
    }

    fn closed(&self, symbol: &str, random: &mut StdRng) -> String {
        let months = SPANS_MONTHS[random.random_range(0..SPANS_MONTHS.len())];
        // 0 is January 2024.
        let end = 24 - self.recent.sample(random) as u32;
        let first = end + 1 - months;
        let (from, to) = ((2024 + first / 12, first % 12 + 1), (2024 + end / 12, end % 12 + 1));
        format!(
            "/api/stocks/{symbol}/prices?start={}-{:02}-01&end={}-{:02}-28&limit=260",
            from.0, from.1, to.0, to.1
        )
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn drawn(n: usize) -> Vec<Ask> {
        let symbols = (0..2000).map(|n| format!("S{n}")).collect();
        let (traffic, mut random) = (Traffic::new(symbols, 800).unwrap(), StdRng::seed_from_u64(7));
        (0..n).map(|_| traffic.draw(&mut random)).collect()
    }

    #[test]
    fn the_mix_is_as_said() {
        let asks = drawn(20_000);
        let closed =
            asks.iter().filter(|ask| ask.path.contains("&end=")).count() as f64 / asks.len() as f64;
        assert!((closed - CLOSED_SHARE).abs() < 0.01, "{closed}");
        assert!(asks.iter().all(|ask| ask.key < 800));
        for kind in ["/quote", "/prices?start=2025-12-01"] {
            assert!(asks.iter().any(|ask| ask.path.ends_with(kind)), "{kind}");
        }
    }

    #[test]
    fn few_stocks_are_most_of_it() {
        let mut counts = std::collections::HashMap::new();
        for ask in drawn(20_000) {
            *counts.entry(ask.path.split('/').nth(3).map(str::to_owned)).or_insert(0) += 1;
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
    fn ranges_are_of_whole_months_in_order() {
        for ask in drawn(2000).iter().filter(|ask| ask.path.contains("&end=")) {
            let (start, end) =
                ask.path.split_once("start=").unwrap().1.split_once("&end=").unwrap();
            assert!(start < &end[..10] && start >= "2024-01-01" && end < "2026", "{}", ask.path);
        }
    }
}
