//! The lifetime of a cache entry: a pure function of its content, its exchange and the time.
//!
//! Bars of days that are over stay fresh for a day, bars that can still change for five minutes,
//! and quotes for one minute. A new data version replaces the cache key, so a lifetime only bounds
//! the age of data that changes without one.

use chrono::{DateTime, Utc};

use crate::market::{DateRange, Exchange};

/// The content of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The newest bar of a stock.
    Quote,
    /// How recent the data is, and data edited directly in SQL, which bumps no version.
    Status,
    /// What is right for the minute that begins at this time. The key names the minute too.
    Minute(DateTime<Utc>),
    /// The description of a stock, or a list of stocks.
    Metadata,
    /// The bars of a range of days.
    Bars(DateRange),
}

/// How long an entry may be served, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    pub fresh_s: u32,
    /// How long it may be served after that, while one request refreshes it.
    pub revalidate_s: u32,
}

const QUOTE_S: u32 = 60;
const STATUS_S: u32 = 60;
const MINUTE_S: u32 = 60;
const OPEN_RANGE_S: u32 = 300;
const METADATA_S: u32 = 3600;
const CLOSED_RANGE_S: u32 = 86_400;
/// The lifetime of a closed range is up to this much shorter, so that entries which are cached at
/// the same time do not expire at the same time.
const CLOSED_RANGE_JITTER_S: u32 = 300;
/// An entry may be revalidated for its fresh time divided by this, [`REVALIDATE_S_MAX`] at most.
const REVALIDATE_SHARE: u32 = 10;
const REVALIDATE_S_MAX: u32 = 30;

/// The time from which the lifetime counts: `now`, when the response is made, or the start of its
/// minute, so that no client keeps it beyond that.
pub fn lifetime_start(content: Content, now: DateTime<Utc>) -> DateTime<Utc> {
    if let Content::Minute(start) = content { start } else { now }
}

/// The lifetime of a response made at `now`.
///
/// A range is closed if its last day is over in the exchange's time zone. `spread` is a number that
/// differs between cache keys; it sets the jitter.
pub fn lifetime(
    content: Content,
    exchange: &Exchange,
    now: DateTime<Utc>,
    spread: u32,
) -> Lifetime {
    let fresh_s = match content {
        Content::Quote => QUOTE_S,
        Content::Status => STATUS_S,
        Content::Minute(_) => return Lifetime { fresh_s: MINUTE_S, revalidate_s: 0 },
        Content::Metadata => METADATA_S,
        Content::Bars(range) if range.is_closed(exchange.today(now)) => {
            CLOSED_RANGE_S - spread % (CLOSED_RANGE_JITTER_S + 1)
        }
        Content::Bars(_) => OPEN_RANGE_S,
    };
    Lifetime { fresh_s, revalidate_s: (fresh_s / REVALIDATE_SHARE).min(REVALIDATE_S_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_date;
    use chrono::{Days, NaiveTime, TimeDelta};
    use proptest::prelude::*;

    fn exchange(zone: chrono_tz::Tz) -> Exchange {
        Exchange { zone, closes_at: NaiveTime::from_hms_opt(16, 0, 0).unwrap() }
    }

    fn bars(end: Option<&str>) -> Content {
        Content::Bars(
            DateRange::new(parse_date("1998-01-01").unwrap(), end.and_then(parse_date)).unwrap(),
        )
    }

    #[test]
    fn a_range_gets_24_hours_once_its_last_day_is_over_at_the_exchange() {
        let (new_york, tokyo) =
            (exchange(chrono_tz::America::New_York), exchange(chrono_tz::Asia::Tokyo));
        let until_14th = bars(Some("2026-07-14"));
        for (exchange, now, fresh_s) in [
            (&new_york, "2026-07-15T03:59:59Z", 300),
            (&new_york, "2026-07-15T04:00:00Z", 86_400),
            (&tokyo, "2026-07-14T14:59:59Z", 300),
            (&tokyo, "2026-07-14T15:00:00Z", 86_400),
        ] {
            assert_eq!(
                lifetime(until_14th, exchange, now.parse().unwrap(), 0).fresh_s,
                fresh_s,
                "{now}"
            );
        }
    }

    /// The first instant after each day, from the tables of the time zones. Clocks change in some
    /// of these nights, and midnight is skipped or repeated in the last three.
    const DAYS_END: [(chrono_tz::Tz, &str, &str); 15] = [
        (chrono_tz::America::New_York, "2026-03-07", "2026-03-08T05:00:00Z"),
        (chrono_tz::America::New_York, "2026-03-08", "2026-03-09T04:00:00Z"),
        (chrono_tz::America::New_York, "2026-10-31", "2026-11-01T04:00:00Z"),
        (chrono_tz::America::New_York, "2026-11-01", "2026-11-02T05:00:00Z"),
        (chrono_tz::America::New_York, "2026-12-31", "2027-01-01T05:00:00Z"),
        (chrono_tz::America::New_York, "2028-02-29", "2028-03-01T05:00:00Z"),
        (chrono_tz::Europe::London, "2026-03-28", "2026-03-29T00:00:00Z"),
        (chrono_tz::Europe::London, "2026-03-29", "2026-03-29T23:00:00Z"),
        (chrono_tz::Europe::London, "2026-10-24", "2026-10-24T23:00:00Z"),
        (chrono_tz::Europe::London, "2026-10-25", "2026-10-26T00:00:00Z"),
        (chrono_tz::Europe::London, "2026-12-31", "2027-01-01T00:00:00Z"),
        (chrono_tz::Asia::Tokyo, "2026-12-31", "2026-12-31T15:00:00Z"),
        // Midnight became 1 a.m.; midnight became 11 p.m. again; the next day did not exist.
        (chrono_tz::America::Sao_Paulo, "2018-11-03", "2018-11-04T03:00:00Z"),
        (chrono_tz::America::Sao_Paulo, "2018-02-17", "2018-02-18T03:00:00Z"),
        (chrono_tz::Pacific::Apia, "2011-12-29", "2011-12-30T10:00:00Z"),
    ];

    #[test]
    fn a_range_closes_at_the_exact_end_of_its_day_in_every_time_zone() {
        for (zone, day, ends_at) in DAYS_END {
            let (exchange, ends_at) = (exchange(zone), ends_at.parse::<DateTime<Utc>>().unwrap());
            let fresh_s = |now| lifetime(bars(Some(day)), &exchange, now, 0).fresh_s;
            assert_eq!(
                fresh_s(ends_at - TimeDelta::nanoseconds(1)),
                OPEN_RANGE_S,
                "{zone}, the last instant of {day}"
            );
            assert_eq!(fresh_s(ends_at), CLOSED_RANGE_S, "{zone}, the first instant after {day}");
            // A range that ends two days later is open at both instants.
            let later = parse_date(day).unwrap() + Days::new(2);
            let later = bars(Some(&later.to_string()));
            assert_eq!(
                lifetime(later, &exchange, ends_at, 0).fresh_s,
                OPEN_RANGE_S,
                "{zone}, {day} and two more"
            );
        }
    }

    #[test]
    fn content_that_still_changes_has_a_short_lifetime() {
        let (new_york, now) =
            (exchange(chrono_tz::America::New_York), "2026-07-15T12:00:00Z".parse().unwrap());
        assert_eq!(
            lifetime(Content::Quote, &new_york, now, 7),
            Lifetime { fresh_s: 60, revalidate_s: 6 }
        );
        assert_eq!(
            lifetime(bars(None), &new_york, now, 7),
            Lifetime { fresh_s: 300, revalidate_s: 30 }
        );
        assert_eq!(lifetime(bars(Some("2026-07-15")), &new_york, now, 7).fresh_s, 300);
        assert_eq!(
            lifetime(Content::Metadata, &new_york, now, 7),
            Lifetime { fresh_s: 3600, revalidate_s: 30 }
        );
    }

    #[test]
    fn what_is_right_for_a_minute_is_fresh_exactly_until_its_end() {
        let new_york = exchange(chrono_tz::America::New_York);
        let start: DateTime<Utc> = "2026-11-30T20:59:00Z".parse().unwrap();
        for second in [0, 30, 59] {
            let (now, content) = (start + TimeDelta::seconds(second), Content::Minute(start));
            let lifetime = lifetime(content, &new_york, now, 7);
            let ends_at = lifetime_start(content, now)
                + TimeDelta::seconds((lifetime.fresh_s + lifetime.revalidate_s).into());
            assert_eq!(ends_at.to_rfc3339(), "2026-11-30T21:00:00+00:00", "{now}");
            assert_eq!(lifetime_start(Content::Status, now), now);
        }
    }

    /// Time zones whose clocks change at midnight, by half an hour, not at all, or in the seasons
    /// of the southern hemisphere.
    const ZONES: [chrono_tz::Tz; 8] = [
        chrono_tz::America::New_York,
        chrono_tz::Europe::London,
        chrono_tz::Asia::Tokyo,
        chrono_tz::America::Sao_Paulo,
        chrono_tz::Australia::Lord_Howe,
        chrono_tz::Asia::Kolkata,
        chrono_tz::Pacific::Apia,
        chrono_tz::America::St_Johns,
    ];

    proptest! {
        #[test]
        fn a_range_closes_when_its_last_day_ends_and_never_opens_again(
            zone in prop::sample::select(&ZONES[..]),
            day in 0u64..15_000,
            later_s in 0i64..400_000,
        ) {
            let day = parse_date("2000-01-01").unwrap() + Days::new(day);
            let exchange = exchange(zone);
            let start = day.and_time(NaiveTime::MIN).and_utc() - TimeDelta::days(1);
            let at = |offset_s| start + TimeDelta::seconds(offset_s);
            let range = bars(Some(&day.to_string()));
            let is_closed =
                |offset_s| lifetime(range, &exchange, at(offset_s), 0).fresh_s > OPEN_RANGE_S;
            let (mut open_s, mut closed_s) = (0, 400_000);
            prop_assert!(!is_closed(open_s) && is_closed(closed_s));
            while open_s + 1 < closed_s {
                let middle_s = (open_s + closed_s) / 2;
                *if is_closed(middle_s) { &mut closed_s } else { &mut open_s } = middle_s;
            }
            prop_assert!(at(open_s).with_timezone(&zone).date_naive() <= day);
            prop_assert!(at(closed_s).with_timezone(&zone).date_naive() > day);
            prop_assert_eq!(is_closed(later_s), later_s >= closed_s);
        }

        #[test]
        fn jitter_shortens_a_lifetime_by_five_minutes_at_most(spread: u32) {
            let new_york = exchange(chrono_tz::America::New_York);
            let now = "2026-07-15T12:00:00Z".parse().unwrap();
            let lifetime = lifetime(bars(Some("2012-12-31")), &new_york, now, spread);
            prop_assert!((86_100..=86_400).contains(&lifetime.fresh_s));
        }
    }
}
