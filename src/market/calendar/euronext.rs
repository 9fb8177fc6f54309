//! The trading calendars of Euronext Paris, Amsterdam and Brussels. Since 2002 they are the same.
//!
//! Source: Euronext, "Trading hours and holidays", of each year.

use chrono::{Datelike, NaiveDate};

use super::rules::{ASCENSION_DAY, EASTER_MONDAY, GOOD_FRIDAY, WHIT_MONDAY, days_after_easter};
use super::{Calendar, EarlyClose, Hours};

pub(super) const PARIS: Calendar = Calendar {
    mic: "XPAR",
    zone: chrono_tz::Europe::Paris,
    first_year: 2000,
    last_year: 2099,
    hours: Hours::new((9, 0), (17, 30)),
    holiday: holiday_in_paris,
    early_close,
    special_sessions: &[],
};

pub(super) const AMSTERDAM: Calendar = Calendar {
    mic: "XAMS",
    zone: chrono_tz::Europe::Amsterdam,
    holiday: holiday_in_amsterdam,
    ..PARIS
};

pub(super) const BRUSSELS: Calendar = Calendar {
    mic: "XBRU",
    zone: chrono_tz::Europe::Brussels,
    holiday: holiday_in_brussels,
    ..PARIS
};

/// The last year in which each country kept holidays of its own.
const LAST_YEAR_APART: i32 = 2001;

fn holiday_in_paris(date: NaiveDate) -> Option<&'static str> {
    let is_bastille_day = (date.month(), date.day()) == (7, 14);
    holiday(date).or_else(|| own_holiday(date, is_bastille_day.then_some("Bastille Day")))
}

fn holiday_in_amsterdam(date: NaiveDate) -> Option<&'static str> {
    let is_queens_day = (date.month(), date.day()) == (4, 30);
    let own = is_queens_day.then_some("Queen's Day").or_else(|| ascension_day(date));
    holiday(date).or_else(|| own_holiday(date, own))
}

fn holiday_in_brussels(date: NaiveDate) -> Option<&'static str> {
    let is_national_day = (date.month(), date.day()) == (7, 21);
    let own = is_national_day.then_some("National Day").or_else(|| ascension_day(date));
    holiday(date).or_else(|| own_holiday(date, own))
}

/// Amsterdam and Brussels kept it for the last time in 2000.
fn ascension_day(date: NaiveDate) -> Option<&'static str> {
    let is_kept = date.year() <= 2000 && days_after_easter(date) == ASCENSION_DAY;
    is_kept.then_some("Ascension Day")
}

/// The holidays up to [`LAST_YEAR_APART`]: those of one country, and two of all.
fn own_holiday(date: NaiveDate, of_country: Option<&'static str>) -> Option<&'static str> {
    if date.year() > LAST_YEAR_APART {
        None
    } else if (date.month(), date.day()) == (12, 31) {
        Some("New Year's Eve")
    } else if days_after_easter(date) == WHIT_MONDAY {
        Some("Whit Monday")
    } else {
        of_country
    }
}

fn holiday(date: NaiveDate) -> Option<&'static str> {
    match (date.month(), date.day()) {
        (1, 1) => Some("New Year's Day"),
        (5, 1) => Some("Labour Day"),
        (12, 25) => Some("Christmas Day"),
        (12, 26) => Some("Boxing Day"),
        _ => match days_after_easter(date) {
            GOOD_FRIDAY => Some("Good Friday"),
            EASTER_MONDAY => Some("Easter Monday"),
            _ => None,
        },
    }
}

fn early_close(date: NaiveDate) -> Option<EarlyClose> {
    let name = match (date.month(), date.day()) {
        (12, 24) => "Christmas Eve",
        (12, 31) => "New Year's Eve",
        _ => return None,
    };
    Some(EarlyClose::new(name, (14, 5)))
}
