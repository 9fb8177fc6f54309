//! On which days exchanges trade.
//!
//! A further calendar is one file beside `us.rs` with the rules of its exchanges, and one entry in
//! [`CALENDARS`].

mod rules;
mod us;

use std::fmt;
use std::iter::successors;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;

use super::Exchange;

const CALENDARS: [&Calendar; 1] = [Calendar::US];

/// The exchange whose calendar answers where none is named.
pub const DEFAULT_EXCHANGE: &str = "NYSE";

/// The trading days of exchanges that keep the same ones. An early closing is a trading day.
pub struct Calendar {
    /// The codes of the exchanges.
    exchanges: &'static [&'static str],
    /// The time zone of the exchanges.
    pub zone: Tz,
    /// The first year that the rules are right for.
    pub first_year: i32,
    /// The last year to publish: rules like these change sooner or later.
    pub last_year: i32,
    /// A bound on the days in a row without a trading day.
    closed_days_max: usize,
    /// The name of the holiday, or the reason of the closure, on a day from Monday to Friday.
    holiday: fn(NaiveDate) -> Option<&'static str>,
    /// The early closing on a trading day.
    early_close: fn(NaiveDate) -> Option<EarlyClose>,
}

/// A session that ends before its regular time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlyClose {
    pub name: &'static str,
    /// Local time.
    pub closes_at: NaiveTime,
}

impl Calendar {
    /// The calendar of the US exchanges.
    pub const US: &Self = &us::CALENDAR;

    /// The calendar of an exchange, by its code; `None` where it is not known.
    pub fn of(exchange: &str) -> Option<&'static Self> {
        CALENDARS.into_iter().find(|calendar| calendar.exchanges.contains(&exchange))
    }

    /// The codes of all exchanges whose calendar is known.
    pub fn known_exchanges() -> Vec<&'static str> {
        CALENDARS.iter().flat_map(|calendar| calendar.exchanges).copied().collect()
    }

    /// Whether the rules are known to be right for `date`.
    pub fn covers(&self, date: NaiveDate) -> bool {
        (self.first_year..=self.last_year).contains(&date.year())
    }

    pub fn is_trading_day(&self, date: NaiveDate) -> bool {
        self.closure(date).is_none()
    }

    /// Why the exchanges are closed on `date`: `"weekend"`, or as in [`Self::holiday`]. `None` on a
    /// trading day.
    pub fn closure(&self, date: NaiveDate) -> Option<&'static str> {
        if is_weekend(date) { Some("weekend") } else { (self.holiday)(date) }
    }

    /// The name of the holiday on `date`, or the reason of a special closure. `None` on a trading
    /// day and on a weekend.
    pub fn holiday(&self, date: NaiveDate) -> Option<&'static str> {
        if is_weekend(date) { None } else { (self.holiday)(date) }
    }

    /// The early closing on `date`; `None` on a day with a full session or without one.
    pub fn early_close(&self, date: NaiveDate) -> Option<EarlyClose> {
        if self.is_trading_day(date) { (self.early_close)(date) } else { None }
    }

    /// The trading days from `start` to `end`, both included, in order; none if `start` is after
    /// `end`.
    pub fn trading_days(
        &self,
        start: NaiveDate,
        end: NaiveDate,
    ) -> impl Iterator<Item = NaiveDate> {
        start.iter_days().take_while(move |day| *day <= end).filter(|day| self.is_trading_day(*day))
    }

    /// The last trading day up to `date`, itself included.
    pub fn last_trading_day(&self, date: NaiveDate) -> Option<NaiveDate> {
        self.newest_first(date).next()
    }

    /// The newest trading day whose session at `exchange` has ended at `now`.
    pub fn newest_session(&self, exchange: &Exchange, now: DateTime<Utc>) -> Option<NaiveDate> {
        self.newest_first(exchange.today(now)).find(|day| {
            let closes_at = self.early_close(*day).map_or(exchange.closes_at, |e| e.closes_at);
            let session = Exchange { closes_at, ..*exchange };
            session.session_end(*day).is_some_and(|end| end <= now)
        })
    }

    /// The trading days up to `date`, newest first, over at most [`Self::closed_days_max`] days.
    fn newest_first(&self, date: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        let days = successors(Some(date), NaiveDate::pred_opt).take(self.closed_days_max);
        days.filter(|day| self.is_trading_day(*day))
    }
}

/// Calendars are constants: the same exchanges mean the same calendar.
impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        self.exchanges == other.exchanges
    }
}

impl Eq for Calendar {}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Calendar").field(&self.exchanges).finish()
    }
}

fn is_weekend(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_is_found_by_the_code_of_its_exchange() {
        for code in Calendar::known_exchanges() {
            let calendar = Calendar::of(code).unwrap();
            assert!(calendar.exchanges.contains(&code), "{code}");
        }
        assert_eq!(Calendar::of(DEFAULT_EXCHANGE), Some(Calendar::US));
        assert_eq!(Calendar::of("XETRA"), None);
    }

    #[test]
    fn no_exchange_has_two_calendars() {
        let mut codes = Calendar::known_exchanges();
        codes.sort_unstable();
        let all = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}
