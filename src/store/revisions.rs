//! What was restated: rows that were replaced or removed, and events that were added late.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};
use tokio_postgres::Row;

use super::{Params, Snapshot, StockRef, StoreError};
use crate::market::{parse_date, word_enum};

word_enum! {
    /// The kind of data that was restated.
    pub enum RevisionKind: "price, event or stock" {
        Price = "price",
        Event = "event",
        Stock = "stock",
    }
}

/// The values of a row by the names of their columns.
pub type RowValues = Map<String, Value>;

#[derive(Debug)]
pub struct RevisionRecord {
    pub place: RevisionPlace,
    /// `None` for an event that was added.
    pub was: Option<RowValues>,
    /// `None` if the row was removed.
    pub became: Option<RowValues>,
}

/// The position of a revision among those of a stock. Newest first; at one time by kind and date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionPlace {
    /// Microseconds of the epoch.
    revision: i64,
    pub kind: RevisionKind,
    /// The day of a bar or the ex-date of an event; [`NO_DATE`] for a stock.
    date: NaiveDate,
    /// The type of an event; empty for other kinds.
    event_type: String,
}

const NO_DATE: NaiveDate = NaiveDate::from_ymd_opt(1, 1, 1).expect("a valid date");

/// Which page of revisions to read.
#[derive(Debug, Clone)]
pub struct RevisionPage {
    /// `None` for all kinds.
    pub kind: Option<RevisionKind>,
    /// The last revision of the previous page; `None` for the first page.
    pub after: Option<RevisionPlace>,
    pub limit: u32,
}

#[derive(Debug)]
pub struct Revisions {
    pub revisions: Vec<RevisionRecord>,
    /// The position of the last revision of the page, if more follow.
    pub last: Option<RevisionPlace>,
}

/// A version whose published values do not differ from those of the next one is no revision: an
/// adjusted close is published if it came from a feed before and after.
///
/// An event is late if a bar that it adjusts, or the bar of its ex-date, was published before it.
/// The rows of the page are read after it is chosen.
const REVISIONS: &str = "
    WITH origins AS (
        SELECT s.computes_adjusted_close AS computes, coalesce(b.revision, 0) AS first,
               coalesce(e.revision, 9223372036854775807) AS ended
        FROM stock_versions s LEFT JOIN changes b ON b.id = s.since
             LEFT JOIN changes e ON e.id = s.until
        WHERE s.id = $1
    ), restated AS (
        SELECT 'price' AS kind, was.date, '' AS event_type, was.until AS change
        FROM prices_history was JOIN changes c ON c.id = was.until
        LEFT JOIN price_versions n
             ON n.stock_id = $1 AND n.date = was.date AND n.since = was.until
        WHERE was.stock_id = $1
          AND (n.date IS NULL
               OR (was.open, was.high, was.low, was.close, was.volume, was.vwap, was.trades)
                  IS DISTINCT FROM
                  (n.open, n.high, n.low, n.close, n.volume, n.vwap, n.trades)
               OR (was.adjusted_close <> n.adjusted_close AND NOT EXISTS (
                       SELECT FROM origins o
                       WHERE o.computes AND o.first <= c.revision AND o.ended >= c.revision)))
        UNION ALL
        SELECT 'stock', '0001-01-01', '', was.until
        FROM stocks_history was JOIN stock_versions became USING (id)
        WHERE id = $1 AND became.since = was.until
          AND to_jsonb(was) - '{since,until}'::text[] <> to_jsonb(became) - '{since,until}'::text[]
        UNION ALL
        (SELECT 'event', ex_date, type, until FROM corporate_actions_history WHERE stock_id = $1
         UNION
         SELECT 'event', e.ex_date, e.type, e.since
         FROM corporate_action_versions e JOIN changes c ON c.id = e.since
         WHERE e.stock_id = $1 AND EXISTS (
             SELECT FROM price_versions p LEFT JOIN changes published ON published.id = p.since
             WHERE p.stock_id = $1 AND coalesce(published.revision, 0) < c.revision
               AND p.date = (SELECT date FROM prices WHERE stock_id = $1 AND date >= e.ex_date
                             ORDER BY date LIMIT 1)))
    ), page AS MATERIALIZED (
        SELECT c.revision, r.* FROM restated r JOIN changes c ON c.id = r.change
        WHERE ($2::text IS NULL OR r.kind = $2)
          AND ($3::int8 IS NULL OR (c.revision, r.kind, r.date, r.event_type) < ($3, $4, $5, $6))
        ORDER BY c.revision DESC, r.kind DESC, r.date DESC, r.event_type DESC LIMIT $7
    )
    SELECT page.revision, page.kind, page.date, page.event_type, was.values AS was,
           became.values AS became,
           EXISTS (SELECT FROM origins o WHERE o.computes
                   AND o.first < page.revision AND o.ended >= page.revision) AS was_computed,
           EXISTS (SELECT FROM origins o WHERE o.computes
                   AND o.first <= page.revision AND o.ended > page.revision) AS is_computed
    FROM page
    LEFT JOIN LATERAL (
        SELECT to_json(v)::text AS values FROM price_versions v
        WHERE page.kind = 'price' AND (stock_id, date, until) = ($1, page.date, page.change)
        UNION ALL
        SELECT to_json(v)::text FROM corporate_action_versions v
        WHERE page.kind = 'event' AND (stock_id, ex_date, type, until)
                                      = ($1, page.date, page.event_type, page.change)
        UNION ALL
        SELECT to_json(v)::text FROM stock_versions v
        WHERE page.kind = 'stock' AND (id, until) = ($1, page.change)
    ) was ON true
    LEFT JOIN LATERAL (
        SELECT to_json(v)::text AS values FROM price_versions v
        WHERE page.kind = 'price' AND (stock_id, date, since) = ($1, page.date, page.change)
        UNION ALL
        SELECT to_json(v)::text FROM corporate_action_versions v
        WHERE page.kind = 'event' AND (stock_id, ex_date, type, since)
                                      = ($1, page.date, page.event_type, page.change)
        UNION ALL
        SELECT to_json(v)::text FROM stock_versions v
        WHERE page.kind = 'stock' AND (id, since) = ($1, page.change)
    ) became ON true
    ORDER BY page.revision DESC, page.kind DESC, page.date DESC, page.event_type DESC";

impl Snapshot<'_> {
    /// One page of the revisions of a stock, newest first.
    pub async fn revisions(
        &self,
        stock: StockRef,
        page: &RevisionPage,
    ) -> Result<Revisions, StoreError> {
        let kind = page.kind.map(RevisionKind::as_str);
        let after = page.after.as_ref();
        let after_revision = after.map(|place| place.revision);
        let after_kind = after.map(|place| place.kind.as_str());
        let after_date = after.map(|place| place.date);
        let after_type = after.map(|place| place.event_type.as_str());
        // One row more than the page holds shows whether another page follows.
        let rows = i64::from(page.limit) + 1;
        let params: Params<'_> =
            &[&stock.id, &kind, &after_revision, &after_kind, &after_date, &after_type, &rows];
        let rows = self.query(stock.version, REVISIONS, params).await?;
        let mut revisions = rows.iter().map(revision).collect::<Result<Vec<_>, StoreError>>()?;
        let has_more = revisions.len() > page.limit as usize;
        revisions.truncate(page.limit as usize);
        let last = revisions.last().filter(|_| has_more).map(|last| last.place.clone());
        Ok(Revisions { revisions, last })
    }
}

fn revision(row: &Row) -> Result<RevisionRecord, StoreError> {
    let kind: &str = row.try_get("kind")?;
    let kind = kind.parse().map_err(|_| StoreError::Corrupt(format!("{kind:?} is no kind")))?;
    Ok(RevisionRecord {
        place: RevisionPlace {
            revision: row.try_get("revision")?,
            kind,
            date: row.try_get("date")?,
            event_type: row.try_get("event_type")?,
        },
        was: values(row, "was", row.try_get("was_computed")?)?,
        became: values(row, "became", row.try_get("is_computed")?)?,
    })
}

/// The values of a version. Its adjusted close is left out if it `is_computed`: the stored one
/// follows from what is known now.
fn values(row: &Row, column: &str, is_computed: bool) -> Result<Option<RowValues>, StoreError> {
    let Some(text) = row.try_get::<_, Option<&str>>(column)? else { return Ok(None) };
    let values: Result<RowValues, _> = serde_json::from_str(text);
    let mut values = values.map_err(|error| StoreError::Corrupt(format!("{text}: {error}")))?;
    if is_computed {
        values.remove("adjusted_close");
    }
    Ok(Some(values))
}

impl RevisionPlace {
    /// When the revision was published.
    pub fn published_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.revision).unwrap_or_default()
    }

    /// The day of a bar or the ex-date of an event.
    pub fn date(&self) -> Option<NaiveDate> {
        Some(self.date).filter(|date| *date != NO_DATE)
    }
}

impl fmt::Display for RevisionPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, kind, date, event_type } = self;
        write!(f, "{revision}/{}/{date}/{event_type}", kind.as_str())
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a revision, a kind, a date and a type, separated by slashes")]
pub struct RevisionPlaceError;

impl FromStr for RevisionPlace {
    type Err = RevisionPlaceError;

    fn from_str(text: &str) -> Result<Self, RevisionPlaceError> {
        let mut parts = text.split('/');
        let (Some(revision), Some(kind), Some(date), Some(event_type), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(RevisionPlaceError);
        };
        Ok(Self {
            revision: revision.parse().map_err(|_| RevisionPlaceError)?,
            kind: kind.parse().map_err(|_| RevisionPlaceError)?,
            date: parse_date(date).ok_or(RevisionPlaceError)?,
            event_type: match event_type
                .bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_lowercase())
            {
                true => event_type.to_owned(),
                false => return Err(RevisionPlaceError),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_parsed_back_from_its_text(
            revision: i64,
            kind in prop::sample::select(RevisionKind::ALL.to_vec()),
            days in 0u64..3_652_059,
            event_type in "[a-z_]{0,30}"
        ) {
            let date = NaiveDate::from_ymd_opt(0, 1, 1).unwrap() + chrono::Days::new(days);
            let place = RevisionPlace { revision, kind, date, event_type };
            prop_assert_eq!(place.to_string().parse(), Ok(place));
        }

        #[test]
        fn parsing_any_text_does_not_panic(
            text in "[-0-9a-z/]{0,24}|-?[0-9]{1,20}/price/2024-01-0[0-9]/.{0,5}"
        ) {
            let _ = text.parse::<RevisionPlace>();
        }
    }
}
