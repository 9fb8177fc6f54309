//! An exchange: its time zone and the end of its session.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;

/// The clock of an exchange. Dates of bars are dates in its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    pub zone: Tz,
    /// The end of the regular session, local time.
    pub closes_at: NaiveTime,
}

impl Exchange {
    /// The date at the exchange.
    pub fn today(&self, now: DateTime<Utc>) -> NaiveDate {
        now.with_timezone(&self.zone).date_naive()
    }

    /// When the regular session of a date ends. `None` if the local time does not exist on that
    /// date, because clocks go forward over it.
    pub fn session_end(&self, date: NaiveDate) -> Option<DateTime<Utc>> {
        let end = date.and_time(self.closes_at).and_local_timezone(self.zone).latest();
        end.map(|end| end.with_timezone(&Utc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_changes_at_midnight_of_the_exchange_in_summer_and_winter() {
        let new_york = Exchange {
            zone: chrono_tz::America::New_York,
            closes_at: NaiveTime::from_hms_opt(16, 0, 0).unwrap(),
        };
        // UTC-5 in winter, UTC-4 in summer.
        for (utc, date) in [
            ("2026-01-15T04:59:59Z", "2026-01-14"),
            ("2026-01-15T05:00:00Z", "2026-01-15"),
            ("2026-07-15T03:59:59Z", "2026-07-14"),
            ("2026-07-15T04:00:00Z", "2026-07-15"),
            ("2027-01-01T04:59:59Z", "2026-12-31"),
        ] {
            assert_eq!(new_york.today(utc.parse().unwrap()).to_string(), date, "{utc}");
        }
    }
}
