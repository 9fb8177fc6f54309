//! Rules for dates that holidays of several countries follow.

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Whether `date` is the `nth` `weekday` of its month, counted from 1.
pub(super) fn is_nth_weekday(date: NaiveDate, weekday: Weekday, nth: u32) -> bool {
    date.weekday() == weekday && date.day().div_ceil(7) == nth
}

pub(super) fn is_good_friday(date: NaiveDate) -> bool {
    date.checked_add_days(Days::new(2))
        .is_some_and(|sunday| (sunday.month(), sunday.day()) == easter_sunday(date.year()))
}

/// Month and day of Easter Sunday in the Gregorian `year`.
///
/// The anonymous Gregorian computus (Meeus/Jones/Butcher algorithm): Nature 13 (1876) p. 487;
/// J. Meeus, Astronomical Algorithms (1991), ch. 8. The variables are named by the letters used
/// there.
fn easter_sunday(year: i32) -> (u32, u32) {
    let a = year.rem_euclid(19);
    let (b, c) = (year.div_euclid(100), year.rem_euclid(100));
    let (d, e) = (b / 4, b % 4);
    let f = (b + 8) / 25;
    let g = (b - f + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    (n.unsigned_abs() / 31, n.unsigned_abs() % 31 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_agrees_with_the_published_dates() {
        for (year, easter) in [
            (1998, (4, 12)),
            (2000, (4, 23)),
            (2008, (3, 23)), // one day after the earliest possible date
            (2011, (4, 24)),
            (2016, (3, 27)),
            (2024, (3, 31)),
            (2025, (4, 20)),
            (2038, (4, 25)), // the latest possible date
        ] {
            assert_eq!(easter_sunday(year), easter, "{year}");
        }
    }
}
