//! Reads a page of rows, and sends CSV and NDJSON: a page at once, longer results as a stream.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use chrono::Utc;
use futures_util::stream;

use super::bars_query::{BarsQuery, RowLimit};
use super::gzip::GzipChunks;
use super::reader::{BarReader, RowCursor};
use super::rows::{PriceRow, lines};
use crate::http::request::context::RequestContext;
use crate::http::request::negotiation::accepts_gzip;
use crate::http::respond::error::Problem;
use crate::http::respond::success::{VARY_NEGOTIATED, media_type};
use crate::http::server::state::State;
use crate::http::server::streams::StreamPermit;
use crate::market::{Interval, Symbol};
use crate::route::Route;
use crate::store::StockRef;
use crate::usage::KeyUsage;

/// The number of daily bars read at once. A stream holds one batch of lines in memory.
const BATCH_BARS: u32 = 1000;
/// The part of a batch that is given to the connection at once, which keeps a copy of it.
const PIECE_BYTES: usize = 16 * 1024;
/// How often a page is read if its stocks change while it is read.
const TRIES_MAX: u32 = 3;

/// A page of rows, or the first rows of a stream.
pub struct PricePage {
    pub rows: Vec<PriceRow>,
    /// The cursor of the next page; `None` on the last page and for streams.
    pub last: Option<RowCursor>,
    /// Reads the rows after `rows`, for a stream.
    rest: Option<BarReader>,
}

impl PricePage {
    /// Reads the first rows of these pairs of requested symbol and stock, ordered by symbol.
    ///
    /// # Errors
    /// [`Problem::Restated`] if the stocks changed during each of [`TRIES_MAX`] attempts; any error
    /// of Postgres.
    pub async fn read(
        state: &'static State,
        mut query: BarsQuery,
        stocks: &[(Symbol, StockRef)],
        after: Option<RowCursor>,
    ) -> Result<Self, Problem> {
        if let (RowLimit::Rows(limit), [(symbol, stock)]) = (query.limit, stocks)
            && query.is_unadjusted()
            && query.as_of.is_none()
            && !query.columns.has_details()
        {
            return Self::read_plain(state, query, (*symbol, *stock), after, limit).await;
        }
        // All parts of a response are of one time.
        query.as_of = query.as_of.map(|as_of| as_of.until(Utc::now()));
        for _ in 1..TRIES_MAX {
            match Self::try_read(state, query, stocks, after).await {
                Err(Problem::Restated) => {}
                page => return page,
            }
        }
        Self::try_read(state, query, stocks, after).await
    }

    /// Reads unadjusted daily bars of one stock: the most frequent query, with a simpler statement.
    async fn read_plain(
        state: &'static State,
        query: BarsQuery,
        (requested_symbol, stock): (Symbol, StockRef),
        after: Option<RowCursor>,
        limit: u32,
    ) -> Result<Self, Problem> {
        let range = match after {
            Some(after) => query.range.after(after.date, query.order),
            None => Some(query.range),
        };
        let bars = match range {
            Some(range) => state.store.now().bars(stock, range, query.order, limit + 1).await?,
            None => Vec::new(),
        };
        let row = |bar| PriceRow::daily(stock.symbol, requested_symbol, bar);
        Ok(Self::limited(bars.into_iter().map(row).collect(), limit))
    }

    async fn try_read(
        state: &'static State,
        query: BarsQuery,
        stocks: &[(Symbol, StockRef)],
        after: Option<RowCursor>,
    ) -> Result<Self, Problem> {
        let mut reader = BarReader::open(state, query, stocks, after).await?;
        let RowLimit::Rows(limit) = query.limit else {
            let mut rows = reader.read(BATCH_BARS).await?;
            // A batch makes few periods. A result that fits into one chunk is not streamed.
            while query.interval != Interval::Day
                && rows.len() < BATCH_BARS as usize
                && !reader.is_done()
            {
                rows.append(&mut reader.read(BATCH_BARS).await?);
            }
            let rest = (!reader.is_done()).then_some(reader);
            return Ok(Self { rows, last: None, rest });
        };
        let batch = if query.interval == Interval::Day { limit + 1 } else { BATCH_BARS };
        let mut rows = Vec::new();
        while rows.len() <= limit as usize && !reader.is_done() {
            rows.append(&mut reader.read(batch).await?);
        }
        Ok(Self::limited(rows, limit))
    }

    /// The first `limit` rows, with a cursor if there are more.
    fn limited(mut rows: Vec<PriceRow>, limit: u32) -> Self {
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let last = rows
            .last()
            .filter(|_| has_more)
            .map(|row| RowCursor { symbol: row.requested_symbol, date: row.bar.date });
        Self { rows, last, rest: None }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.rest.is_none()
    }

    /// Responds with CSV or NDJSON. If there are rows after this page, it starts a stream.
    ///
    /// # Errors
    /// If too many streams are in progress.
    pub fn send_lines(
        self,
        request: &HttpRequest,
        query: &BarsQuery,
    ) -> Result<HttpResponse, Problem> {
        let first = Bytes::from(lines(query.format, &query.columns, &self.rows, true));
        let mut response = HttpResponse::Ok();
        response.insert_header((header::CONTENT_TYPE, media_type(query.format.media())));
        let Some(reader) = self.rest else { return Ok(response.body(first)) };
        let gzip = accepts_gzip(request.headers()).then(|| GzipChunks::of(query.format.media()));
        if gzip.is_some() {
            response.insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        response.insert_header((header::VARY, VARY_NEGOTIATED));
        response
            .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")));
        if request.method() == Method::HEAD {
            // Don't read rows that nobody receives.
            return Ok(response.streaming(stream::empty::<Result<Bytes, Problem>>()));
        }
        let (sent_bytes, permit) = (SentBytes::of(request), permit(request)?);
        let (query, unsent) = (*query, Bytes::new());
        let stream = RowStream { reader, query, gzip, sent_bytes, unsent, _permit: permit };
        Ok(response.streaming(stream.chunks(first)))
    }
}

/// Counts a stream of the key of a request.
fn permit(request: &HttpRequest) -> Result<StreamPermit<'static>, Problem> {
    let key = RequestContext::of(request, |context| {
        context.client.get().map(|client| client.caller.limit_id)
    });
    Ok(State::of(request).streams.begin(key.ok_or(Problem::Unauthorized)?)?)
}

/// The unsent rest of a response.
struct RowStream {
    reader: BarReader,
    query: BarsQuery,
    /// `None` if the client does not accept gzip.
    gzip: Option<GzipChunks>,
    sent_bytes: SentBytes,
    /// The rest of the current batch, as it is sent.
    unsent: Bytes,
    _permit: StreamPermit<'static>,
}

impl RowStream {
    /// Yields `first`, then one batch each time the client has received the previous one, in
    /// pieces. After an error the connection is closed without the final chunk, so clients notice
    /// that the response is incomplete.
    fn chunks(self, first: Bytes) -> impl stream::Stream<Item = Result<Bytes, Problem>> {
        stream::try_unfold((self, Some(first), false), |(mut stream, first, is_last)| async move {
            let mut is_last = is_last;
            if stream.unsent.is_empty() && !is_last {
                let lines = match first {
                    Some(first) => Some(first),
                    None => stream.next_lines().await?,
                };
                is_last = lines.is_none();
                stream.unsent = match (&mut stream.gzip, lines) {
                    (Some(gzip), Some(lines)) => gzip.compress(&lines),
                    (Some(gzip), None) => gzip.finish(),
                    (None, lines) => lines.unwrap_or_default(),
                };
            }
            let piece = stream.unsent.split_to(stream.unsent.len().min(PIECE_BYTES));
            stream.sent_bytes.add(piece.len());
            Ok((!piece.is_empty()).then_some((piece, (stream, None, is_last))))
        })
    }

    /// Returns the next batch; `None` at the end.
    async fn next_lines(&mut self) -> Result<Option<Bytes>, Problem> {
        while !self.reader.is_done() {
            let rows = self.reader.read(BATCH_BARS).await.inspect_err(|problem| {
                // The status line was sent long ago, so the request's log line shows no error.
                let cause = problem.cause().map(ToString::to_string);
                tracing::warn!(code = problem.code(), cause, "a stream was cut off");
            })?;
            // An empty chunk would end the body.
            if !rows.is_empty() {
                let lines = lines(self.query.format, &self.query.columns, &rows, false);
                return Ok(Some(lines.into()));
            }
        }
        Ok(None)
    }
}

/// Counts the bytes of a stream for the usage of its key. The middleware counts only bodies whose
/// length is known at the start.
struct SentBytes {
    route: Route,
    usage: Option<Arc<KeyUsage>>,
}

impl SentBytes {
    fn of(request: &HttpRequest) -> Self {
        RequestContext::of(request, |context| Self {
            route: context.route,
            usage: context.client.get().map(|client| client.usage.clone()),
        })
    }

    fn add(&self, bytes: usize) {
        if let Some(usage) = &self.usage {
            usage.count_bytes(self.route, bytes as u64);
        }
    }
}
