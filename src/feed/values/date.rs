//! Dates as vendors write them: a day, a midnight, or a count of seconds since 1970.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::market::{parse_date, word_enum};

word_enum! {
    /// The order of day and month in dates such as `03/04/2024`.
    pub enum DateOrder: "mdy or dmy" {
        /// Month first, as in the US.
        Mdy = "mdy",
        /// Day first.
        Dmy = "dmy",
    }
}

impl DateOrder {
    /// The form of dates in this order, for messages.
    pub const fn form(self) -> &'static str {
        match self {
            Self::Mdy => "MM/DD/YYYY",
            Self::Dmy => "DD/MM/YYYY",
        }
    }
}

/// What a date tells about the order of the dates of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrderClue {
    /// The date has another form, such as `2024-03-04`.
    OtherForm,
    /// Both orders give the same day.
    Same,
    /// Each order gives another day.
    Ambiguous,
    /// Only this order gives a day.
    Only(DateOrder),
}

/// Why a text is not read as a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    #[error("expected a date as YYYY-MM-DD")]
    Form,
    #[error("expected a date with a year of four digits")]
    ShortYear,
    #[error("expected a date, or a time that is midnight as written or at the exchange ({0})")]
    TimeOfDay(Tz),
    #[error("expected a date as {}, the order of all other dates of the file", .0.form())]
    Order(DateOrder),
    #[error("expected a date as YYYY-MM-DD, or the order of day and month (--dates mdy or dmy)")]
    UnknownOrder,
}

/// The day that a text means. `zone` is the exchange's: a time counts as a day if it is midnight as
/// written, or at the exchange. `order` is that of dates with the year last.
///
/// # Errors
/// If the text is no day, or a time that is not midnight.
pub fn date(text: &str, zone: Tz, order: Option<DateOrder>) -> Result<NaiveDate, DateError> {
    // Nearly all dates have this form.
    if let Some(day) = parse_date(text) {
        return Ok(day);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return match text.len() {
            8 => compact_day(text).ok_or(DateError::Form),
            _ => day_of_instant(instant(text).ok_or(DateError::Form)?, zone),
        };
    }
    if let Some(day) = named_month(text) {
        return Ok(day);
    }
    let Some((day, time)) = text.split_once([' ', 'T']) else { return day_alone(text, order) };
    let day = day_alone(day, order)?;
    let (time, offset) = time_of_day(time.trim()).ok_or(DateError::Form)?;
    if time == NaiveTime::MIN {
        return Ok(day);
    }
    let at_offset =
        offset.and_then(|offset| offset.from_local_datetime(&day.and_time(time)).single());
    let instant = at_offset.ok_or(DateError::TimeOfDay(zone))?;
    midnight_in(instant.with_timezone(&Utc), zone).ok_or(DateError::TimeOfDay(zone))
}

/// What a date tells about the order of day and month in its file.
pub fn date_order_clue(text: &str) -> DateOrderClue {
    let day = text.split([' ', 'T']).next().unwrap_or_default();
    let [mdy, dmy] = DateOrder::ALL.map(|order| year_last(day, order));
    match (mdy, dmy) {
        (Some(mdy), Some(dmy)) if mdy == dmy => DateOrderClue::Same,
        (Some(_), Some(_)) => DateOrderClue::Ambiguous,
        (Some(_), None) => DateOrderClue::Only(DateOrder::Mdy),
        (None, Some(_)) => DateOrderClue::Only(DateOrder::Dmy),
        (None, None) => DateOrderClue::OtherForm,
    }
}

/// A day without a time.
fn day_alone(text: &str, order: Option<DateOrder>) -> Result<NaiveDate, DateError> {
    if let Some(day) = parse_date(text).or_else(|| year_first(text)) {
        return Ok(day);
    }
    match parts(text) {
        Some([first, _, year]) if first.len() <= 2 && year.len() == 4 => {}
        Some(parts) if parts.iter().all(|part| part.len() <= 2) => {
            return Err(DateError::ShortYear);
        }
        _ => return Err(DateError::Form),
    }
    let order = order.ok_or(DateError::UnknownOrder)?;
    year_last(text, order).ok_or(DateError::Order(order))
}

/// `20240304`, between 1900 and 2100.
fn compact_day(text: &str) -> Option<NaiveDate> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let year = part(0..4).filter(|year| (1900..2100).contains(year))?;
    NaiveDate::from_ymd_opt(year.try_into().ok()?, part(4..6)?, part(6..8)?)
}

/// `2024/03/04` or `2024-3-4`.
fn year_first(text: &str) -> Option<NaiveDate> {
    let [year, month, day] = parts(text).filter(|[year, ..]| year.len() == 4)?;
    (month.len() <= 2 && day.len() <= 2).then(|| day_of(year, month, day)).flatten()
}

/// `Mar 4, 2024`, `March 04, 2024`, `04-Mar-2024` or `4 March 2024`, in English.
fn named_month(text: &str) -> Option<NaiveDate> {
    let mut words = text.split([' ', '-', '/', ',']).filter(|word| !word.is_empty());
    let (first, second, year) = (words.next()?, words.next()?, words.next()?);
    let is_number = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    if words.next().is_some() || year.len() != 4 || !is_number(year) {
        return None;
    }
    let (month, day) = if is_number(first) { (second, first) } else { (first, second) };
    let is_day = is_number(day) && day.len() <= 2;
    let month: chrono::Month = month.parse().ok().filter(|_| is_day && month.len() >= 3)?;
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.number_from_month(), day.parse().ok()?)
}

/// `03/04/2024` or `3/4/2024`, also with `-` or `.`.
fn year_last(text: &str, order: DateOrder) -> Option<NaiveDate> {
    let [first, second, year] = parts(text).filter(|[.., year]| year.len() == 4)?;
    match order {
        DateOrder::Mdy => day_of(year, first, second),
        DateOrder::Dmy => day_of(year, second, first),
    }
}

/// The three numbers of a date, which one kind of mark separates.
fn parts(text: &str) -> Option<[&str; 3]> {
    let mark = text.chars().find(|c| !c.is_ascii_digit()).filter(|c| "/-.".contains(*c))?;
    let mut parts = text.split(mark);
    let parts = [parts.next()?, parts.next()?, parts.next().filter(|_| parts.next().is_none())?];
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_short = |part: &&str| part.len() <= 2 || part.len() == 4;
    parts.iter().all(|part| is_number(part) && is_short(part)).then_some(parts)
}

fn day_of(year: &str, month: &str, day: &str) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// A time of day, and its offset from UTC if it has one: `00:00`, `00:00:00.000Z`,
/// `00:00:00-05:00`.
fn time_of_day(text: &str) -> Option<(NaiveTime, Option<FixedOffset>)> {
    let (time, offset) = match text.find(['Z', '+', '-']) {
        Some(at) => (text[..at].trim_end(), Some(offset(&text[at..])?)),
        None => (text, None),
    };
    let forms = ["%H:%M:%S%.f", "%H:%M"];
    let time = forms.iter().find_map(|form| NaiveTime::parse_from_str(time, form).ok())?;
    Some((time, offset))
}

/// `Z`, `+00:00`, `+0000` or `+00`.
fn offset(text: &str) -> Option<FixedOffset> {
    if text == "Z" {
        return FixedOffset::east_opt(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    let (hours, minutes) = match digits.len() {
        2 if is_number => (digits.as_str(), "0"),
        4 if is_number => digits.split_at(2),
        _ => return None,
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))
}

/// A count since 1970 in a unit that its length tells: of the years from 1973 to 2286, each unit
/// gives counts of a length of its own.
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    let count: i64 = text.parse().ok()?;
    match text.len() {
        9 | 10 => DateTime::from_timestamp_secs(count),
        12 | 13 => DateTime::from_timestamp_millis(count),
        15 | 16 => DateTime::from_timestamp_micros(count),
        18 | 19 => Some(DateTime::from_timestamp_nanos(count)),
        _ => None,
    }
}

/// The day that an instant begins, at the exchange or in UTC.
fn day_of_instant(instant: DateTime<Utc>, zone: Tz) -> Result<NaiveDate, DateError> {
    let day = midnight_in(instant, zone).or_else(|| midnight_in(instant, Tz::UTC));
    day.ok_or(DateError::TimeOfDay(zone))
}

fn midnight_in(instant: DateTime<Utc>, zone: Tz) -> Option<NaiveDate> {
    let local = instant.with_timezone(&zone).naive_local();
    (local.time() == NaiveTime::MIN).then(|| local.date())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America::New_York, Asia::Tokyo};
    use proptest::prelude::*;

    fn read(text: &str, zone: Tz) -> Result<String, DateError> {
        date(text, zone, None).map(|day| day.to_string())
    }

    #[test]
    fn a_midnight_as_written_or_at_the_exchange_is_its_day() {
        for text in [
            "2024-01-02",
            "2024-01-02 00:00",
            "2024-01-02 00:00:00",
            "2024-01-02 00:00:00-05:00",
            "2024-01-02T00:00:00.000Z",
            "2024-01-02T00:00:00+0000",
            "2024-01-02 00:00:00+00",
            "2024-01-02 05:00:00+00:00",
            "2024-01-02T05:00:00Z",
            "20240102",
            "2024/01/02",
            "2024-1-2",
            "2024/1/2",
            "Jan 2, 2024",
            "JANUARY 02, 2024",
            "02-Jan-2024",
            "2 january 2024",
            "1704171600",
            "1704171600000",
            "1704171600000000",
            "1704171600000000000",
            "1704153600000",
        ] {
            assert_eq!(read(text, New_York).as_deref(), Ok("2024-01-02"), "{text}");
        }
        // In summer New York is four hours behind UTC, and Tokyo always nine hours ahead.
        assert_eq!(read("2024-06-03 04:00:00+00:00", New_York).as_deref(), Ok("2024-06-03"));
        assert_eq!(read("1717387200000000000", New_York).as_deref(), Ok("2024-06-03"));
        assert_eq!(read("2024-01-04T15:00:00Z", Tokyo).as_deref(), Ok("2024-01-05"));
        assert_eq!(read("915166800", New_York).as_deref(), Ok("1999-01-01"));
    }

    #[test]
    fn any_other_time_of_day_and_any_other_text_is_refused() {
        for text in [
            "2024-01-02 05:00:00",
            "2024-01-02 09:30:00-05:00",
            "2024-06-03 05:00:00+00:00",
            "2024-01-02T00:00:01Z",
            "1704171601",
            "1704205800",
        ] {
            assert_eq!(read(text, New_York), Err(DateError::TimeOfDay(New_York)), "{text}");
        }
        for text in [
            "",
            "2024-02-30",
            "20241301",
            "99990101",
            "17041716",
            "17041716000",
            "2024-01-02Tnoon",
            "2024-01-02 00:00:00+5",
            "Jan 2, 24",
            "Ja 2, 2024",
            "Janu 2, 2024",
            "Jan 31 Feb 2024",
            "30-Feb-2024",
            "2024-Jan-02",
            "2024-01-02 24:00",
            "+2024-01-02",
            "2024-001-2",
        ] {
            assert_eq!(read(text, New_York), Err(DateError::Form), "{text}");
        }
    }

    #[test]
    fn a_year_of_two_digits_is_refused_as_such() {
        for text in ["01/31/24", "1/2/3", "24-01-31", "01.02.24 00:00"] {
            assert_eq!(read(text, New_York), Err(DateError::ShortYear), "{text}");
        }
    }

    #[test]
    fn a_date_with_the_year_last_needs_an_order() {
        use DateOrder::{Dmy, Mdy};
        let with = |text, order| date(text, New_York, Some(order)).map(|day| day.to_string());
        assert_eq!(read("03/04/2024", New_York), Err(DateError::UnknownOrder));
        assert_eq!(with("03/04/2024", Mdy).as_deref(), Ok("2024-03-04"));
        assert_eq!(with("3.4.2024", Dmy).as_deref(), Ok("2024-04-03"));
        assert_eq!(with("3/4/2024 0:00", Mdy).as_deref(), Ok("2024-03-04"));
        assert_eq!(with("15/07/2025", Mdy), Err(DateError::Order(Mdy)));
        for (text, clue) in [
            ("07/15/2025", DateOrderClue::Only(Mdy)),
            ("15.07.2025", DateOrderClue::Only(Dmy)),
            ("07/08/2025", DateOrderClue::Ambiguous),
            ("07/07/2025 00:00", DateOrderClue::Same),
            ("2025-07-08", DateOrderClue::OtherForm),
            ("31/31/2025", DateOrderClue::OtherForm),
        ] {
            assert_eq!(date_order_clue(text), clue, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_any_text_does_not_panic(
            text in "[-0-9TZ:+./ ]{0,30}|.{0,30}|[0-9A-Za-z, -]{0,20}"
        ) {
            for order in [None, Some(DateOrder::Mdy), Some(DateOrder::Dmy)] {
                let _ = date(&text, New_York, order);
            }
            let _ = date_order_clue(&text);
        }

        #[test]
        fn midnight_in_any_zone_is_the_day_there(
            days in 1200i64..30_000, zone in prop::sample::select(chrono_tz::TZ_VARIANTS.to_vec())
        ) {
            let day = DateTime::UNIX_EPOCH.date_naive() + chrono::TimeDelta::days(days);
            let Some(midnight) = day.and_time(NaiveTime::MIN).and_local_timezone(zone).earliest()
            else {
                return Ok(());
            };
            let utc = midnight.with_timezone(&Utc).format("%Y-%m-%d %H:%M:%S+00:00").to_string();
            prop_assert_eq!(date(&midnight.timestamp().to_string(), zone, None), Ok(day));
            prop_assert_eq!(date(&utc, zone, None), Ok(day));
            for form in ["%b %-d, %Y", "%d-%b-%Y", "%d %B %Y", "%Y-%-m-%-d"] {
                prop_assert_eq!(date(&day.format(form).to_string(), zone, None), Ok(day));
            }
        }
    }
}
