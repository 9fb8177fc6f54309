//! Rows on their way out: a page at once, or everything as it is read.

use std::io::Write;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use flate2::write::GzEncoder;
use futures_util::stream;

use super::bars_query::{BarsQuery, Limit};
use super::reader::{After, Reader};
use super::rows::{Row, lines};
use crate::cache::Media;
use crate::http::middleware::accepts_gzip;
use crate::http::request::context::RequestContext;
use crate::http::respond::answer::{VARY_NEGOTIATED, media_type};
use crate::http::respond::error::Problem;
use crate::http::server::state::State;
use crate::market::{Adjust, Interval, Symbol};
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
        asked: BarsQuery,
        stocks: &[(Symbol, StockRef)],
        after: Option<After>,
    ) -> Result<Self, Problem> {
        if let (Limit::Rows(limit), [(name, stock)], Adjust::None, Interval::Day) =
            (asked.limit, stocks, asked.adjust, asked.interval)
        {
            return Self::of_one(state, asked, (*name, *stock), after, limit).await;
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
        asked: BarsQuery,
        (asked_for_by, stock): (Symbol, StockRef),
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
        let row = |bar| Row { symbol: stock.symbol, asked_for_by, bar, unfinished: false };
        Ok(Self::cut(bars.into_iter().map(row).collect(), limit))
    }

    async fn try_read(
        state: &'static State,
        asked: BarsQuery,
        stocks: &[(Symbol, StockRef)],
        after: Option<After>,
    ) -> Result<Self, Problem> {
        let mut reader = Reader::open(state, asked, stocks, after).await?;
        let Limit::Rows(limit) = asked.limit else {
            let mut rows = reader.read(BATCH_BARS).await?;
            // Periods are few: what fits into a page is none to be streamed.
            while asked.interval != Interval::Day
                && rows.len() < BATCH_BARS as usize
                && !reader.is_done()
            {
                rows.append(&mut reader.read(BATCH_BARS).await?);
            }
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
        let last = rows
            .last()
            .filter(|_| more)
            .map(|row| After { symbol: row.asked_for_by, date: row.bar.date });
        Self { rows, last, rest: None }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.rest.is_none()
    }

    /// The rows as lines; streamed where these are not all.
    pub fn send_lines(self, request: &HttpRequest, asked: &BarsQuery) -> HttpResponse {
        let first = Bytes::from(lines(asked.format, &asked.columns, &self.rows, true));
        let mut answer = HttpResponse::Ok();
        answer.insert_header((header::CONTENT_TYPE, media_type(asked.format.media())));
        let Some(reader) = self.rest else { return answer.body(first) };
        let packing = accepts_gzip(request.headers()).then(|| Packing::of(asked.format.media()));
        if packing.is_some() {
            answer.insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        answer.insert_header((header::VARY, VARY_NEGOTIATED));
        answer
            .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")));
        if request.method() == Method::HEAD {
            // Nobody gets what would be read.
            return answer.streaming(stream::empty::<Result<Bytes, Problem>>());
        }
        answer.streaming(
            Stream { reader, asked: *asked, packing, meter: Meter::of(request) }.chunks(first),
        )
    }
}

/// What is left to send.
struct Stream {
    reader: Reader,
    asked: BarsQuery,
    /// `None` where the client takes the lines as they are.
    packing: Option<Packing>,
    meter: Meter,
}

impl Stream {
    /// `first`, then a batch whenever the client has taken the one before. An answer that can't be
    /// finished is cut off, which the client sees, since the end of a chunked body is marked.
    fn chunks(self, first: Bytes) -> impl stream::Stream<Item = Result<Bytes, Problem>> {
        stream::try_unfold(Some((self, Some(first))), |state| async move {
            let Some((mut stream, first)) = state else { return Ok(None) };
            let lines = match first {
                Some(first) => Some(first),
                None => stream.read_on().await?,
            };
            let is_last = lines.is_none();
            let chunk = match (&mut stream.packing, lines) {
                (Some(packing), Some(lines)) => packing.pack(&lines),
                (Some(packing), None) => packing.end(),
                (None, Some(lines)) => lines,
                (None, None) => return Ok(None),
            };
            stream.meter.count(chunk.len());
            Ok(Some((chunk, (!is_last).then_some((stream, None)))))
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
                return Ok(Some(
                    lines(self.asked.format, &self.asked.columns, &rows, false).into(),
                ));
            }
        }
        Ok(None)
    }
}

/// Gzip of a body that is sent in parts: each can be unpacked as it comes.
struct Packing(GzEncoder<Vec<u8>>);

impl Packing {
    fn of(media: Media) -> Self {
        Self(GzEncoder::new(Vec::new(), media.gzip_level()))
    }

    fn pack(&mut self, part: &[u8]) -> Bytes {
        self.0.write_all(part).and_then(|()| self.0.flush()).expect("memory takes what is written");
        std::mem::take(self.0.get_mut()).into()
    }

    fn end(&mut self) -> Bytes {
        self.0.try_finish().expect("memory takes what is written");
        std::mem::take(self.0.get_mut()).into()
    }
}

/// Counts what is sent of a body whose length nobody knew when its head was sent.
struct Meter {
    route: Route,
    usage: Option<Arc<KeyUsage>>,
}

impl Meter {
    fn of(request: &HttpRequest) -> Self {
        RequestContext::of(request, |context| Self {
            route: context.route,
            usage: context.client.get().map(|client| client.usage.clone()),
        })
    }

    fn count(&self, bytes: usize) {
        if let Some(usage) = &self.usage {
            usage.count_bytes(self.route, bytes as u64);
        }
    }
}
