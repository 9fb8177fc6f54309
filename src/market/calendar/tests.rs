//! Days that the exchanges published, per calendar. `make test-calendars` compares all days with a
//! public package.

use chrono::{Datelike, NaiveDate, Weekday};

use super::{Calendar, KnownExchange};

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date in the test")
}

fn calendar(mic: &str) -> &'static Calendar {
    Calendar::of(mic).expect("a known exchange")
}

/// (MIC, a day on which it was closed, the reason).
const CLOSED: [(&str, &str, &str); 46] = [
    ("XLON", "2022-06-03", "Platinum Jubilee"),
    ("XLON", "2022-09-19", "funeral of Queen Elizabeth II"),
    ("XLON", "2023-01-02", "New Year's Day"),
    ("XLON", "2020-05-08", "Early May Bank Holiday"),
    ("XLON", "2024-08-26", "Summer Bank Holiday"),
    ("XLON", "2021-12-28", "Boxing Day"),
    ("XETR", "2021-05-24", "Whit Monday"),
    ("XETR", "2017-10-31", "500 years of the Reformation"),
    ("XETR", "2024-12-24", "Christmas Eve"),
    ("XPAR", "2001-12-31", "New Year's Eve"),
    ("XPAR", "2024-05-01", "Labour Day"),
    ("XAMS", "2001-04-30", "Queen's Day"),
    ("XAMS", "2025-04-21", "Easter Monday"),
    ("XBRU", "2000-07-21", "National Day"),
    ("XSWX", "2024-05-09", "Ascension Day"),
    ("XSWX", "2024-08-01", "National Day"),
    ("XSWX", "2024-01-02", "Berchtold's Day"),
    ("XMIL", "2024-08-15", "Ferragosto"),
    ("XSTO", "2024-06-21", "Midsummer Eve"),
    ("XSTO", "2024-06-06", "National Day"),
    ("XTSE", "2024-02-19", "Family Day"),
    ("XTSE", "2024-05-20", "Victoria Day"),
    ("XTSE", "2023-07-03", "Canada Day"),
    ("XTSE", "2001-09-12", "September 11 attacks"),
    ("XTKS", "2020-10-01", "failure of the trading system"),
    ("XTKS", "2019-04-30", "Citizens' Holiday"),
    ("XTKS", "2026-09-22", "Citizens' Holiday"),
    ("XTKS", "2024-02-12", "National Foundation Day"),
    ("XTKS", "2021-07-23", "Sports Day"),
    ("XTKS", "2025-05-06", "Greenery Day"),
    ("XHKG", "2024-02-13", "Lunar New Year"),
    ("XHKG", "2023-09-08", "black rainstorm"),
    ("XHKG", "2022-09-12", "day after the Mid-Autumn Festival"),
    ("XHKG", "2026-04-07", "Ching Ming Festival"),
    ("XSHG", "2015-09-03", "70 years of the victory in the war"),
    ("XSHE", "2024-02-09", "Spring Festival"),
    ("XKRX", "2025-06-03", "presidential election"),
    ("XKRX", "2024-12-31", "last day of the year"),
    ("XASX", "2022-09-22", "day of mourning for Queen Elizabeth II"),
    ("XASX", "2022-06-13", "Queen's Birthday"),
    ("XASX", "2023-06-12", "King's Birthday"),
    ("XASX", "2024-06-10", "King's Birthday"),
    ("XASX", "2011-04-26", "Anzac Day"),
    ("XNSE", "2024-05-20", "general election"),
    ("XNSE", "2026-10-20", "Dussehra"),
    ("XNSE", "2013-11-15", "Muharram"),
];

/// Days that look free and are not.
const OPEN: [(&str, &str); 16] = [
    ("XLON", "2020-05-04"), // the bank holiday moved to Friday
    ("XLON", "2022-05-30"),
    ("XETR", "2022-06-06"), // Whit Monday is no holiday any more
    ("XETR", "2022-10-03"),
    ("XPAR", "2024-05-09"), // Ascension Day
    ("XSWX", "2024-10-03"),
    ("XTSE", "2007-02-19"), // Family Day is from 2008
    ("XTKS", "2019-12-23"), // the former Emperor's birthday
    ("XTKS", "2020-07-20"), // Marine Day moved for the Olympic Games
    ("XHKG", "2025-09-24"), // a typhoon, and trading went on
    ("XSHG", "2024-02-19"), // the first day after the Spring Festival
    ("XASX", "2021-04-26"), // Anzac Day was a Sunday
    ("XNSE", "2013-11-14"),
    ("XNSE", "2025-02-01"), // a Saturday, for the budget
    ("XNSE", "2026-02-01"), // a Sunday, for the budget
    ("XNSE", "2023-11-12"), // a Sunday, Muhurat
];

#[test]
fn published_closures_are_closed_for_the_published_reason() {
    for (mic, day, reason) in CLOSED {
        assert_eq!(calendar(mic).closure(date(day)), Some(reason), "{mic} {day}");
    }
}

#[test]
fn days_that_look_free_and_are_not_are_trading_days() {
    for (mic, day) in OPEN {
        assert_eq!(calendar(mic).closure(date(day)), None, "{mic} {day}");
    }
}

#[test]
fn early_closes_are_at_the_published_local_times() {
    for (mic, day, time) in [
        ("XNYS", "1999-12-31", "13:00"),
        ("XLON", "2023-12-22", "12:30"),
        ("XLON", "2024-12-31", "12:30"),
        ("XETR", "2023-12-29", "14:00"),
        ("XPAR", "2024-12-24", "14:05"),
        ("XAMS", "2024-12-31", "14:05"),
        ("XTSE", "2024-12-24", "13:00"),
        ("XTKS", "2008-12-30", "11:00"),
        ("XHKG", "2024-02-09", "12:00"),
        ("XHKG", "2024-12-24", "12:00"),
        ("XHKG", "2010-12-31", "12:30"),
        ("XASX", "2024-12-24", "14:10"),
        ("XSTO", "2024-05-08", "13:00"),
    ] {
        let early = calendar(mic).early_close(date(day)).expect(day);
        assert_eq!(early.closes_at.format("%H:%M").to_string(), time, "{mic} {day}");
    }
    for (mic, day) in [("XASX", "2022-12-23"), ("XSWX", "2024-12-23"), ("XTKS", "2009-12-30")] {
        assert_eq!(calendar(mic).early_close(date(day)), None, "{mic} {day}");
    }
}

#[test]
fn years_have_the_published_number_of_trading_days() {
    for (mic, year, count) in [
        ("XLON", 2024, 254),
        ("XETR", 2024, 254),
        ("XPAR", 2024, 256),
        ("XSWX", 2024, 250),
        ("XTSE", 2024, 252),
        ("XTKS", 2024, 245),
        ("XASX", 2024, 254),
        ("XKRX", 2024, 244),
        ("XSHG", 2024, 242),
        ("XNSE", 2024, 249),
    ] {
        let (start, end) = (date(&format!("{year}-01-01")), date(&format!("{year}-12-31")));
        assert_eq!(calendar(mic).trading_days(start, end).count(), count, "{mic} {year}");
    }
}

/// Fingerprints of years: a line per calendar and year, with the number of weekdays without trading
/// and the sum of their days of the year, and the same of early closes. Source: the Python package
/// exchange_calendars 4.13.2, without the years in which it lacks days
/// (`tests/calendars/explained.txt`).
const PUBLISHED_YEARS: &str = include_str!("published_years.csv");

#[test]
fn the_free_days_and_early_closes_of_each_year_are_the_published_ones() {
    let fingerprint =
        |days: Vec<NaiveDate>| (days.len(), days.iter().map(NaiveDate::ordinal).sum());
    for line in PUBLISHED_YEARS.lines().skip(1) {
        let (mic, numbers) = line.split_once(',').expect("a MIC and numbers");
        let numbers: Vec<u32> = numbers.split(',').map(|n| n.parse().expect("a number")).collect();
        let [year, free, free_sum, early, early_sum] = numbers[..] else { panic!("{line}") };
        let calendar = calendar(mic);
        let days = date(&format!("{year}-01-01")).iter_days();
        let days: Vec<_> = days.take_while(|day| day.year_ce().1 == year).collect();
        let is_free = |day: &NaiveDate| {
            day.weekday().number_from_monday() <= 5 && !calendar.is_trading_day(*day)
        };
        let free_days = days.iter().copied().filter(is_free).collect();
        let early_days = days.into_iter().filter(|day| calendar.early_close(*day).is_some());
        assert_eq!(
            (fingerprint(free_days), fingerprint(early_days.collect())),
            ((free as usize, free_sum), (early as usize, early_sum)),
            "{line}"
        );
    }
}

#[test]
fn a_special_session_is_a_trading_day_without_an_early_close() {
    let india = calendar("XNSE");
    let day = date("2023-11-12");
    assert_eq!((day.weekday(), india.is_trading_day(day)), (Weekday::Sun, true));
    assert_eq!((india.holiday(day), india.early_close(day)), (None, None));
    let hours = india.special_session(day).and_then(|session| session.hours).expect("its hours");
    assert_eq!(hours.opens_at.to_string(), "18:15:00");
}

#[test]
fn a_table_says_nothing_after_its_last_year() {
    let india = calendar("XNSE");
    assert!(india.covers(date("2026-12-31")) && !india.covers(date("2027-01-01")));
    assert_eq!(india.last_trading_day(date("2027-01-31")), None);
    assert_eq!(india.last_trading_day(date("2026-12-27")), Some(date("2026-12-24")));
}

#[test]
fn every_calendar_has_a_trading_day_within_the_bound() {
    for known in &KnownExchange::ALL {
        let calendar = known.calendar;
        let first = NaiveDate::from_ymd_opt(calendar.first_year, 1, 15).expect("a day");
        let days = first.iter_days().take_while(|day| day.year() <= calendar.last_year);
        for day in days {
            assert!(calendar.last_trading_day(day).is_some(), "{} {day}", calendar.mic);
        }
    }
}

#[test]
fn a_calendar_says_its_exchanges_and_the_days_that_it_knows() {
    let codes = Calendar::known_exchanges();
    assert_eq!(codes.len(), KnownExchange::ALL.len());
    for code in codes {
        assert!(Calendar::of(code).is_some(), "{code}");
    }
    let india = calendar("XNSE");
    assert_eq!((india.known_from(), india.known_until()), (date("2010-01-01"), date("2026-12-31")));
    assert_eq!(calendar("XNYS"), Calendar::US);
    assert_ne!(calendar("XLON"), calendar("XTKS"));
}

#[test]
fn special_sessions_are_in_order_of_date() {
    for known in &KnownExchange::ALL {
        let sessions = known.calendar.special_sessions;
        assert!(sessions.is_sorted_by(|a, b| a.date < b.date), "{}", known.mic);
    }
}
