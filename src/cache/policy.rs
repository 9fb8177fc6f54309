//! How long an answer may live: a pure function of what it shows, the exchange's clock and the time.

use chrono::{DateTime, Utc};

use crate::market::{DateRange, Exchange};

/// What an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The newest bar of a stock.
    Quote,
    /// How new the data is; what is changed with SQL, so that no data version tells of it.
    Status,
    /// Who a stock is, or a list of stocks.
    Metadata,
    Bars(DateRange),
}

/// How long an answer may live, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    pub fresh_s: u32,
    /// After that: how long it may still be shown while one request refreshes it.
    pub revalidate_s: u32,
}

const QUOTE_S: u32 = 60;
const STATUS_S: u32 = 60;
const OPEN_RANGE_S: u32 = 300;
const METADATA_S: u32 = 3600;
const CLOSED_RANGE_S: u32 = 86_400;
/// Closed ranges live up to this much shorter, so that what was cached in one rush does not expire in another.
const CLOSED_RANGE_JITTER_S: u32 = 300;
/// The share of its time for which an answer may be shown beyond it.
const REVALIDATE_SHARE: u32 = 10;
const REVALIDATE_S_MAX: u32 = 30;

/// The lifetime of an answer made at `now`. Whether a range is closed is decided by the date at the exchange.
/// `spread` is any number that differs from answer to answer; it sets the jitter.
pub fn lifetime(content: Content, exchange: &Exchange, now: DateTime<Utc>, spread: u32) -> Lifetime {
    let fresh_s = match content {
        Content::Quote => QUOTE_S,
        Content::Status => STATUS_S,
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
    use chrono::NaiveTime;
    use proptest::prelude::*;

    fn exchange(zone: chrono_tz::Tz) -> Exchange {
        Exchange { zone, closes_at: NaiveTime::from_hms_opt(16, 0, 0).unwrap() }
    }

    fn bars(end: Option<&str>) -> Content {
        Content::Bars(DateRange::new(parse_date("2012-01-01").unwrap(), end.and_then(parse_date)).unwrap())
    }

    #[test]
    fn a_range_gets_24_hours_once_its_last_day_is_over_at_the_exchange_and_not_before() {
        let (new_york, tokyo) = (exchange(chrono_tz::America::New_York), exchange(chrono_tz::Asia::Tokyo));
        let until_14th = bars(Some("2026-07-14"));
        for (exchange, now, fresh_s) in [
            (&new_york, "2026-07-15T03:59:59Z", 300),
            (&new_york, "2026-07-15T04:00:00Z", 86_400),
            (&tokyo, "2026-07-14T14:59:59Z", 300),
            (&tokyo, "2026-07-14T15:00:00Z", 86_400),
        ] {
            assert_eq!(lifetime(until_14th, exchange, now.parse().unwrap(), 0).fresh_s, fresh_s, "{now}");
        }
    }

    #[test]
    fn what_still_moves_lives_for_a_short_time() {
        let (new_york, now) = (exchange(chrono_tz::America::New_York), "2026-07-15T12:00:00Z".parse().unwrap());
        assert_eq!(lifetime(Content::Quote, &new_york, now, 7), Lifetime { fresh_s: 60, revalidate_s: 6 });
        assert_eq!(lifetime(bars(None), &new_york, now, 7), Lifetime { fresh_s: 300, revalidate_s: 30 });
        assert_eq!(lifetime(bars(Some("2026-07-15")), &new_york, now, 7).fresh_s, 300);
        assert_eq!(lifetime(Content::Metadata, &new_york, now, 7), Lifetime { fresh_s: 3600, revalidate_s: 30 });
    }

    proptest! {
        #[test]
        fn jitter_never_lengthens_a_life_nor_takes_more_than_five_minutes(spread: u32) {
            let (new_york, now) = (exchange(chrono_tz::America::New_York), "2026-07-15T12:00:00Z".parse().unwrap());
            let life = lifetime(bars(Some("2012-12-31")), &new_york, now, spread);
            prop_assert!((86_100..=86_400).contains(&life.fresh_s));
        }
    }
}
