//! `GET /api/stocks/{symbol}/chart.svg`: closes and volumes as an SVG image, for a README, an
//! e-mail or a web page.

mod downsample;
mod path;
mod plot;
mod scale;
mod svg;
mod text;
mod theme;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveDate;

use crate::cache::{Content, DependsOn, Media};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed, stock_of};
use crate::http::request::parameter::{Parameter, Takes, Whole};
use crate::http::request::query::{Query, invalid, symbol};
use crate::http::respond::error::Problem;
use crate::http::respond::success::media_type;
use crate::http::server::state::State;
use crate::market::{Adjust, Bar, DateRange, DateText, Symbol};
use plot::Chart;
use theme::Theme;

const WIDTH: Whole = Whole { min: 200, max: 2000, default: 800 };
const HEIGHT: Whole = Whole { min: 120, max: 1200, default: 400 };
pub const PARAMETERS: &[Parameter] = &[
    Parameter::new("start", Takes::Date, "The first day. Default: one year before `end`."),
    Parameter::new("end", Takes::Date, "The last day, inclusive. Default: the latest day."),
    Parameter::new("width", Takes::Number(WIDTH), "The width in pixels."),
    Parameter::new("height", Takes::Number(HEIGHT), "The height in pixels."),
    Parameter::new("theme", Takes::OneOf(&Theme::WORDS), "The colours."),
    Parameter::new(
        "adjust",
        Takes::OneOf(&["splits", "all", "none"]),
        "Adjust closes and volumes for splits, for splits and dividends (`all`), or not.",
    ),
];

#[derive(Clone)]
pub struct ChartQuery {
    symbol: Symbol,
    start: Option<NaiveDate>,
    /// Starts at the earliest date if `start` is `None`.
    range: DateRange,
    width: u32,
    height: u32,
    theme: Theme,
    adjust: Adjust,
}

pub async fn chart(
    Parsed(query): Parsed<ChartQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let ChartQuery { symbol, start, range, width, height, theme, adjust } = query;
    let end = range.end();
    let stock = stock_of(state, symbol, None).await?;
    let with_dividends = adjust.needs_dividends();
    let found = state.store.now().chart_data(stock, start, end, with_dividends).await?;
    let found = found.ok_or(Problem::UnknownSymbol(symbol))?;
    let bars: Vec<Bar> =
        found.bars.into_iter().map(|bar| adjust.apply(bar, &found.adjustments)).collect();
    if bars.is_empty() {
        return Err(Problem::NoData { symbol: stock.symbol, range: range_text(start, end) });
    }
    let image = svg::svg(&Chart {
        symbol: stock.symbol.as_str(),
        name: &found.name,
        currency: &found.currency,
        adjust,
        bars: &bars,
        width,
        height,
        theme,
    });
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, media_type(Media::Svg))).body(image))
}

/// The range for an error message, after "has no prices".
fn range_text(start: Option<NaiveDate>, end: Option<NaiveDate>) -> String {
    match (start, end) {
        (None, None) => "yet".to_owned(),
        (None, Some(end)) => format!("in the year up to {end}"),
        (Some(start), None) => format!("from {start} on"),
        (Some(start), Some(end)) => format!("from {start} to {end}"),
    }
}

impl CacheableQuery for ChartQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let symbol = symbol(request)?;
        let query = Query::of(request, PARAMETERS)?;
        let start = query.date("start")?;
        let range = DateRange::new(start.unwrap_or(NaiveDate::MIN), query.date("end")?).map_err(
            |error| invalid("start", format!("({}) is after end ({})", error.start, error.end)),
        )?;
        Ok(Self {
            symbol,
            start,
            range,
            width: query.number("width", WIDTH)?,
            height: query.number("height", HEIGHT)?,
            theme: query.value("theme")?.unwrap_or_default(),
            adjust: query.value("adjust")?.unwrap_or(Adjust::Splits),
        })
    }

    fn canonical(&self, version: i64) -> String {
        let Self { symbol, width, height, .. } = self;
        let [start, end] = [self.start, self.range.end()].map(|date| date.and_then(DateText::of));
        let [start, end] = [&start, &end].map(|date| date.as_ref().map_or("", DateText::as_str));
        let theme = self.theme.as_str();
        let adjust = self.adjust.as_str();
        format!(
            "v{version}/chart/{symbol}?start={start}&end={end}&width={width}&height={height}\
             &theme={theme}&adjust={adjust}"
        )
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::Stock(self.symbol)
    }

    fn content(&self) -> Content {
        Content::Bars(self.range)
    }
}
