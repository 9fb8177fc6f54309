//! The trading calendar of the Hong Kong Stock Exchange: the general holidays of Hong Kong.
//!
//! Source: General Holidays Ordinance (Cap. 149); HKEX, "Trading calendar", of each year; Hong Kong
//! Observatory, "Gregorian-lunar calendar conversion table". Closures of half a day by a storm are
//! not listed. Since 2024-09-23 storms no longer end trading.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::rules::{
    EASTER_MONDAY, GOOD_FRIDAY, Listed, days_after_easter, is_kept_after_sunday, listed,
};
use super::{Calendar, EarlyClose, Hours};

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XHKG",
    zone: chrono_tz::Asia::Hong_Kong,
    first_year: LUNAR_YEARS[0].year,
    last_year: LUNAR_YEARS[LUNAR_YEARS.len() - 1].year,
    hours: Hours::new((9, 30), (16, 0)).with_pause((12, 0), (13, 0)),
    holiday,
    early_close,
    special_sessions: &[],
};

/// Days on which nothing traded at all, and single holidays.
const SPECIAL_CLOSURES: &[Listed] = &[
    (2001, 7, 6, "typhoon Utor"),
    (2001, 7, 25, "typhoon Yutu"),
    (2008, 8, 6, "typhoon Kammuri"),
    (2008, 8, 22, "typhoon Nuri"),
    (2011, 9, 29, "typhoon Nesat"),
    (2013, 8, 14, "typhoon Utor"),
    (2015, 9, 3, "70 years of the victory in the war"),
    (2016, 8, 2, "typhoon Nida"),
    (2016, 10, 21, "typhoon Haima"),
    (2017, 8, 23, "typhoon Hato"),
    (2020, 10, 13, "typhoon Nangka"),
    (2021, 10, 13, "typhoon Kompasu"),
    (2023, 7, 17, "typhoon Talim"),
    (2023, 9, 1, "typhoon Saola"),
    (2023, 9, 8, "black rainstorm"),
    (2024, 9, 6, "typhoon Yagi"),
];

/// The holidays of one year that follow the moon and the sun, as (month, day).
struct LunarYear {
    year: i32,
    new_year: (u32, u32),
    ching_ming: (u32, u32),
    birthday_of_buddha: (u32, u32),
    tuen_ng: (u32, u32),
    /// The festival itself. The holiday is the day after it.
    mid_autumn: (u32, u32),
    chung_yeung: (u32, u32),
}

type MonthDay = (u32, u32);

const fn lunar(
    year: i32,
    [new_year, ching_ming, birthday_of_buddha, tuen_ng, mid_autumn, chung_yeung]: [MonthDay; 6],
) -> LunarYear {
    LunarYear { year, new_year, ching_ming, birthday_of_buddha, tuen_ng, mid_autumn, chung_yeung }
}

#[rustfmt::skip] // one year a line
const LUNAR_YEARS: &[LunarYear] = &[
    lunar(2000, [(2, 5), (4, 4), (5, 11), (6, 6), (9, 12), (10, 6)]),
    lunar(2001, [(1, 24), (4, 5), (4, 30), (6, 25), (10, 1), (10, 25)]),
    lunar(2002, [(2, 12), (4, 5), (5, 19), (6, 15), (9, 21), (10, 14)]),
    lunar(2003, [(2, 1), (4, 5), (5, 8), (6, 4), (9, 11), (10, 4)]),
    lunar(2004, [(1, 22), (4, 4), (5, 26), (6, 22), (9, 28), (10, 22)]),
    lunar(2005, [(2, 9), (4, 5), (5, 15), (6, 11), (9, 18), (10, 11)]),
    lunar(2006, [(1, 29), (4, 5), (5, 5), (5, 31), (10, 6), (10, 30)]),
    lunar(2007, [(2, 18), (4, 5), (5, 24), (6, 19), (9, 25), (10, 19)]),
    lunar(2008, [(2, 7), (4, 4), (5, 12), (6, 8), (9, 14), (10, 7)]),
    lunar(2009, [(1, 26), (4, 4), (5, 2), (5, 28), (10, 3), (10, 26)]),
    lunar(2010, [(2, 14), (4, 5), (5, 21), (6, 16), (9, 22), (10, 16)]),
    lunar(2011, [(2, 3), (4, 5), (5, 10), (6, 6), (9, 12), (10, 5)]),
    lunar(2012, [(1, 23), (4, 4), (4, 28), (6, 23), (9, 30), (10, 23)]),
    lunar(2013, [(2, 10), (4, 4), (5, 17), (6, 12), (9, 19), (10, 13)]),
    lunar(2014, [(1, 31), (4, 5), (5, 6), (6, 2), (9, 8), (10, 2)]),
    lunar(2015, [(2, 19), (4, 5), (5, 25), (6, 20), (9, 27), (10, 21)]),
    lunar(2016, [(2, 8), (4, 4), (5, 14), (6, 9), (9, 15), (10, 9)]),
    lunar(2017, [(1, 28), (4, 4), (5, 3), (5, 30), (10, 4), (10, 28)]),
    lunar(2018, [(2, 16), (4, 5), (5, 22), (6, 18), (9, 24), (10, 17)]),
    lunar(2019, [(2, 5), (4, 5), (5, 12), (6, 7), (9, 13), (10, 7)]),
    lunar(2020, [(1, 25), (4, 4), (4, 30), (6, 25), (10, 1), (10, 25)]),
    lunar(2021, [(2, 12), (4, 4), (5, 19), (6, 14), (9, 21), (10, 14)]),
    lunar(2022, [(2, 1), (4, 5), (5, 8), (6, 3), (9, 10), (10, 4)]),
    lunar(2023, [(1, 22), (4, 5), (5, 26), (6, 22), (9, 29), (10, 23)]),
    lunar(2024, [(2, 10), (4, 4), (5, 15), (6, 10), (9, 17), (10, 11)]),
    lunar(2025, [(1, 29), (4, 4), (5, 5), (5, 31), (10, 6), (10, 29)]),
    lunar(2026, [(2, 17), (4, 5), (5, 24), (6, 19), (9, 25), (10, 18)]),
    lunar(2027, [(2, 6), (4, 5), (5, 13), (6, 9), (9, 15), (10, 8)]),
    lunar(2028, [(1, 26), (4, 4), (5, 2), (5, 28), (10, 3), (10, 26)]),
    lunar(2029, [(2, 13), (4, 4), (5, 20), (6, 16), (9, 22), (10, 16)]),
    lunar(2030, [(2, 3), (4, 5), (5, 9), (6, 5), (9, 12), (10, 5)]),
];

/// Since this year a holiday among the first three days of the lunar year that falls on a Sunday is
/// made up for by the fourth day, and the day after the Mid-Autumn Festival by the Monday. Before,
/// the eve or the festival itself was free.
const NEW_SUBSTITUTION: i32 = 2012;

fn holiday(date: NaiveDate) -> Option<&'static str> {
    let by_rule = match (date.month(), date.day()) {
        (1, _) if is_kept_after_sunday(date, 1) => Some("New Year's Day"),
        (5, _) if is_kept_after_sunday(date, 1) => Some("Labour Day"),
        (7, _) if is_kept_after_sunday(date, 1) => Some("Establishment Day"),
        (10, _) if is_kept_after_sunday(date, 1) => Some("National Day"),
        (12, 25) => Some("Christmas Day"),
        (12, 26) => Some("first weekday after Christmas Day"),
        // Christmas Day was a Saturday or a Sunday.
        (12, 27) if matches!(date.weekday(), Weekday::Mon | Weekday::Tue) => {
            Some("first weekday after Christmas Day")
        }
        _ => match days_after_easter(date) {
            GOOD_FRIDAY => Some("Good Friday"),
            EASTER_MONDAY => Some("Easter Monday"),
            _ => None,
        },
    };
    by_rule.or_else(|| lunar_holiday(date)).or_else(|| listed(SPECIAL_CLOSURES, date))
}

fn lunar_holiday(date: NaiveDate) -> Option<&'static str> {
    let lunar = lunar_year(date)?;
    let on = |(month, day): MonthDay| NaiveDate::from_ymd_opt(date.year(), month, day);
    let is_kept_on = |day: MonthDay| on(day).is_some_and(|day| after_sunday(day) == date);
    if is_lunar_new_year(date, on(lunar.new_year)?) {
        Some("Lunar New Year")
    } else if ching_ming(on(lunar.ching_ming)?) == date {
        Some("Ching Ming Festival")
    } else if is_kept_on(lunar.birthday_of_buddha) {
        Some("Birthday of the Buddha")
    } else if is_kept_on(lunar.tuen_ng) {
        Some("Tuen Ng Festival")
    } else if day_after_mid_autumn(on(lunar.mid_autumn)?) == date {
        Some("day after the Mid-Autumn Festival")
    } else if is_kept_on(lunar.chung_yeung) {
        Some("Chung Yeung Festival")
    } else {
        None
    }
}

fn lunar_year(date: NaiveDate) -> Option<&'static LunarYear> {
    LUNAR_YEARS.iter().find(|lunar| lunar.year == date.year())
}

/// The first three days of the lunar year, and the day that makes up for a Sunday among them.
fn is_lunar_new_year(date: NaiveDate, first: NaiveDate) -> bool {
    let has_sunday = first.iter_days().take(3).any(|day| day.weekday() == Weekday::Sun);
    let made_up_by = if first.year() >= NEW_SUBSTITUTION { 3 } else { -1 };
    let days = (date - first).num_days();
    (0..3).contains(&days) || (has_sunday && days == made_up_by)
}

/// Where Ching Ming meets Easter Monday, it is kept on the Tuesday.
fn ching_ming(day: NaiveDate) -> NaiveDate {
    let kept = after_sunday(day);
    if days_after_easter(kept) == EASTER_MONDAY { kept + Days::new(1) } else { kept }
}

/// Where the day after the festival is October 1, it is kept on the 2nd; where it is a Sunday, on
/// the Monday.
fn day_after_mid_autumn(festival: NaiveDate) -> NaiveDate {
    let next = festival + Days::new(1);
    let is_national_day = (next.month(), next.day()) == (10, 1);
    let is_made_up = next.weekday() == Weekday::Sun && next.year() >= NEW_SUBSTITUTION;
    if is_national_day || is_made_up { next + Days::new(1) } else { next }
}

fn after_sunday(day: NaiveDate) -> NaiveDate {
    if day.weekday() == Weekday::Sun { day + Days::new(1) } else { day }
}

/// The eves of Christmas and of both New Years have a morning session only. Of the lunar year that
/// is known since 2013.
fn early_close(date: NaiveDate) -> Option<EarlyClose> {
    let is_new_years_eve = || {
        let (month, day) = lunar_year(date)?.new_year;
        let first = NaiveDate::from_ymd_opt(date.year(), month, day)?;
        (date.year() >= 2013 && date + Days::new(1) == first).then_some("Lunar New Year's Eve")
    };
    let name = match (date.month(), date.day()) {
        (12, 24) => "Christmas Eve",
        (12, 31) => "New Year's Eve",
        _ => is_new_years_eve()?,
    };
    // The hours changed on 2011-03-07.
    Some(EarlyClose::new(name, if date.year() <= 2010 { (12, 30) } else { (12, 0) }))
}
