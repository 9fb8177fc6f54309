//! Rows on their way out: a page at once, or everything as it is read.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream;

use super::asked::{BarsAsked, Limit};
use super::reader::{After, Reader, row};
use super::rows::{Row, lines};
use crate::http::answer::{VARY_NEGOTIATED, media_type};
use crate::http::error::Problem;
use crate::http::state::State;
use crate::http::visit::Visit;
use crate::market::{Adjust, Interval};
use crate::route::Route;
use crate::store::StockRef;
use crate::usage::KeyUsage;

/// Daily bars that are read at once: what a stream holds, some 100 KB.
const BATCH_BARS: u32 = 1000;
/// How often a page is begun anew because its stocks were changed meanwhile.
const TRIES_MAX: u32 = 3;

/// The rows of an answer.
pub struct Page {
    pub rows: Vec<Row>,
    /// The last row, where others follow it.
    pub last: Option<After>,
    /// Reads on, where the rows are only the first of all.
    rest: Option<Reader>,
}

impl Page {
    /// Reads what is asked of these stocks, in the order of their symbols.
    ///
    /// # Errors
    /// [`Problem::Restated`] where their data changes faster than it can be read.
    pub async fn read(
        state: &'static State,
        asked: BarsAsked,
        stocks: &[StockRef],
        after: Option<After>,
    ) -> Result<Self, Problem> {
        if let (Limit::Rows(limit), [stock], Adjust::None, Interval::Day) =
            (asked.limit, stocks, asked.adjust, asked.interval)
        {
            return Self::of_one(state, asked, *stock, after, limit).await;
        }
        for _ in 1..TRIES_MAX {
            match Self::try_read(state, asked, stocks, after).await {
                Err(Problem::Restated) => {}
                page => return page,
            }
        }
        Self::try_read(state, asked, stocks, after).await
    }

    /// What is asked most, by the shortest statement.
    async fn of_one(
        state: &'static State,
        asked: BarsAsked,
        stock: StockRef,
        after: Option<After>,
        limit: u32,
    ) -> Result<Self, Problem> {
        let range = match after {
            Some(after) => asked.range.after(after.date, asked.order),
            None => Some(asked.range),
        };
        let bars = match range {
            Some(range) => state.store.bars(stock, range, asked.order, limit + 1).await?,
            None => Vec::new(),
        };
        Ok(Self::cut(bars.into_iter().map(|bar| row(stock.symbol, bar, false)).collect(), limit))
    }

    async fn try_read(
        state: &'static State,
        asked: BarsAsked,
        stocks: &[StockRef],
        after: Option<After>,
    ) -> Result<Self, Problem> {
        let mut reader = Reader::open(state, asked, stocks.to_vec(), after).await?;
        let Limit::Rows(limit) = asked.limit else {
            let rows = reader.read(BATCH_BARS).await?;
            let rest = (!reader.is_done()).then_some(reader);
            return Ok(Self { rows, last: None, rest });
        };
        let batch = if asked.interval == Interval::Day { limit + 1 } else { BATCH_BARS };
        let mut rows = Vec::new();
        while rows.len() <= limit as usize && !reader.is_done() {
            rows.append(&mut reader.read(batch).await?);
        }
        Ok(Self::cut(rows, limit))
    }

    fn cut(mut rows: Vec<Row>, limit: u32) -> Self {
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let last = rows.last().filter(|_| more).map(|row| After { symbol: row.symbol, date: row.bar.date });
        Self { rows, last, rest: None }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.rest.is_none()
    }

    /// The rows as lines; streamed where these are not all.
    pub fn send_lines(self, request: &HttpRequest, asked: &BarsAsked) -> HttpResponse {
        let first = Bytes::from(lines(asked.format, &asked.columns, &self.rows, true));
        let mut answer = HttpResponse::Ok();
        answer.insert_header((header::CONTENT_TYPE, media_type(asked.format.media())));
        let Some(reader) = self.rest else { return answer.body(first) };
        answer.insert_header((header::VARY, VARY_NEGOTIATED));
        answer.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")));
        answer.streaming(Stream { reader, asked: *asked, meter: Meter::of(request) }.chunks(first))
    }
}

/// What is left to send.
struct Stream {
    reader: Reader,
    asked: BarsAsked,
    meter: Meter,
}

impl Stream {
    /// `first`, then a batch whenever the client has taken the one before. An answer that can't be finished is cut off,
    /// which the client sees, since the end of a chunked body is marked.
    fn chunks(self, first: Bytes) -> impl stream::Stream<Item = Result<Bytes, Problem>> {
        stream::try_unfold((self, Some(first)), |(mut stream, first)| async move {
            let chunk = match first {
                Some(first) => first,
                None => match stream.read_on().await? {
                    Some(chunk) => chunk,
                    None => return Ok(None),
                },
            };
            stream.meter.count(chunk.len());
            Ok(Some((chunk, (stream, None))))
        })
    }

    /// `None` at the end.
    async fn read_on(&mut self) -> Result<Option<Bytes>, Problem> {
        while !self.reader.is_done() {
            let rows = self.reader.read(BATCH_BARS).await.inspect_err(|problem| {
                // Its head is long gone: nobody else says so.
                let cause = problem.cause().map(ToString::to_string);
                tracing::warn!(code = problem.code(), cause, "a stream was cut off");
            })?;
            // An empty chunk would mark the end.
            if !rows.is_empty() {
                return Ok(Some(lines(self.asked.format, &self.asked.columns, &rows, false).into()));
            }
        }
        Ok(None)
    }
}

/// Counts what is sent of a body whose length nobody knew when its head was sent.
struct Meter {
    route: Route,
    usage: Option<Arc<KeyUsage>>,
}

impl Meter {
    fn of(request: &HttpRequest) -> Self {
        Visit::of(request, |visit| Self {
            route: visit.route,
            usage: visit.guest.get().map(|guest| guest.usage.clone()),
        })
    }

    fn count(&self, bytes: usize) {
        if let Some(usage) = &self.usage {
            usage.sent(self.route, bytes as u64);
        }
    }
}
