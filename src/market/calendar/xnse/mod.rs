//! The trading calendar of the National Stock Exchange of India in Mumbai.
//!
//! Its holidays follow several religious calendars and decisions of each year, so they are a table.
//! Source: NSE, "Trading holidays", the circular of each December, and the circulars that change
//! it. On the evening of Diwali a short session is held: the `Muhurat` session.

mod holidays;

use chrono::NaiveDate;

use super::rules::listed;
use super::{Calendar, Hours, SpecialSession, no_early_close};
use holidays::HOLIDAYS;

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XNSE",
    zone: chrono_tz::Asia::Kolkata,
    first_year: 2010,
    last_year: 2026,
    hours: REGULAR,
    holiday,
    early_close: no_early_close,
    special_sessions: SPECIAL_SESSIONS,
};

const REGULAR: Hours = Hours::new((9, 15), (15, 30));

const fn muhurat(date: (i32, u32, u32), from: (u32, u32), until: (u32, u32)) -> SpecialSession {
    SpecialSession::new(date, "Muhurat", Some(Hours::new(from, until)))
}

/// A session on a weekend that tests the systems.
const fn drill(date: (i32, u32, u32), hours: Option<Hours>) -> SpecialSession {
    SpecialSession::new(date, "test of the trading systems", hours)
}

const fn budget(date: (i32, u32, u32)) -> SpecialSession {
    SpecialSession::new(date, "Union Budget", Some(REGULAR))
}

const SPECIAL_SESSIONS: &[SpecialSession] = &[
    drill((2010, 2, 6), None),
    muhurat((2010, 11, 5), (18, 15), (19, 15)),
    muhurat((2011, 10, 26), (16, 45), (18, 0)),
    drill((2012, 1, 7), Some(Hours::new((11, 15), (12, 45)))),
    drill((2012, 3, 3), Some(Hours::new((11, 15), (12, 45)))),
    drill((2012, 4, 28), Some(Hours::new((11, 15), (12, 45)))),
    drill((2012, 9, 8), Some(Hours::new((11, 15), (12, 45)))),
    muhurat((2012, 11, 13), (15, 45), (17, 0)),
    drill((2013, 5, 11), Some(Hours::new((11, 15), (12, 45)))),
    muhurat((2013, 11, 3), (18, 15), (19, 30)),
    drill((2014, 3, 22), Some(Hours::new((11, 15), (12, 45)))),
    muhurat((2014, 10, 23), (18, 30), (19, 30)),
    budget((2015, 2, 28)),
    muhurat((2015, 11, 11), (17, 45), (18, 45)),
    muhurat((2016, 10, 30), (18, 30), (19, 30)),
    muhurat((2017, 10, 19), (18, 30), (19, 30)),
    muhurat((2018, 11, 7), (17, 30), (18, 30)),
    muhurat((2019, 10, 27), (18, 15), (19, 15)),
    budget((2020, 2, 1)),
    muhurat((2020, 11, 14), (18, 15), (19, 15)),
    SpecialSession::new(
        (2021, 2, 24),
        "failure of the trading system",
        Some(Hours::new((9, 15), (17, 0)).with_pause((11, 40), (15, 45))),
    ),
    muhurat((2021, 11, 4), (18, 15), (19, 15)),
    muhurat((2022, 10, 24), (18, 15), (19, 15)),
    muhurat((2023, 11, 12), (18, 15), (19, 15)),
    SpecialSession::new((2024, 1, 20), "session in place of January 22", Some(REGULAR)),
    drill((2024, 3, 2), Some(TWO_SYSTEMS)),
    drill((2024, 5, 18), Some(TWO_SYSTEMS)),
    muhurat((2024, 11, 1), (18, 0), (19, 0)),
    budget((2025, 2, 1)),
    muhurat((2025, 10, 21), (13, 45), (14, 45)),
    budget((2026, 2, 1)),
    SpecialSession::new((2026, 11, 8), "Muhurat", None),
];

/// A session on the first system, and one on the second.
const TWO_SYSTEMS: Hours = Hours::new((9, 15), (12, 30)).with_pause((10, 0), (11, 30));

fn holiday(date: NaiveDate) -> Option<&'static str> {
    listed(HOLIDAYS, date)
}
