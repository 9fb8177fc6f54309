//! The trading calendar of Xetra, the electronic market of Frankfurt.
//!
//! Source: Deutsche Börse, "Trading calendar", of each year.

use chrono::{Datelike, NaiveDate};

use super::rules::{
    EASTER_MONDAY, GOOD_FRIDAY, WHIT_MONDAY, days_after_easter, is_last_workday_until,
};
use super::{Calendar, EarlyClose, Hours};

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XETR",
    zone: chrono_tz::Europe::Berlin,
    first_year: 2000,
    last_year: 2099,
    hours: Hours::new((9, 0), (17, 30)),
    holiday,
    early_close,
    special_sessions: &[],
};

/// Xetra kept Whit Monday in 2007 and in these years, and German Unity Day from the year before
/// them. Since 2022 both are trading days again.
const MORE_HOLIDAYS: std::ops::RangeInclusive<i32> = 2015..=2021;

fn holiday(date: NaiveDate) -> Option<&'static str> {
    let year = date.year();
    match (date.month(), date.day()) {
        (1, 1) => Some("New Year's Day"),
        (5, 1) => Some("Labour Day"),
        (10, 3) if year == 2014 || MORE_HOLIDAYS.contains(&year) => Some("German Unity Day"),
        (10, 31) if year == 2017 => Some("500 years of the Reformation"),
        (12, 24) => Some("Christmas Eve"),
        (12, 25) => Some("Christmas Day"),
        (12, 26) => Some("Boxing Day"),
        (12, 31) => Some("New Year's Eve"),
        _ => match days_after_easter(date) {
            GOOD_FRIDAY => Some("Good Friday"),
            EASTER_MONDAY => Some("Easter Monday"),
            WHIT_MONDAY if year == 2007 || MORE_HOLIDAYS.contains(&year) => Some("Whit Monday"),
            _ => None,
        },
    }
}

/// The last trading day of the year ends at 14:00. The exchange confirms it each December.
fn early_close(date: NaiveDate) -> Option<EarlyClose> {
    let is_last_day = date.year() >= 2010 && is_last_workday_until(date, 12, 30);
    is_last_day.then(|| EarlyClose::new("last trading day of the year", (14, 0)))
}
