//! The trading calendar of the Korea Exchange in Seoul.
//!
//! Its holidays follow the moon, elections and decisions of each year, so they are a table.
//! Source: Regulations on Holidays of Public Offices; KRX, "Market holidays", of each year.

mod holidays;

use chrono::NaiveDate;

use super::rules::listed;
use super::{Calendar, Hours, SpecialSession, no_early_close};
use holidays::HOLIDAYS;

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XKRX",
    zone: chrono_tz::Asia::Seoul,
    first_year: 2010,
    last_year: 2027,
    // The last ten minutes are the closing auction. The close was 15:00 until 2016-07-31.
    hours: Hours::new((9, 0), (15, 30)),
    holiday,
    early_close: no_early_close,
    special_sessions: SPECIAL_SESSIONS,
};

/// The hour at which the regular session ends since August 2016, and the one before.
const CLOSE: (u32, u32) = (15, 30);
const CLOSE_UNTIL_2016: (u32, u32) = (15, 0);

/// The first session of a year opens an hour late.
const fn first(date: (i32, u32, u32)) -> SpecialSession {
    let close = if date.0 <= 2016 { CLOSE_UNTIL_2016 } else { CLOSE };
    let hours = Hours::new((10, 0), close);
    SpecialSession::new(date, "first trading day of the year", Some(hours))
}

/// On the day of the university entrance examination the session is an hour late.
const fn examination(date: (i32, u32, u32)) -> SpecialSession {
    let (hour, minute) = if date.0 <= 2015 { CLOSE_UNTIL_2016 } else { CLOSE };
    let hours = Hours::new((10, 0), (hour + 1, minute));
    SpecialSession::new(date, "university entrance examination", Some(hours))
}

const SPECIAL_SESSIONS: &[SpecialSession] = &[
    first((2010, 1, 4)),
    examination((2010, 11, 18)),
    first((2011, 1, 3)),
    examination((2011, 11, 10)),
    first((2012, 1, 2)),
    examination((2012, 11, 8)),
    first((2013, 1, 2)),
    examination((2013, 11, 7)),
    first((2014, 1, 2)),
    examination((2014, 11, 13)),
    first((2015, 1, 2)),
    examination((2015, 11, 12)),
    first((2016, 1, 4)),
    examination((2016, 11, 17)),
    first((2017, 1, 2)),
    examination((2017, 11, 16)),
    examination((2017, 11, 23)),
    first((2018, 1, 2)),
    examination((2018, 11, 15)),
    first((2019, 1, 2)),
    examination((2019, 11, 14)),
    first((2020, 1, 2)),
    examination((2020, 12, 3)),
    first((2021, 1, 4)),
    examination((2021, 11, 18)),
    first((2022, 1, 3)),
    examination((2022, 11, 17)),
    first((2023, 1, 2)),
    examination((2023, 11, 16)),
    first((2024, 1, 2)),
    examination((2024, 11, 14)),
    first((2025, 1, 2)),
    examination((2025, 11, 13)),
    first((2026, 1, 2)),
    examination((2026, 11, 19)),
    first((2027, 1, 4)),
    examination((2027, 11, 18)),
];

fn holiday(date: NaiveDate) -> Option<&'static str> {
    listed(HOLIDAYS, date)
}
