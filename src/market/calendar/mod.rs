//! On which days exchanges trade, and at what hours.
//!
//! A further calendar is one file beside `us.rs` with the rules of its exchanges, and an entry for
//! each of them in `known.rs`.

mod euronext;
mod known;
mod rules;
mod session;
#[cfg(test)]
mod tests;
mod us;
mod xasx;
mod xetr;
mod xhkg;
mod xkrx;
mod xlon;
mod xmil;
mod xnse;
mod xshg;
mod xsto;
mod xswx;
mod xtks;
mod xtse;

use std::fmt;
use std::iter::successors;

use chrono::{DateTime, Datelike, NaiveDate, Utc, Weekday};
use chrono_tz::Tz;

use super::Exchange;
pub use known::KnownExchange;
pub use session::{EarlyClose, Hours, Pause, SpecialSession};

/// The exchange whose calendar answers where none is named.
pub const DEFAULT_EXCHANGE: &str = "NYSE";

/// A bound on the days in a row without a trading day: Tokyo was closed for ten in 2019.
pub const CLOSED_DAYS_MAX: usize = 14;

/// The trading days of exchanges that keep the same ones. An early close is a trading day.
pub struct Calendar {
    /// Its name: the market identifier code (ISO 10383) of its first exchange.
    pub mic: &'static str,
    /// The time zone of the exchanges.
    pub zone: Tz,
    /// The first year that the rules are right for.
    pub first_year: i32,
    /// The last year that is known: of a table its end, of rules that hold without an end 2099.
    pub last_year: i32,
    /// The regular hours of today. Hours of the past may differ.
    pub hours: Hours,
    /// The name of the holiday, or the reason of the closure, on a day from Monday to Friday.
    holiday: fn(NaiveDate) -> Option<&'static str>,
    /// The early close on a trading day.
    early_close: fn(NaiveDate) -> Option<EarlyClose>,
    /// In order of date. Each is a trading day, whatever its weekday, and on holidays too.
    special_sessions: &'static [SpecialSession],
}

impl Calendar {
    /// The calendar of the US exchanges.
    pub const US: &Self = &us::CALENDAR;

    /// The calendar of an exchange, by its code or its MIC; `None` where it is not known.
    pub fn of(exchange: &str) -> Option<&'static Self> {
        KnownExchange::of(exchange).map(|exchange| exchange.calendar)
    }

    /// The codes of all exchanges whose calendar is known.
    pub fn known_exchanges() -> Vec<&'static str> {
        KnownExchange::ALL.iter().map(|exchange| exchange.code).collect()
    }

    /// Whether the rules are known to be right for `date`. Outside, nothing is claimed.
    pub fn covers(&self, date: NaiveDate) -> bool {
        (self.first_year..=self.last_year).contains(&date.year())
    }

    /// The first day that the rules are known to be right for.
    pub fn known_from(&self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.first_year, 1, 1).unwrap_or(NaiveDate::MIN)
    }

    /// The last day that the rules are known to be right for.
    pub fn known_until(&self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.last_year, 12, 31).unwrap_or(NaiveDate::MAX)
    }

    pub fn is_trading_day(&self, date: NaiveDate) -> bool {
        self.closure(date).is_none()
    }

    /// Why the exchanges are closed on `date`: `"weekend"`, or as in [`Self::holiday`]. `None` on a
    /// trading day.
    pub fn closure(&self, date: NaiveDate) -> Option<&'static str> {
        if self.special_session(date).is_some() {
            None
        } else if is_weekend(date) {
            Some("weekend")
        } else {
            (self.holiday)(date)
        }
    }

    /// The name of the holiday on `date`, or the reason of a special closure. `None` on a trading
    /// day and on a weekend.
    pub fn holiday(&self, date: NaiveDate) -> Option<&'static str> {
        if is_weekend(date) { None } else { self.closure(date) }
    }

    /// The early close on `date`; `None` on a day with a full session or without one.
    pub fn early_close(&self, date: NaiveDate) -> Option<EarlyClose> {
        let is_regular = self.is_trading_day(date) && self.special_session(date).is_none();
        if is_regular { (self.early_close)(date) } else { None }
    }

    /// The session at special hours or on a day that is otherwise free.
    pub fn special_session(&self, date: NaiveDate) -> Option<&'static SpecialSession> {
        let sessions = self.special_sessions;
        let found = sessions.binary_search_by_key(&date, |session| session.date);
        found.ok().map(|at| &sessions[at])
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

    /// The last trading day up to `date`, itself included; `None` if the calendar does not know.
    pub fn last_trading_day(&self, date: NaiveDate) -> Option<NaiveDate> {
        self.newest_first(date).next()
    }

    /// The newest trading day whose session at `exchange` has ended at `now`; `None` if the
    /// calendar does not know.
    pub fn newest_session(&self, exchange: &Exchange, now: DateTime<Utc>) -> Option<NaiveDate> {
        self.newest_first(exchange.today(now)).find(|day| {
            let closes_at = match self.special_session(*day) {
                Some(special) => special.hours.map(|hours| hours.closes_at),
                None => self.early_close(*day).map(|early| early.closes_at),
            };
            let closes_at = closes_at.unwrap_or(exchange.closes_at);
            let session = Exchange { closes_at, ..*exchange };
            session.session_end(*day).is_some_and(|end| end <= now)
        })
    }

    /// The trading days up to `date`, newest first, over at most [`CLOSED_DAYS_MAX`] days. None if
    /// `date` lies after the years that the calendar knows.
    fn newest_first(&self, date: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        let days = successors(Some(date), NaiveDate::pred_opt).take(CLOSED_DAYS_MAX);
        let is_known = date.year() <= self.last_year;
        days.filter(move |day| is_known && self.is_trading_day(*day))
    }
}

/// Calendars are constants: the same name means the same calendar.
impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        self.mic == other.mic
    }
}

impl Eq for Calendar {}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Calendar").field(&self.mic).finish()
    }
}

fn is_weekend(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

fn no_early_close(_: NaiveDate) -> Option<EarlyClose> {
    None
}
