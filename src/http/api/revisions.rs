//! `GET /api/stocks/{symbol}/revisions`: what was restated, and when.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed, stock_of};
use crate::http::request::parameter::{Parameter, Takes, Whole};
use crate::http::request::query::{Query, symbol};
use crate::http::respond::error::Problem;
use crate::http::respond::paging::{page_key, set_next_link, url_after};
use crate::http::respond::success::{json, to_json};
use crate::http::server::state::State;
use crate::market::Symbol;
use crate::store::{RevisionKind, RevisionPage, RevisionRecord, RowValues};

const LIMIT: Whole = Whole { min: 1, max: 1000, default: 100 };
pub const PARAMETERS: &[Parameter] = &[
    Parameter::new("kind", Takes::Only(&RevisionKind::WORDS), "Filter to one of these kinds."),
    Parameter::new("limit", Takes::Number(LIMIT), "The maximum number of revisions on a page."),
    Parameter::new(
        "cursor",
        Takes::Cursor,
        "Where the page starts. Take it from `next` of the previous page.",
    ),
];
/// The size of a [`Revision`] in JSON, rounded up.
const REVISION_BYTES: usize = 400;
/// Columns that are not part of what is published, or that a revision has beside its values.
const LEFT_OUT: [&str; 6] = ["stock_id", "date", "ex_date", "kind", "since", "until"];

/// The columns with whole numbers.
const COUNTS: [&str; 4] = ["volume", "trades", "market_cap", "frequency"];

/// Data that was replaced, removed, or added after what it changes was published.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// With this time as `asof`, or a later one, requests get the new data.
    published_at: DateTime<Utc>,
    /// `price`, `event` or `stock`. New kinds may come.
    kind: &'static str,
    /// The day of the bar, or the ex-date of the event; null for a stock.
    date: Option<NaiveDate>,
    /// The values before, named as in other responses: all of a bar or an event, and those of a
    /// stock that changed; its `adjustedCloses` are from the `feed` or `computed`. Null for an
    /// event that was added. `adjustedClose` is left out if this server computed it: ask for prices
    /// with `asof`.
    #[schema(value_type = Option<Object>)]
    was: Option<Map<String, Value>>,
    /// The values after; null if the bar or event was removed.
    #[schema(value_type = Option<Object>)]
    became: Option<Map<String, Value>>,
}

/// Revisions of one stock.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockRevisions<'a> {
    symbol: &'a str,
    /// The number of revisions on this page.
    count: usize,
    /// Newest first.
    revisions: Vec<Revision>,
    /// The URL of the next page; null on the last page.
    next: Option<String>,
}

#[derive(Clone)]
pub struct RevisionsQuery {
    symbol: Symbol,
    page: RevisionPage,
}

pub async fn revisions(
    Parsed(query): Parsed<RevisionsQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let stock = stock_of(state, query.symbol, None).await?;
    let found = state.store.now().revisions(stock, &query.page).await?;
    let next = found.last.map(|last| url_after(query.url(), last));
    let revisions: Vec<_> = found.revisions.into_iter().map(Revision::from).collect();
    let count = revisions.len();
    let body = StockRevisions { symbol: stock.symbol.as_str(), count, revisions, next };
    let mut response = json(to_json(&body, count * REVISION_BYTES));
    set_next_link(&mut response, body.next.as_deref());
    Ok(response)
}

impl From<RevisionRecord> for Revision {
    fn from(record: RevisionRecord) -> Self {
        let RevisionRecord { place, mut was, mut became } = record;
        if let (RevisionKind::Stock, Some(was), Some(became)) = (place.kind, &mut was, &mut became)
        {
            let unchanged: Vec<String> = was
                .iter()
                .filter(|(name, value)| became.get(*name) == Some(value))
                .map(|(name, _)| name.clone())
                .collect();
            for name in unchanged {
                was.remove(&name);
                became.remove(&name);
            }
        }
        let fields = |values: RowValues| -> Map<String, Value> {
            let shown = values.into_iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
            shown.map(|(name, value)| (field_name(&name), field_value(&name, value))).collect()
        };
        Self {
            published_at: place.published_at(),
            kind: place.kind.as_str(),
            date: place.date(),
            was: was.map(fields),
            became: became.map(fields),
        }
    }
}

/// Prices and ratios are written as elsewhere: `40.0`, not `40`. The only truth value is the origin
/// of adjusted closes.
fn field_value(column: &str, value: Value) -> Value {
    if let Value::Bool(is_computed) = value {
        return if is_computed { "computed" } else { "feed" }.into();
    }
    if COUNTS.contains(&column) { value } else { value.as_f64().map_or(value, Value::from) }
}

/// The name of a column in responses: `adjusted_close` is `adjustedClose`. The symbol of a stock is
/// its id.
fn field_name(column: &str) -> String {
    match column {
        "symbol" => return "id".to_owned(),
        "computes_adjusted_close" => return "adjustedCloses".to_owned(),
        _ => {}
    }
    let mut name = String::with_capacity(column.len());
    let mut words = column.split('_');
    name.push_str(words.next().unwrap_or_default());
    for word in words {
        name.push_str(&word[..1].to_ascii_uppercase());
        name.push_str(&word[1..]);
    }
    name
}

impl RevisionsQuery {
    /// The URL of the first page in canonical form.
    fn url(&self) -> String {
        let kind =
            self.page.kind.map(|kind| format!("&kind={}", kind.as_str())).unwrap_or_default();
        format!("/api/stocks/{}/revisions?limit={}{kind}", self.symbol, self.page.limit)
    }
}

impl CacheableQuery for RevisionsQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, PARAMETERS)?;
        let page = RevisionPage {
            kind: query.value("kind")?,
            after: query.cursor("cursor")?,
            limit: query.number("limit", LIMIT)?,
        };
        Ok(Self { symbol: symbol(request)?, page })
    }

    fn canonical(&self, version: i64) -> String {
        page_key(version, |key| key.push_str(&self.url()), self.page.after.as_ref())
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::Stock(self.symbol)
    }

    fn content(&self) -> Content {
        Content::Metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_named_as_in_other_responses() {
        for (column, name) in [
            ("adjusted_close", "adjustedClose"),
            ("open", "open"),
            ("symbol", "id"),
            ("delisted_on", "delistedOn"),
        ] {
            assert_eq!(field_name(column), name);
        }
    }
}
