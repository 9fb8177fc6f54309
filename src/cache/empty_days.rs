//! The days without prices: a market day that has none is searched for once, not once a request.

use chrono::NaiveDate;
use quick_cache::sync::Cache;

use crate::market::AsOf;

/// Four years of closed days at ten exchanges.
const EMPTY_DAYS_MAX: usize = 5000;

/// Days on which no stock of an exchange has prices, as of a data version. The next load draws
/// another version, so an entry never hides prices that came later.
pub struct EmptyDays(Cache<EmptyDay, ()>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmptyDay {
    /// The data version of all stocks: [`Versions::to_read`](super::Versions::to_read).
    pub version: i64,
    pub date: NaiveDate,
    /// The code of an exchange; `None` for all stocks.
    pub exchange: Option<String>,
    pub as_of: Option<AsOf>,
}

impl Default for EmptyDays {
    fn default() -> Self {
        Self(Cache::new(EMPTY_DAYS_MAX))
    }
}

impl EmptyDays {
    pub fn contains(&self, day: &EmptyDay) -> bool {
        self.0.get(day).is_some()
    }

    /// Remembers a day, unless the version is not known: a load would not change it.
    pub fn add(&self, day: EmptyDay) {
        if day.version != i64::MAX {
            self.0.insert(day, ());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_empty_for_its_version_and_exchange_alone_and_memory_is_bounded() {
        let days = EmptyDays::default();
        let date = NaiveDate::from_ymd_opt(2026, 11, 26).unwrap();
        let day = EmptyDay { version: 7, date, exchange: Some("NYSE".to_owned()), as_of: None };
        days.add(day.clone());
        assert!(days.contains(&day));
        assert!(!days.contains(&EmptyDay { version: 8, ..day.clone() }));
        assert!(!days.contains(&EmptyDay { exchange: None, ..day.clone() }));
        for version in 0..4 * EMPTY_DAYS_MAX as i64 {
            days.add(EmptyDay { version, ..day.clone() });
        }
        assert!(days.0.len() <= EMPTY_DAYS_MAX);
    }
}
