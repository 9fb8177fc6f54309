//! The time as of which a request reads published data.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};

use super::parse_date;

/// A time in the past, or a day that has begun: everything that was published until then, and
/// nothing later.
///
/// A day stands for its last microsecond in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsOf(DateTime<Utc>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AsOfError {
    #[error(
        "expected a day, as in 2024-03-01, or a time with its zone, as in 2024-03-01T21:00:00Z"
    )]
    Form,
    #[error("expected a day or a time that is not after {today}, today in UTC")]
    Future { today: NaiveDate },
}

impl AsOf {
    /// Parses a day or a time of RFC 3339 that is not after the day of `now`.
    ///
    /// # Errors
    /// If the text has another form, or if the time is in the future.
    pub fn parse(text: &str, now: DateTime<Utc>) -> Result<Self, AsOfError> {
        let as_of: Self = text.parse()?;
        let today = now.date_naive();
        if as_of.0.date_naive() > today { Err(AsOfError::Future { today }) } else { Ok(as_of) }
    }

    /// The newest revision that is read: microseconds of the epoch.
    pub fn revision(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// This time, or `now` if it is later: until then, the answer may change.
    pub fn until(self, now: DateTime<Utc>) -> Self {
        Self(self.0.min(now))
    }

    fn end_of(day: NaiveDate) -> Option<Self> {
        let next = day.checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN).and_utc();
        Some(Self(next - TimeDelta::microseconds(1)))
    }
}

impl FromStr for AsOf {
    type Err = AsOfError;

    fn from_str(text: &str) -> Result<Self, AsOfError> {
        if let Some(day) = parse_date(text) {
            return Self::end_of(day).ok_or(AsOfError::Form);
        }
        // In a query, a plus sign that is not escaped arrives as a space.
        let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+"));
        let time = time.map_err(|_| AsOfError::Form)?.to_utc();
        // Nothing is published between two microseconds.
        DateTime::from_timestamp_micros(time.timestamp_micros()).map(Self).ok_or(AsOfError::Form)
    }
}

/// The shortest text: a day if it stands for one.
impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.0.date_naive();
        if Self::end_of(day) == Some(*self) {
            return write!(f, "{day}");
        }
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        "2026-11-30T17:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_day_includes_all_of_its_microseconds_in_utc() {
        let day = AsOf::parse("2024-03-01", now()).unwrap();
        assert_eq!(day.revision(), 1_709_337_599_999_999);
        assert_eq!(AsOf::parse("2024-03-01T23:59:59.999999Z", now()), Ok(day));
    }

    #[test]
    fn a_time_may_have_any_zone_and_a_plus_sign_that_arrived_as_a_space() {
        for text in ["2024-03-01T16:00:00-05:00", "2024-03-01T23:00:00 02:00"] {
            let time = AsOf::parse(text, now()).unwrap();
            assert_eq!(time.to_string(), "2024-03-01T21:00:00Z", "{text}");
        }
    }

    #[test]
    fn today_is_accepted_and_later_days_are_not() {
        let today = now().date_naive();
        for (text, expected) in [
            ("2026-11-30", None),
            ("2026-11-30T23:00:00Z", None),
            ("2026-12-01", Some(AsOfError::Future { today })),
            ("2026-12-01T00:00:00Z", Some(AsOfError::Future { today })),
            ("2026-12-01T00:00:00+01:00", None),
            ("2024-03-01T21:00:00", Some(AsOfError::Form)),
            ("2024-02-30", Some(AsOfError::Form)),
            ("yesterday", Some(AsOfError::Form)),
            ("", Some(AsOfError::Form)),
        ] {
            assert_eq!(AsOf::parse(text, now()).err(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_time_is_parsed_back_from_its_text(micros in 0i64..1_790_000_000_000_000) {
            let as_of = AsOf(DateTime::from_timestamp_micros(micros).unwrap());
            prop_assert_eq!(AsOf::parse(&as_of.to_string(), now()), Ok(as_of));
        }

        #[test]
        fn parsing_any_text_does_not_panic(text in ".{0,30}|[-0-9TZ:.+ ]{0,30}") {
            let _ = AsOf::parse(&text, now());
        }
    }
}
