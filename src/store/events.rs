//! The table `corporate_actions`, as published: events.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::effective_actions::action_type;
use super::typed::Param;
use super::{Params, Snapshot, StockRef, StoreError};
use crate::market::{ActionType, DateRange, EventKind, Order, parse_date};

/// A split or a dividend of a stock.
#[derive(Debug)]
pub struct EventRecord {
    pub symbol: String,
    /// The ex-date.
    pub date: NaiveDate,
    pub action: ActionType,
    /// `split_from` shares became `split_to`; `None` for a dividend.
    pub split_from: Option<f64>,
    pub split_to: Option<f64>,
    /// Cash per share, as paid, in the stock's currency; `None` for a split.
    pub dividend: Option<f64>,
    /// `None`, here and below, if no file said it.
    pub declaration_date: Option<NaiveDate>,
    pub record_date: Option<NaiveDate>,
    pub pay_date: Option<NaiveDate>,
    /// Payments a year; 0 for a dividend that is paid once.
    pub frequency: Option<i16>,
}

/// Which page of events to read.
#[derive(Debug, Clone, Copy)]
pub struct EventPage {
    pub range: DateRange,
    /// `None` for both kinds.
    pub kind: Option<EventKind>,
    pub order: Order,
    /// The last event of the previous page; `None` for the first page.
    pub after: Option<EventPlace>,
    pub limit: u32,
}

/// The position of an event in the order of all events. It holds the stock's id, which stays when
/// the symbol changes, so that no event moves between two pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPlace {
    date: NaiveDate,
    stock_id: i32,
    kind: EventKind,
    /// `None` in the places of the release before, which knew no types.
    action: Option<ActionType>,
}

/// One page of events.
#[derive(Debug)]
pub struct Events {
    pub events: Vec<EventRecord>,
    /// The position of the last event of the page, if more follow.
    pub last: Option<EventPlace>,
}

/// The events of an exchange with at most this many stocks are read stock by stock. The events of a
/// larger exchange lie close together among all events, so these are read in order and filtered.
macro_rules! read_by_stock_max {
    () => {
        "200"
    };
}

/// The condition for events on a page: those beyond the position of the previous page's last event.
/// The first page begins beyond `$nowhere`, a date outside of all others. Kinds are a range, which
/// an index scan can check; a list of kinds would fetch each row.
macro_rules! on_page {
    ($beyond:literal, $nowhere:literal) => {
        concat!(
            "a.ex_date >= $2 AND a.ex_date <= coalesce($3, 'infinity'::date)
             AND a.kind BETWEEN $4 AND $5
             AND (a.ex_date, a.stock_id, a.kind, a.type) ",
            $beyond,
            " (coalesce($6, '",
            $nowhere,
            "'::date), $7::int4, $8::text, $10::text)"
        )
    };
}

macro_rules! in_order {
    ($order:literal) => {
        concat!(
            " ORDER BY a.ex_date ",
            $order,
            ", a.stock_id ",
            $order,
            ", a.kind ",
            $order,
            ", a.type ",
            $order
        )
    };
}

/// The columns of an event that no index has.
macro_rules! details {
    () => {
        "split_from, split_to, dividend, declaration_date, record_date, pay_date, frequency"
    };
}

/// The statement for the events of one stock (`$1` is its id) or of all (`$1` is null).
macro_rules! events_sql {
    ($of:literal, $beyond:literal, $nowhere:literal, $order:literal) => {
        concat!(
            "SELECT a.ex_date, a.stock_id, a.kind, a.type, s.symbol, ",
            details!(),
            " FROM corporate_actions a JOIN stocks s ON s.id = a.stock_id
             WHERE ",
            $of,
            " AND ",
            on_page!($beyond, $nowhere),
            in_order!($order),
            " LIMIT $9"
        )
    };
}

/// The statement for the events of an exchange (`$1`). An index-only scan selects the events of the
/// page, and only these are fetched. `IS TRUE` keeps the condition on stocks from becoming a join,
/// which would be planned for any number of stocks.
macro_rules! exchange_events_sql {
    ($beyond:literal, $nowhere:literal, $order:literal) => {
        concat!(
            "WITH listed AS MATERIALIZED (SELECT id FROM stocks WHERE exchange = $1),
                  few AS MATERIALIZED (SELECT count(*) <= ",
            read_by_stock_max!(),
            " AS are FROM listed)
             SELECT a.ex_date, a.stock_id, a.kind, a.type, s.symbol, details.*
             FROM (
                 (SELECT a.ex_date, a.stock_id, a.kind, a.type FROM corporate_actions a
                  WHERE NOT (SELECT are FROM few)
                    AND (a.stock_id IN (SELECT id FROM listed)) IS TRUE AND ",
            on_page!($beyond, $nowhere),
            in_order!($order),
            " LIMIT $9)
                 UNION ALL
                 (SELECT a.ex_date, a.stock_id, a.kind, a.type FROM listed CROSS JOIN LATERAL (
                      SELECT a.ex_date, a.stock_id, a.kind, a.type FROM corporate_actions a
                      WHERE a.stock_id = listed.id AND ",
            on_page!($beyond, $nowhere),
            in_order!($order),
            " LIMIT $9
                  ) a WHERE (SELECT are FROM few)",
            in_order!($order),
            " LIMIT $9)
             ) a
             CROSS JOIN LATERAL (
                 SELECT ",
            details!(),
            " FROM corporate_actions WHERE stock_id = a.stock_id AND ex_date = a.ex_date
                                        AND kind = a.kind AND type = a.type LIMIT 1
             ) details
             CROSS JOIN LATERAL (SELECT symbol FROM stocks WHERE id = a.stock_id LIMIT 1) s",
            in_order!($order)
        )
    };
}

impl Snapshot<'_> {
    /// One page of the events of a stock.
    pub async fn stock_events(
        &self,
        stock: StockRef,
        page: &EventPage,
    ) -> Result<Events, StoreError> {
        let sql = match page.order {
            Order::Desc => events_sql!("a.stock_id = $1", "<", "infinity", "DESC"),
            Order::Asc => events_sql!("a.stock_id = $1", ">", "-infinity", "ASC"),
        };
        self.events(stock.version, sql, &stock.id, page).await
    }

    /// One page of the events of all stocks, or of the stocks of one exchange, as of `version` or
    /// later.
    pub async fn market_events(
        &self,
        exchange: Option<&str>,
        page: &EventPage,
        version: i64,
    ) -> Result<Events, StoreError> {
        let sql = match (exchange, page.order) {
            (None, Order::Desc) => events_sql!("$1::text IS NULL", "<", "infinity", "DESC"),
            (None, Order::Asc) => events_sql!("$1::text IS NULL", ">", "-infinity", "ASC"),
            (Some(_), Order::Desc) => exchange_events_sql!("<", "infinity", "DESC"),
            (Some(_), Order::Asc) => exchange_events_sql!(">", "-infinity", "ASC"),
        };
        self.events(version, sql, &exchange, page).await
    }

    async fn events(
        &self,
        version: i64,
        sql: &'static str,
        owner: &dyn Param,
        page: &EventPage,
    ) -> Result<Events, StoreError> {
        let EventPage { range, kind, after, limit, .. } = *page;
        let first_kind = kind.unwrap_or(EventKind::Dividend).as_str();
        let last_kind = kind.unwrap_or(EventKind::Split).as_str();
        let after_date = after.map(|place| place.date);
        let after_stock = after.map_or(0, |place| place.stock_id);
        let after_kind = after.map_or("", |place| place.kind.as_str());
        // Without a type, the place is behind all types of its kind.
        let behind_all_types = if page.order == Order::Asc { "~" } else { "" };
        let after_type = after.and_then(|place| place.action);
        let after_type = after_type.map_or(behind_all_types, ActionType::as_str);
        // One row more than the page holds shows whether another page follows.
        let rows = i64::from(limit) + 1;
        let params: Params<'_> = &[
            owner,
            &range.start(),
            &range.end(),
            &first_kind,
            &last_kind,
            &after_date,
            &after_stock,
            &after_kind,
            &rows,
            &after_type,
        ];
        let rows = self.query(version, sql, params).await?;
        let limit = limit as usize;
        let last =
            if rows.len() > limit { rows[..limit].last().map(place).transpose()? } else { None };
        Ok(Events { events: rows.iter().take(limit).map(event).collect::<Result<_, _>>()?, last })
    }
}

fn event(row: &Row) -> Result<EventRecord, StoreError> {
    Ok(EventRecord {
        symbol: row.try_get("symbol")?,
        date: row.try_get("ex_date")?,
        action: action_type(row.try_get("type")?)?,
        split_from: row.try_get("split_from")?,
        split_to: row.try_get("split_to")?,
        dividend: row.try_get("dividend")?,
        declaration_date: row.try_get("declaration_date")?,
        record_date: row.try_get("record_date")?,
        pay_date: row.try_get("pay_date")?,
        frequency: row.try_get("frequency")?,
    })
}

fn place(row: &Row) -> Result<EventPlace, StoreError> {
    let action = action_type(row.try_get("type")?)?;
    Ok(EventPlace {
        date: row.try_get("ex_date")?,
        stock_id: row.try_get("stock_id")?,
        kind: action.kind(),
        action: Some(action),
    })
}

impl fmt::Display for EventPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.date, self.stock_id, self.kind.as_str())?;
        self.action.map_or(Ok(()), |action| write!(f, "/{}", action.as_str()))
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a date, the id of a stock, a kind and a type, separated by slashes")]
pub struct EventPlaceError;

impl FromStr for EventPlace {
    type Err = EventPlaceError;

    fn from_str(text: &str) -> Result<Self, EventPlaceError> {
        let mut parts = text.split('/');
        let (Some(date), Some(id), Some(kind), action, None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(EventPlaceError);
        };
        let date = parse_date(date).ok_or(EventPlaceError)?;
        let stock_id = id.parse().map_err(|_| EventPlaceError)?;
        let kind = kind.parse().map_err(|_| EventPlaceError)?;
        let action: Option<ActionType> =
            action.map(str::parse).transpose().map_err(|_| EventPlaceError)?;
        match action.is_none_or(|action| action.kind() == kind) {
            true => Ok(Self { date, stock_id, kind, action }),
            false => Err(EventPlaceError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_parsed_back_from_its_text(
            days in 0u64..3_652_059,
            stock_id: i32,
            action in prop::sample::select(ActionType::ALL.to_vec()),
            has_type: bool
        ) {
            let date = NaiveDate::from_ymd_opt(0, 1, 1).unwrap() + chrono::Days::new(days);
            let kind = action.kind();
            let place = EventPlace { date, stock_id, kind, action: has_type.then_some(action) };
            prop_assert_eq!(place.to_string().parse(), Ok(place));
        }

        #[test]
        fn parsing_any_text_does_not_panic(
            text in "[-0-9a-z/]{0,24}|2012-05-01/[-0-9]{0,12}/(split|[a-z]{0,9})(/[a-z_]{0,9})?"
        ) {
            let _ = text.parse::<EventPlace>();
        }
    }
}
