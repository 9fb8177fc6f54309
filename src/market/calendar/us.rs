//! The trading calendar of the US stock exchanges.
//!
//! NYSE and NASDAQ keep the same days. The rules are those of NYSE Rule 7.2. Martin Luther King Day
//! became a market holiday in 1998, and special closures are listed from that year on, up to 2025.

use chrono::{Datelike, NaiveDate, Weekday};

use super::rules::{Listed, is_good_friday, is_last_weekday, is_nth_weekday, listed};
use super::{Calendar, EarlyClose, Hours, SpecialSession};

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XNYS",
    zone: chrono_tz::America::New_York,
    first_year: 1998,
    last_year: 2099,
    hours: Hours::new((9, 30), (16, 0)),
    holiday,
    early_close,
    special_sessions: &[SpecialSession::new(
        (2002, 9, 11),
        "anniversary of the September 11 attacks",
        Some(Hours::new((12, 0), (16, 0))),
    )],
};

/// When an early closing is, in New York.
const EARLY_CLOSES_AT: (u32, u32) = (13, 0);

/// Closures that follow no rule. Source: NYSE, "Special closings", and the exchanges' notices of
/// the day.
const SPECIAL_CLOSURES: &[Listed] = &[
    (2001, 9, 11, "September 11 attacks"),
    (2001, 9, 12, "September 11 attacks"),
    (2001, 9, 13, "September 11 attacks"),
    (2001, 9, 14, "September 11 attacks"),
    (2004, 6, 11, "day of mourning for Ronald Reagan"),
    (2007, 1, 2, "day of mourning for Gerald Ford"),
    (2012, 10, 29, "Hurricane Sandy"),
    (2012, 10, 30, "Hurricane Sandy"),
    (2018, 12, 5, "day of mourning for George H. W. Bush"),
    (2025, 1, 9, "day of mourning for Jimmy Carter"),
];

/// The early closing on the trading day `date`.
///
/// Source: the calendars of holidays and early closings that the NYSE publishes each year. Until
/// 2012 the half day beside an Independence Day on a Thursday was the Friday after it; since 2013
/// it is the Wednesday before.
fn early_close(date: NaiveDate) -> Option<EarlyClose> {
    let (year, weekday) = (date.year(), date.weekday());
    let name = match (date.month(), date.day()) {
        (7, 3) if weekday != Weekday::Wed || year >= 2013 => "day before Independence Day",
        (7, 5) if weekday == Weekday::Fri && year < 2013 => "day after Independence Day",
        (11, _) if weekday == Weekday::Fri && date.pred_opt().is_some_and(is_thanksgiving) => {
            "day after Thanksgiving"
        }
        (12, 24) => "Christmas Eve",
        (12, 31) if year == 1999 => "eve of the year 2000",
        (12, 26) if year == 2003 => "day after Christmas",
        _ => return None,
    };
    Some(EarlyClose::new(name, EARLY_CLOSES_AT))
}

/// The holiday that the exchanges keep on `date`, or the reason of a special closure. `date` is a
/// day from Monday to Friday.
fn holiday(date: NaiveDate) -> Option<&'static str> {
    regular_holiday(date).or_else(|| listed(SPECIAL_CLOSURES, date))
}

fn regular_holiday(date: NaiveDate) -> Option<&'static str> {
    let year = date.year();
    let third_monday = is_nth_weekday(date, Weekday::Mon, 3);
    match date.month() {
        1 if is_new_year_observed(date) => Some("New Year's Day"),
        1 if third_monday && year >= 1998 => Some("Martin Luther King Day"),
        2 if third_monday => Some("Washington's Birthday"),
        3 | 4 if is_good_friday(date) => Some("Good Friday"),
        5 if is_last_weekday(date, Weekday::Mon) => Some("Memorial Day"),
        6 if year >= 2022 && is_observed(date, 19) => Some("Juneteenth"),
        7 if is_observed(date, 4) => Some("Independence Day"),
        9 if is_nth_weekday(date, Weekday::Mon, 1) => Some("Labor Day"),
        11 if is_thanksgiving(date) => Some("Thanksgiving Day"),
        12 if is_observed(date, 25) => Some("Christmas Day"),
        _ => None,
    }
}

/// Whether a holiday on `day` of the same month is kept on `date`: on the day itself, on the Friday
/// before a Saturday, or on the Monday after a Sunday.
fn is_observed(date: NaiveDate, day: u32) -> bool {
    match date.weekday() {
        Weekday::Fri => date.day() == day || date.day() + 1 == day,
        Weekday::Mon => date.day() == day || date.day() == day + 1,
        _ => date.day() == day,
    }
}

/// New Year's Day moves from a Sunday to the Monday, but not from a Saturday to the Friday: Rule
/// 7.2 keeps the exchange open at the end of an accounting year.
fn is_new_year_observed(date: NaiveDate) -> bool {
    date.day() == 1 || (date.day() == 2 && date.weekday() == Weekday::Mon)
}

fn is_thanksgiving(date: NaiveDate) -> bool {
    is_nth_weekday(date, Weekday::Thu, 4)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::File;

    use chrono::{Days, NaiveTime};
    use flate2::read::GzDecoder;

    use super::*;
    use crate::market::Exchange;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date in the test")
    }

    /// The days `symbol` has a row for in the real daily prices.
    fn real_days(symbol: &str) -> BTreeSet<NaiveDate> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/seed/prices.csv.gz");
        let file = File::open(path).expect("seed prices");
        csv::Reader::from_reader(GzDecoder::new(file))
            .records()
            .map(|row| row.expect("a row of the seed prices"))
            .filter(|row| &row[0] == symbol)
            .map(|row| date(&row[1]))
            .collect()
    }

    fn assert_same_days(symbol: &str) {
        let real = real_days(symbol);
        let (first, last) = (real.first().expect("rows"), real.last().expect("rows"));
        let computed: BTreeSet<_> = CALENDAR.trading_days(*first, *last).collect();
        let missing: Vec<_> = computed.difference(&real).collect();
        let extra: Vec<_> = real.difference(&computed).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{symbol}: no row on {missing:?}, rows on closed days {extra:?}"
        );
    }

    #[test]
    fn trading_days_equal_the_days_of_real_aapl_prices() {
        let days = real_days("AAPL");
        assert_eq!(days.first(), Some(&date("2000-03-01")));
        assert_eq!(days.last(), Some(&date("2013-03-01")));
        assert_same_days("AAPL");
    }

    #[test]
    fn nyse_and_nasdaq_keep_the_same_days() {
        assert_same_days("IBM");
        assert_same_days("MSFT");
    }

    #[test]
    fn every_kind_of_closure_names_its_reason() {
        for (day, reason) in [
            ("2024-06-01", "weekend"),
            ("2012-01-02", "New Year's Day"),
            ("2024-01-15", "Martin Luther King Day"),
            ("2024-02-19", "Washington's Birthday"),
            ("2024-03-29", "Good Friday"),
            ("2024-05-27", "Memorial Day"),
            ("2022-06-20", "Juneteenth"),
            ("2027-06-18", "Juneteenth"),
            ("2015-07-03", "Independence Day"),
            ("2021-07-05", "Independence Day"),
            ("2024-09-02", "Labor Day"),
            ("2024-11-28", "Thanksgiving Day"),
            ("2021-12-24", "Christmas Day"),
            ("2022-12-26", "Christmas Day"),
            ("2018-12-05", "day of mourning for George H. W. Bush"),
            ("2025-01-09", "day of mourning for Jimmy Carter"),
        ] {
            assert_eq!(CALENDAR.closure(date(day)), Some(reason), "{day}");
        }
    }

    #[test]
    fn days_that_look_like_holidays_but_trade_are_trading_days() {
        for day in [
            "2021-12-31", // the next day, a Saturday, is New Year's Day
            "2010-12-31",
            "2021-06-18", // Juneteenth was not yet kept
            "2012-07-03", // the day before Independence Day on a Wednesday
            "2024-11-29",
            "2024-12-24",
            "2024-05-20", // the last Monday but one of May
            "2012-10-31",
        ] {
            assert_eq!(CALENDAR.closure(date(day)), None, "{day}");
        }
    }

    #[test]
    fn years_have_the_published_number_of_trading_days() {
        for (year, count) in [
            (2001, 248),
            (2012, 250),
            (2020, 253),
            (2021, 252),
            (2022, 251),
            (2023, 250),
            (2024, 252),
            (2025, 250),
        ] {
            let (start, end) = (date(&format!("{year}-01-01")), date(&format!("{year}-12-31")));
            assert_eq!(CALENDAR.trading_days(start, end).count(), count, "{year}");
        }
    }

    #[test]
    fn early_closings_equal_the_published_ones() {
        for (year, published) in [
            (1998, ["1998-11-27", "1998-12-24"].as_slice()),
            (1999, &["1999-11-26", "1999-12-31"]),
            (2002, &["2002-07-05", "2002-11-29", "2002-12-24"]),
            (2003, &["2003-07-03", "2003-11-28", "2003-12-24", "2003-12-26"]),
            (2012, &["2012-07-03", "2012-11-23", "2012-12-24"]),
            (2013, &["2013-07-03", "2013-11-29", "2013-12-24"]),
            (2015, &["2015-11-27", "2015-12-24"]),
            (2016, &["2016-11-25"]),
            (2019, &["2019-07-03", "2019-11-29", "2019-12-24"]),
            (2021, &["2021-11-26"]),
            (2023, &["2023-07-03", "2023-11-24"]),
            (2024, &["2024-07-03", "2024-11-29", "2024-12-24"]),
        ] {
            let (start, end) = (date(&format!("{year}-01-01")), date(&format!("{year}-12-31")));
            let days = CALENDAR.trading_days(start, end);
            let early: Vec<_> = days
                .filter(|day| CALENDAR.early_close(*day).is_some())
                .map(|day| day.to_string())
                .collect();
            assert_eq!(early, published, "{year}");
        }
        assert_eq!(
            CALENDAR.early_close(date("2020-07-03")),
            None,
            "a holiday has no early closing"
        );
    }

    #[test]
    fn the_newest_session_is_the_last_one_that_has_ended() {
        let nyse =
            Exchange { zone: CALENDAR.zone, closes_at: NaiveTime::from_hms_opt(16, 0, 0).unwrap() };
        for (now, newest) in [
            ("2024-07-02T19:59:59Z", "2024-07-01"),
            ("2024-07-02T20:00:00Z", "2024-07-02"),
            ("2024-07-03T16:59:59Z", "2024-07-02"),
            ("2024-07-03T17:00:00Z", "2024-07-03"), // an early closing
            ("2024-07-05T12:00:00Z", "2024-07-03"),
            ("2024-07-08T03:00:00Z", "2024-07-05"),
            ("2001-09-17T12:00:00Z", "2001-09-10"),
            ("2024-01-02T03:00:00Z", "2023-12-29"),
            // Clocks go forward between the first two closings, back between the next two, and a
            // year ends.
            ("2026-03-06T20:59:59Z", "2026-03-05"),
            ("2026-03-06T21:00:00Z", "2026-03-06"),
            ("2026-03-09T19:59:59Z", "2026-03-06"),
            ("2026-03-09T20:00:00Z", "2026-03-09"),
            ("2026-10-30T19:59:59Z", "2026-10-29"),
            ("2026-10-30T20:00:00Z", "2026-10-30"),
            ("2026-11-02T20:59:59Z", "2026-10-30"),
            ("2026-11-02T21:00:00Z", "2026-11-02"),
            ("2026-12-31T20:59:59Z", "2026-12-30"),
            ("2026-12-31T21:00:00Z", "2026-12-31"),
            ("2027-01-04T20:59:59Z", "2026-12-31"),
            ("2027-01-04T21:00:00Z", "2027-01-04"),
        ] {
            assert_eq!(
                CALENDAR.newest_session(&nyse, now.parse().unwrap()),
                Some(date(newest)),
                "{now}"
            );
        }
    }

    #[test]
    fn a_range_that_ends_before_it_starts_has_no_trading_days() {
        assert_eq!(CALENDAR.trading_days(date("2024-01-03"), date("2024-01-02")).count(), 0);
        assert_eq!(CALENDAR.trading_days(date("2024-01-02"), date("2024-01-02")).count(), 1);
    }

    /// The day on which the exchanges keep a holiday that falls on `date`, from the wording of the
    /// rule.
    fn kept_on(date: NaiveDate) -> NaiveDate {
        match date.weekday() {
            Weekday::Sat => date - Days::new(1),
            Weekday::Sun => date + Days::new(1),
            _ => date,
        }
    }

    /// Good Friday from the tables of the missal (golden number, epact, first Sunday after the full
    /// moon), as a check that does not use the formula.
    fn good_friday_by_the_moon(year: i32) -> NaiveDate {
        let (golden, century) = (year % 19 + 1, year / 100 + 1);
        let mut epact =
            (11 * golden + 20 + (8 * century + 5) / 25 - 5 - (3 * century / 4 - 12)).rem_euclid(30);
        if epact == 24 || (epact == 25 && golden > 11) {
            epact += 1;
        }
        let after_march = if epact < 24 { 44 - epact } else { 74 - epact };
        let full_moon = date(&format!("{year}-03-01"))
            + Days::new(after_march.unsigned_abs().into())
            - Days::new(1);
        let easter =
            full_moon.iter_days().skip(1).find(|day| day.weekday() == Weekday::Sun).unwrap();
        easter - Days::new(2)
    }

    /// A year's holidays, each constructed from the wording of its rule, independent of the code
    /// that tests a day.
    fn holidays_of(year: i32) -> BTreeSet<NaiveDate> {
        let of = |month: u32, day: u32| NaiveDate::from_ymd_opt(year, month, day).unwrap();
        let mondays =
            |month: u32| of(month, 1).iter_days().filter(|day| day.weekday() == Weekday::Mon);
        let mut holidays = BTreeSet::from([
            mondays(1).nth(2).unwrap(),
            mondays(2).nth(2).unwrap(),
            good_friday_by_the_moon(year),
            mondays(5).take_while(|day| day.month() == 5).last().unwrap(),
            kept_on(of(7, 4)),
            mondays(9).next().unwrap(),
            of(11, 1).iter_days().filter(|day| day.weekday() == Weekday::Thu).nth(3).unwrap(),
            kept_on(of(12, 25)),
        ]);
        // A Saturday's is not kept: the day before is the end of an accounting year.
        holidays.extend(Some(of(1, 1)).filter(|day| day.weekday() != Weekday::Sat).map(kept_on));
        holidays.extend((year >= 2022).then(|| kept_on(of(6, 19))));
        holidays
    }

    #[test]
    fn every_year_has_exactly_the_holidays_of_the_rules() {
        for year in CALENDAR.first_year..=CALENDAR.last_year {
            let days =
                date(&format!("{year}-01-01")).iter_days().take_while(|day| day.year() == year);
            let kept = days.filter(|day| {
                CALENDAR.holiday(*day).is_some() && listed(SPECIAL_CLOSURES, *day).is_none()
            });
            assert_eq!(kept.collect::<BTreeSet<_>>(), holidays_of(year), "{year}");
        }
    }
}
