//! The trading calendar of Nasdaq Stockholm.
//!
//! Source: Nasdaq Nordic, "Trading hours and calendar", of each year.

use chrono::{Datelike, NaiveDate, Weekday};

use super::rules::{ASCENSION_DAY, EASTER_MONDAY, GOOD_FRIDAY, WHIT_MONDAY, days_after_easter};
use super::{Calendar, EarlyClose, Hours};

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XSTO",
    zone: chrono_tz::Europe::Stockholm,
    first_year: 2000,
    last_year: 2099,
    // The last five minutes are the closing auction.
    hours: Hours::new((9, 0), (17, 30)),
    holiday,
    early_close,
    special_sessions: &[],
};

fn holiday(date: NaiveDate) -> Option<&'static str> {
    let year = date.year();
    match (date.month(), date.day()) {
        (1, 1) => Some("New Year's Day"),
        (1, 6) => Some("Epiphany"),
        (5, 1) => Some("Labour Day"),
        (6, 6) if year >= 2004 => Some("National Day"),
        // The Friday before the Midsummer Day, which is a Saturday from the 20th to the 26th.
        (6, 19..=25) if date.weekday() == Weekday::Fri => Some("Midsummer Eve"),
        (12, 24) => Some("Christmas Eve"),
        (12, 25) => Some("Christmas Day"),
        (12, 26) => Some("Boxing Day"),
        (12, 31) => Some("New Year's Eve"),
        _ => match days_after_easter(date) {
            GOOD_FRIDAY => Some("Good Friday"),
            EASTER_MONDAY => Some("Easter Monday"),
            ASCENSION_DAY => Some("Ascension Day"),
            WHIT_MONDAY if year <= 2004 => Some("Whit Monday"),
            _ => None,
        },
    }
}

/// The days before some holidays end at 13:00.
fn early_close(date: NaiveDate) -> Option<EarlyClose> {
    let is_friday = date.weekday() == Weekday::Fri;
    let name = match (date.month(), date.day()) {
        (1, 5) => "day before Epiphany",
        (4, 30) => "day before Labour Day",
        // All Saints' Day is the Saturday from October 31 to November 6.
        (10, 30 | 31) | (11, 1..=5) if is_friday => "day before All Saints' Day",
        _ => match days_after_easter(date) {
            MAUNDY_THURSDAY => "Maundy Thursday",
            DAY_BEFORE_ASCENSION => "day before Ascension Day",
            _ => return None,
        },
    };
    Some(EarlyClose::new(name, (13, 0)))
}

const MAUNDY_THURSDAY: i64 = GOOD_FRIDAY - 1;
const DAY_BEFORE_ASCENSION: i64 = ASCENSION_DAY - 1;
