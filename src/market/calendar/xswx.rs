//! The trading calendar of SIX Swiss Exchange in Zurich. It has no early closes.
//!
//! Source: SIX, "Trading days and holidays", of each year.

use chrono::{Datelike, NaiveDate};

use super::rules::{ASCENSION_DAY, EASTER_MONDAY, GOOD_FRIDAY, WHIT_MONDAY, days_after_easter};
use super::{Calendar, Hours, no_early_close};

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XSWX",
    zone: chrono_tz::Europe::Zurich,
    first_year: 2000,
    last_year: 2099,
    // The last ten minutes are the closing auction.
    hours: Hours::new((9, 0), (17, 30)),
    holiday,
    early_close: no_early_close,
    special_sessions: &[],
};

fn holiday(date: NaiveDate) -> Option<&'static str> {
    match (date.month(), date.day()) {
        (1, 1) => Some("New Year's Day"),
        (1, 2) => Some("Berchtold's Day"),
        (5, 1) => Some("Labour Day"),
        (8, 1) => Some("National Day"),
        (12, 24) => Some("Christmas Eve"),
        (12, 25) => Some("Christmas Day"),
        (12, 26) => Some("St. Stephen's Day"),
        (12, 31) => Some("New Year's Eve"),
        _ => match days_after_easter(date) {
            GOOD_FRIDAY => Some("Good Friday"),
            EASTER_MONDAY => Some("Easter Monday"),
            ASCENSION_DAY => Some("Ascension Day"),
            WHIT_MONDAY => Some("Whit Monday"),
            _ => None,
        },
    }
}
