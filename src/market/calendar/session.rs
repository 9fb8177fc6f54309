//! The sessions of a trading day, in the local time of the exchange.

use chrono::{NaiveDate, NaiveTime};

/// The hours of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    pub opens_at: NaiveTime,
    /// The end of continuous trading. A closing auction may follow.
    pub closes_at: NaiveTime,
    /// The lunch break, or the break between two sessions of one day.
    pub pause: Option<Pause>,
}

/// A break in which nothing trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    pub starts_at: NaiveTime,
    pub ends_at: NaiveTime,
}

/// A session that ends before its regular time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlyClose {
    pub name: &'static str,
    /// Local time.
    pub closes_at: NaiveTime,
}

/// A session at other hours than the regular ones, or on a weekend or a holiday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialSession {
    pub date: NaiveDate,
    pub name: &'static str,
    /// `None` where only the day is known.
    pub hours: Option<Hours>,
}

impl Hours {
    pub(super) const fn new(opens_at: (u32, u32), closes_at: (u32, u32)) -> Self {
        Self { opens_at: time(opens_at), closes_at: time(closes_at), pause: None }
    }

    pub(super) const fn with_pause(self, starts_at: (u32, u32), ends_at: (u32, u32)) -> Self {
        Self { pause: Some(Pause { starts_at: time(starts_at), ends_at: time(ends_at) }), ..self }
    }

    /// The same hours with another end. A break that it cuts off falls away.
    pub fn until(self, closes_at: NaiveTime) -> Self {
        let pause = self.pause.filter(|pause| pause.ends_at < closes_at);
        Self { closes_at, pause, ..self }
    }
}

impl EarlyClose {
    pub(super) const fn new(name: &'static str, closes_at: (u32, u32)) -> Self {
        Self { name, closes_at: time(closes_at) }
    }
}

impl SpecialSession {
    pub(super) const fn new(
        (year, month, day): (i32, u32, u32),
        name: &'static str,
        hours: Option<Hours>,
    ) -> Self {
        let date = NaiveDate::from_ymd_opt(year, month, day).expect("a day of the calendar");
        Self { date, name, hours }
    }
}

/// Hour and minute as a time of day.
const fn time((hour, minute): (u32, u32)) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).expect("a time of day")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_early_close_at_the_start_of_the_break_leaves_no_break() {
        let hours = Hours::new((9, 30), (16, 0)).with_pause((12, 0), (13, 0));
        let noon = hours.until(time((12, 0)));
        assert_eq!((noon.closes_at, noon.pause), (time((12, 0)), None));
        assert_eq!(hours.until(time((13, 0))).pause, None);
        assert_eq!(hours.until(time((15, 0))).pause, hours.pause);
    }
}
