//! Whether an exchange trades at a time, why not, and when that changes.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::{CLOSED_DAYS_MAX, Calendar, Exchange, Hours};

/// An exchange, and its calendar if that is known.
#[derive(Debug, Clone, Copy)]
pub struct Market {
    pub exchange: Exchange,
    /// The start of the regular session, local time. `None` means that of the calendar.
    pub opens_at: Option<NaiveTime>,
    pub calendar: Option<&'static Calendar>,
}

/// The state of a market at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketState {
    /// Why nothing trades; `None` while the market is open.
    pub closed_because: Option<&'static str>,
    /// The session of the day; `None` on a day without one.
    pub session: Option<Hours>,
    /// When trading begins next, also after a break. `None` if the calendar does not know.
    pub next_open: Option<DateTime<Utc>>,
    /// When trading ends next, also for a break. `None` if the calendar does not know.
    pub next_close: Option<DateTime<Utc>>,
}

/// A time in which the market trades without a break: from its start to before its end.
type Span = (DateTime<Utc>, DateTime<Utc>);

impl Market {
    /// A built-in exchange that the table `exchanges` does not change.
    pub fn of(calendar: &'static Calendar) -> Self {
        let exchange = Exchange { zone: calendar.zone, closes_at: calendar.hours.closes_at };
        Self { exchange, opens_at: None, calendar: Some(calendar) }
    }

    /// The state at `now`; `None` if the calendar is not known, or does not cover the day.
    pub fn state(&self, now: DateTime<Utc>) -> Option<MarketState> {
        let today = self.exchange.today(now);
        let calendar = self.calendar.filter(|calendar| calendar.covers(today))?;
        let closure = calendar.closure(today);
        let session = if closure.is_none() { Some(self.hours(calendar, today)?) } else { None };
        let spans = self.spans(calendar, today, now);
        let is_open = spans.first().is_some_and(|(start, _)| *start <= now);
        let closed_because = match (is_open, closure, session) {
            (true, ..) => None,
            (false, Some(reason), _) => Some(reason),
            (false, None, session) => Some(self.between_sessions(today, session, now)),
        };
        Some(MarketState {
            closed_because,
            session,
            next_open: spans.iter().map(|(start, _)| *start).find(|start| *start > now),
            next_close: spans.first().map(|(_, end)| *end),
        })
    }

    /// Why nothing trades at a time of a trading day.
    fn between_sessions(
        &self,
        today: NaiveDate,
        session: Option<Hours>,
        now: DateTime<Utc>,
    ) -> &'static str {
        let spans = session.map(|hours| self.spans_of(today, hours)).unwrap_or_default();
        if spans.first().is_some_and(|(start, _)| now < *start) {
            "before the open"
        } else if spans.last().is_some_and(|(_, end)| now < *end) {
            "break"
        } else {
            "after the close"
        }
    }

    /// The hours of a trading day; `None` if only the day is known.
    fn hours(&self, calendar: &Calendar, day: NaiveDate) -> Option<Hours> {
        if let Some(special) = calendar.special_session(day) {
            return special.hours;
        }
        let closes_at = self.exchange.closes_at;
        let opens_at = self.opens_at.unwrap_or(calendar.hours.opens_at);
        let regular = Hours { opens_at, ..calendar.hours }.until(closes_at);
        Some(calendar.early_close(day).map_or(regular, |early| regular.until(early.closes_at)))
    }

    /// The spans that end after `now`, from `today` on: as many as tell when trading begins next.
    /// Fewer where the calendar ends, or where only a day is known.
    fn spans(&self, calendar: &Calendar, today: NaiveDate, now: DateTime<Utc>) -> Vec<Span> {
        let mut spans = Vec::new();
        for day in today.iter_days().take(CLOSED_DAYS_MAX + 1) {
            if !calendar.covers(day) {
                break;
            }
            if !calendar.is_trading_day(day) {
                continue;
            }
            let Some(hours) = self.hours(calendar, day) else { break };
            spans.extend(self.spans_of(day, hours).into_iter().filter(|(_, end)| *end > now));
            if spans.last().is_some_and(|(start, _)| *start > now) {
                break;
            }
        }
        spans
    }

    /// The spans of one day: one, or two around a break. None at times that clocks skip.
    fn spans_of(&self, day: NaiveDate, hours: Hours) -> Vec<Span> {
        let at = |time: NaiveTime| Exchange { closes_at: time, ..self.exchange }.session_end(day);
        let spans = match hours.pause {
            Some(pause) => {
                vec![(hours.opens_at, pause.starts_at), (pause.ends_at, hours.closes_at)]
            }
            None => vec![(hours.opens_at, hours.closes_at)],
        };
        spans.into_iter().filter_map(|(start, end)| Some((at(start)?, at(end)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(mic: &str, now: &str) -> Option<MarketState> {
        Market::of(Calendar::of(mic).expect("a calendar")).state(now.parse().expect("a time"))
    }

    fn time(text: &str) -> Option<DateTime<Utc>> {
        Some(text.parse().expect("a time"))
    }

    #[test]
    fn a_market_is_open_from_its_open_until_just_before_its_close() {
        for (mic, now, closed_because, next_open, next_close) in [
            // New York in winter: 14:30 to 21:00 UTC.
            (
                "XNYS",
                "2026-11-30T14:29:59Z",
                Some("before the open"),
                "2026-11-30T14:30:00Z",
                "2026-11-30T21:00:00Z",
            ),
            ("XNYS", "2026-11-30T14:30:00Z", None, "2026-12-01T14:30:00Z", "2026-11-30T21:00:00Z"),
            ("XNYS", "2026-11-30T20:59:59Z", None, "2026-12-01T14:30:00Z", "2026-11-30T21:00:00Z"),
            (
                "XNYS",
                "2026-11-30T21:00:00Z",
                Some("after the close"),
                "2026-12-01T14:30:00Z",
                "2026-12-01T21:00:00Z",
            ),
            // Thanksgiving, and the early close after it.
            (
                "XNYS",
                "2026-11-26T16:00:00Z",
                Some("Thanksgiving Day"),
                "2026-11-27T14:30:00Z",
                "2026-11-27T18:00:00Z",
            ),
            (
                "XNYS",
                "2026-11-27T18:00:00Z",
                Some("after the close"),
                "2026-11-30T14:30:00Z",
                "2026-11-30T21:00:00Z",
            ),
            (
                "XNYS",
                "2026-11-28T18:00:00Z",
                Some("weekend"),
                "2026-11-30T14:30:00Z",
                "2026-11-30T21:00:00Z",
            ),
            // Clocks go back in the weekend between.
            (
                "XNYS",
                "2026-10-30T20:00:00Z",
                Some("after the close"),
                "2026-11-02T14:30:00Z",
                "2026-11-02T21:00:00Z",
            ),
            // A break is a close and an open.
            ("XTKS", "2026-11-30T02:29:00Z", None, "2026-11-30T03:30:00Z", "2026-11-30T02:30:00Z"),
            (
                "XTKS",
                "2026-11-30T02:30:00Z",
                Some("break"),
                "2026-11-30T03:30:00Z",
                "2026-11-30T06:30:00Z",
            ),
            ("XTKS", "2026-11-30T03:30:00Z", None, "2026-12-01T00:00:00Z", "2026-11-30T06:30:00Z"),
            // The date of Tokyo is ahead of UTC: it is Tuesday there.
            (
                "XTKS",
                "2026-11-30T23:00:00Z",
                Some("before the open"),
                "2026-12-01T00:00:00Z",
                "2026-12-01T02:30:00Z",
            ),
            // Ten days without trading.
            (
                "XTKS",
                "2019-04-26T07:00:00Z",
                Some("after the close"),
                "2019-05-07T00:00:00Z",
                "2019-05-07T02:30:00Z",
            ),
            // The eve of Christmas in Hong Kong has a morning session only.
            (
                "XHKG",
                "2026-12-24T04:00:00Z",
                Some("after the close"),
                "2026-12-28T01:30:00Z",
                "2026-12-28T04:00:00Z",
            ),
            // A session on a Sunday evening.
            (
                "XNSE",
                "2023-11-12T12:44:00Z",
                Some("before the open"),
                "2023-11-12T12:45:00Z",
                "2023-11-12T13:45:00Z",
            ),
            ("XNSE", "2023-11-12T12:45:00Z", None, "2023-11-13T03:45:00Z", "2023-11-12T13:45:00Z"),
        ] {
            let found = state(mic, now).expect("a known state");
            assert_eq!(found.closed_because, closed_because, "{mic} {now}");
            assert_eq!(
                (found.next_open, found.next_close),
                (time(next_open), time(next_close)),
                "{mic} {now}"
            );
        }
    }

    #[test]
    fn nothing_is_claimed_where_the_calendar_ends() {
        let last = state("XNSE", "2026-12-31T10:00:00Z").expect("the last day");
        assert_eq!(
            (last.closed_because, last.next_open, last.next_close),
            (Some("after the close"), None, None)
        );
        assert_eq!(state("XNSE", "2027-01-04T05:00:00Z"), None);
        // Only the day of this session is known, not its hours.
        assert_eq!(state("XNSE", "2026-11-08T05:00:00Z"), None);
        assert_eq!(state("XNSE", "2026-11-07T05:00:00Z").expect("a Saturday").next_open, None);
    }

    #[test]
    fn hours_of_the_table_replace_the_regular_ones_and_not_an_early_close() {
        let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).expect("a time");
        let built_in = Market::of(Calendar::US);
        let exchange = Exchange { closes_at: at(17, 0), ..built_in.exchange };
        let market = Market { exchange, opens_at: Some(at(8, 0)), ..built_in };
        let state = |now: &str| market.state(now.parse().expect("a time")).expect("a known state");
        assert_eq!(state("2026-11-30T13:00:00Z").next_close, time("2026-11-30T22:00:00Z"));
        assert_eq!(state("2026-11-27T13:00:00Z").next_close, time("2026-11-27T18:00:00Z"));
    }
}
