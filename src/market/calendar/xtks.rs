//! The trading calendar of the Tokyo Stock Exchange: the national holidays of Japan.
//!
//! Source: the Act on National Holidays (1948) and its amendments; Japan Exchange Group, "Market
//! holidays", of each year.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::rules::{is_last_workday_until, is_nth_weekday};
use super::{Calendar, EarlyClose, Hours};

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XTKS",
    zone: chrono_tz::Asia::Tokyo,
    first_year: 2000,
    // The formula of the equinoxes holds until then.
    last_year: 2099,
    // The last five minutes are the closing auction. The close was 15:00 until 2024-11-04.
    hours: Hours::new((9, 0), (15, 30)).with_pause((11, 30), (12, 30)),
    holiday,
    early_close,
    special_sessions: &[],
};

fn holiday(date: NaiveDate) -> Option<&'static str> {
    match (date.year(), date.month(), date.day()) {
        (_, 1, 1..=3) => Some("New Year holidays"),
        (_, 12, 31) => Some("New Year's Eve"),
        (2020, 10, 1) => Some("failure of the trading system"),
        _ => national_holiday(date).or_else(|| substitute(date)).or_else(|| between(date)),
    }
}

/// The holiday that the law puts on `date`, which may be a Sunday.
fn national_holiday(date: NaiveDate) -> Option<&'static str> {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let nth_monday = |nth| is_nth_weekday(date, Weekday::Mon, nth);
    match month {
        1 if day == 1 => Some("New Year's Day"),
        1 if nth_monday(2) => Some("Coming of Age Day"),
        2 if day == 11 => Some("National Foundation Day"),
        2 if day == 23 && year >= 2020 => Some("Emperor's Birthday"),
        3 if day == equinox(year, 20_843_100) => Some("Vernal Equinox Day"),
        4 if day == 29 => Some(if year >= 2007 { "Showa Day" } else { "Greenery Day" }),
        5 if day == 1 && year == 2019 => Some("enthronement of the Emperor"),
        5 if day == 3 => Some("Constitution Memorial Day"),
        5 if day == 4 && year >= 2007 => Some("Greenery Day"),
        5 if day == 5 => Some("Children's Day"),
        7 | 8 | 10 => summer_or_sports_holiday(date),
        9 if year >= 2003 && nth_monday(3) => Some("Respect for the Aged Day"),
        9 if year < 2003 && day == 15 => Some("Respect for the Aged Day"),
        9 if day == equinox(year, 23_248_800) => Some("Autumnal Equinox Day"),
        11 if day == 3 => Some("Culture Day"),
        11 if day == 23 => Some("Labor Thanksgiving Day"),
        12 if day == 23 && year < 2019 => Some("Emperor's Birthday"),
        _ => None,
    }
}

/// The holidays of July, August and October. The Olympic Games moved them in 2020 and 2021.
fn summer_or_sports_holiday(date: NaiveDate) -> Option<&'static str> {
    let (year, key) = (date.year(), (date.month(), date.day()));
    let nth_monday = |month, nth| date.month() == month && is_nth_weekday(date, Weekday::Mon, nth);
    let (is_marine_day, is_mountain_day, is_sports_day) = match year {
        2020 => (key == (7, 23), key == (8, 10), key == (7, 24)),
        2021 => (key == (7, 22), key == (8, 8), key == (7, 23)),
        _ => {
            let is_marine_day = if year >= 2003 { nth_monday(7, 3) } else { key == (7, 20) };
            (is_marine_day, year >= 2016 && key == (8, 11), nth_monday(10, 2))
        }
    };
    if is_marine_day {
        Some("Marine Day")
    } else if is_mountain_day {
        Some("Mountain Day")
    } else if is_sports_day {
        Some("Sports Day")
    } else if (year, key) == (2019, (10, 22)) {
        Some("enthronement ceremony of the Emperor")
    } else {
        None
    }
}

/// The day of an equinox in its month, from 1980 to 2099. `day_in_1980` is in millionths of a day.
///
/// The formula of the Japan Coast Guard's ephemeris: the tropical year is 0.242194 days longer than
/// 365 days, and leap years take one day back.
fn equinox(year: i32, day_in_1980: i32) -> u32 {
    let years = year - 1980;
    let day = (day_in_1980 + 242_194 * years) / 1_000_000 - years / 4;
    day.unsigned_abs()
}

/// A holiday on a Sunday is kept on the next day that is none. Until 2006 that was the Monday.
fn substitute(date: NaiveDate) -> Option<&'static str> {
    let mut before = date.checked_sub_days(Days::new(1))?;
    let mut name = national_holiday(before)?;
    while before.weekday() != Weekday::Sun {
        if date.year() < 2007 {
            return None;
        }
        before = before.checked_sub_days(Days::new(1))?;
        name = national_holiday(before)?;
    }
    Some(name)
}

/// A day between two national holidays is a holiday.
fn between(date: NaiveDate) -> Option<&'static str> {
    national_holiday(date.checked_sub_days(Days::new(1))?)?;
    national_holiday(date.checked_add_days(Days::new(1))?)?;
    Some("Citizens' Holiday")
}

/// Until January 2009 the first and the last day of a year had a morning session only.
fn early_close(date: NaiveDate) -> Option<EarlyClose> {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let is_first = month == 1 && (day == 4 || (date.weekday() == Weekday::Mon && day <= 6));
    let name = if is_first && year <= 2009 {
        "first trading day of the year"
    } else if is_last_workday_until(date, 12, 30) && year <= 2008 {
        "last trading day of the year"
    } else {
        return None;
    };
    Some(EarlyClose::new(name, (11, 0)))
}
