//! The trading calendar of the Toronto Stock Exchange: the holidays of Ontario.
//!
//! Source: TMX, "Trading hours and holidays", of each year. On 2008-12-17 a failure ended trading
//! soon after the open: it counts as a trading day.

use chrono::{Datelike, NaiveDate, Weekday};

use super::rules::{
    Listed, christmas_with_substitutes, is_good_friday, is_kept_by_monday, is_nth_weekday, listed,
};
use super::{Calendar, EarlyClose, Hours};

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XTSE",
    zone: chrono_tz::America::Toronto,
    first_year: 2000,
    last_year: 2099,
    hours: Hours::new((9, 30), (16, 0)),
    holiday,
    early_close,
    special_sessions: &[],
};

const SPECIAL_CLOSURES: &[Listed] =
    &[(2001, 9, 11, "September 11 attacks"), (2001, 9, 12, "September 11 attacks")];

fn holiday(date: NaiveDate) -> Option<&'static str> {
    let is_monday = date.weekday() == Weekday::Mon;
    let by_rule = match date.month() {
        1 if is_kept_by_monday(date, 1) => Some("New Year's Day"),
        2 if date.year() >= 2008 && is_nth_weekday(date, Weekday::Mon, 3) => Some("Family Day"),
        3 | 4 if is_good_friday(date) => Some("Good Friday"),
        // The last Monday before May 25.
        5 if is_monday && (18..=24).contains(&date.day()) => Some("Victoria Day"),
        7 if is_kept_by_monday(date, 1) => Some("Canada Day"),
        8 if is_nth_weekday(date, Weekday::Mon, 1) => Some("Civic Holiday"),
        9 if is_nth_weekday(date, Weekday::Mon, 1) => Some("Labour Day"),
        10 if is_nth_weekday(date, Weekday::Mon, 2) => Some("Thanksgiving Day"),
        12 => christmas_with_substitutes(date),
        _ => None,
    };
    by_rule.or_else(|| listed(SPECIAL_CLOSURES, date))
}

fn early_close(date: NaiveDate) -> Option<EarlyClose> {
    let is_christmas_eve = date.year() >= 2010 && (date.month(), date.day()) == (12, 24);
    is_christmas_eve.then(|| EarlyClose::new("Christmas Eve", (13, 0)))
}
