//! The trading calendar of Euronext Milan (Borsa Italiana). It has no early closes.
//!
//! Source: Borsa Italiana, "Trading calendar", of each year.

use chrono::{Datelike, NaiveDate};

use super::rules::{EASTER_MONDAY, GOOD_FRIDAY, days_after_easter};
use super::{Calendar, Hours, no_early_close};

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XMIL",
    zone: chrono_tz::Europe::Rome,
    first_year: 2000,
    last_year: 2099,
    hours: Hours::new((9, 0), (17, 30)),
    holiday,
    early_close: no_early_close,
    special_sessions: &[],
};

fn holiday(date: NaiveDate) -> Option<&'static str> {
    match (date.month(), date.day()) {
        (1, 1) => Some("New Year's Day"),
        (5, 1) => Some("Labour Day"),
        (8, 15) => Some("Ferragosto"),
        (12, 24) => Some("Christmas Eve"),
        (12, 25) => Some("Christmas Day"),
        (12, 26) => Some("St. Stephen's Day"),
        (12, 31) => Some("New Year's Eve"),
        _ => match days_after_easter(date) {
            GOOD_FRIDAY => Some("Good Friday"),
            EASTER_MONDAY => Some("Easter Monday"),
            _ => None,
        },
    }
}
