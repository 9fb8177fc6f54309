//! The content of a chart and its layout. All lengths are in pixels.

use chrono::{Datelike, NaiveDate};

use super::scale::{Scale, Ticks, date_ticks, price_ticks};
use super::theme::Theme;
use crate::market::{Adjust, Bar};

/// The distance of texts and of the plot from the edges of the image.
pub const MARGIN: f64 = 12.0;
/// The height of the dates below the plot.
const DATES_HEIGHT: f64 = 22.0;
/// The share of the plot's height that the volumes take.
const VOLUME_SHARE: f64 = 0.18;
/// The approximate width of a character, as a share of the font size.
pub const CHARACTER: f64 = 0.6;
/// Font sizes.
pub const LARGE: f64 = 15.0;
pub const MEDIUM: f64 = 12.0;
pub const SMALL: f64 = 11.0;
/// The distance between the two lines of the header.
pub const LINE: f64 = 19.0;
/// The minimum distances between labels on the axes.
const PRICE_LABEL_DISTANCE: f64 = 26.0;
const DATE_LABEL_DISTANCE: f64 = 64.0;
/// The maximum number of downsampled columns. It bounds the size of an image of any width.
const COLUMNS_MAX: f64 = 500.0;
/// Images from this height on have a second header line.
const TWO_LINES_HEIGHT: u32 = 200;

/// What a chart shows, and its size.
#[derive(Debug)]
pub struct Chart<'a> {
    pub symbol: &'a str,
    pub name: &'a str,
    pub currency: &'a str,
    pub adjust: Adjust,
    /// At least one, adjusted, oldest first.
    pub bars: &'a [Bar],
    pub width: u32,
    pub height: u32,
    pub theme: Theme,
}

impl Chart<'_> {
    pub fn has_two_header_lines(&self) -> bool {
        self.height >= TWO_LINES_HEIGHT
    }
}

/// The layout of a chart. Positions are relative to the upper left corner.
pub struct Plot {
    pub left: f64,
    pub right: f64,
    pub bottom: f64,
    pub prices: Scale,
    pub price_ticks: Ticks,
    /// Dates on the horizontal axis, with their labels.
    pub date_ticks: Vec<(NaiveDate, String)>,
    /// The height of the largest volume.
    pub volumes_height: f64,
    dates: Scale,
}

impl Plot {
    pub fn of(chart: &Chart<'_>) -> Self {
        let closes = chart.bars.iter().map(|bar| bar.close);
        let lowest = closes.clone().fold(f64::MAX, f64::min);
        let highest = closes.fold(0.0, f64::max);
        // Padding for the width of the line. It is never 0, so equal closes still have a range.
        let padding = ((highest - lowest) * 0.05).max(highest * 0.005);
        let low = (lowest - padding).max(0.0);
        let high = highest + padding;
        let second_line = if chart.has_two_header_lines() { LINE } else { 0.0 };
        let top = MARGIN + LARGE + 8.0 + second_line;
        let bottom = f64::from(chart.height) - DATES_HEIGHT;
        // Prices are above the volumes and do not overlap them.
        let volumes_height = (bottom - top) * VOLUME_SHARE;
        let prices = Scale { values: (low, high), pixels: (bottom - volumes_height * 1.1, top) };
        let labels = ((prices.pixels.0 - top) / PRICE_LABEL_DISTANCE) as usize;
        let price_ticks = price_ticks(low, high, labels.max(3));
        let decimals = price_ticks.decimals;
        let label_chars = |value: &f64| format!("{value:.decimals$}").len();
        let widest = price_ticks.values.iter().map(label_chars).max().unwrap_or(0);
        let left = MARGIN;
        let right = f64::from(chart.width) - MARGIN - 6.0 - widest as f64 * SMALL * CHARACTER;
        let (first, last) = (chart.bars[0].date, chart.bars[chart.bars.len() - 1].date);
        // A single day is centred.
        let padding_days = if first == last { 1.0 } else { 0.0 };
        Self {
            left,
            right,
            bottom,
            prices,
            price_ticks,
            date_ticks: date_ticks(first, last, ((right - left) / DATE_LABEL_DISTANCE) as usize),
            volumes_height,
            dates: Scale {
                values: (day_number(first) - padding_days, day_number(last) + padding_days),
                pixels: (left, right),
            },
        }
    }

    pub fn x(&self, date: NaiveDate) -> f64 {
        self.dates.at(day_number(date))
    }

    /// The width of a downsampled column.
    pub fn column_width(&self) -> f64 {
        ((self.right - self.left) / COLUMNS_MAX).max(1.0)
    }
}

fn day_number(date: NaiveDate) -> f64 {
    f64::from(date.num_days_from_ce())
}
