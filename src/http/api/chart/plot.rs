//! Where things are in a chart.

use chrono::{Datelike, NaiveDate};

use super::Chart;
use super::scale::{Scale, Ticks, days, ticks};

/// From the edges of the picture, in pixels.
pub const MARGIN: f64 = 12.0;
/// What the dates below take.
const AXIS: f64 = 22.0;
/// The share of the plot's height that volumes take.
const VOLUME_SHARE: f64 = 0.18;
/// About how wide a character is, as a share of the font's size.
pub const CHARACTER: f64 = 0.6;
/// Sizes of fonts.
pub const LARGE: f64 = 15.0;
pub const MEDIUM: f64 = 12.0;
pub const SMALL: f64 = 11.0;
/// The second line of text stands so far below the first.
pub const LINE: f64 = 19.0;
/// The least distance of what is written on an axis.
const BETWEEN_PRICES: f64 = 26.0;
const BETWEEN_DAYS: f64 = 64.0;
/// Columns of points at most: it bounds the bytes of a picture, whatever its width.
const COLUMNS_MAX: f64 = 500.0;

/// Where things are, in pixels from the upper left corner.
pub struct Plot {
    pub left: f64,
    pub right: f64,
    pub bottom: f64,
    pub prices: Scale,
    pub price_ticks: Ticks,
    pub day_ticks: Vec<(NaiveDate, String)>,
    /// Of the largest volume.
    pub volumes_height: f64,
    days: Scale,
}

impl Plot {
    pub fn of(chart: &Chart<'_>) -> Self {
        let (width, height) = (f64::from(chart.width), f64::from(chart.height));
        let closes = chart.bars.iter().map(|bar| bar.close);
        let (low, high) = (closes.clone().fold(f64::MAX, f64::min), closes.fold(0.0, f64::max));
        // Room for the line's own width, and something to divide by where nothing moved.
        let room = ((high - low) * 0.05).max(high * 0.005);
        let (low, high) = ((low - room).max(0.0), high + room);
        let top = MARGIN + LARGE + 8.0 + if chart.is_tall() { LINE } else { 0.0 };
        let bottom = height - AXIS;
        // Prices lie above the volumes: one does not hide the other.
        let volumes_height = (bottom - top) * VOLUME_SHARE;
        let prices = Scale { values: (low, high), pixels: (bottom - volumes_height * 1.1, top) };
        let price_ticks =
            ticks(low, high, (((prices.pixels.0 - top) / BETWEEN_PRICES) as usize).max(3));
        let decimals = price_ticks.decimals;
        let widest = price_ticks
            .values
            .iter()
            .map(|value| format!("{value:.decimals$}").len())
            .max()
            .unwrap_or(0);
        let (left, right) = (MARGIN, width - MARGIN - 6.0 - widest as f64 * SMALL * CHARACTER);
        let (first, last) = (chart.bars[0].date, chart.bars[chart.bars.len() - 1].date);
        // A day alone stands in the middle.
        let beside = if first == last { 1.0 } else { 0.0 };
        Self {
            left,
            right,
            bottom,
            prices,
            price_ticks,
            day_ticks: days(first, last, ((right - left) / BETWEEN_DAYS) as usize),
            volumes_height,
            days: Scale {
                values: (number(first) - beside, number(last) + beside),
                pixels: (left, right),
            },
        }
    }

    pub fn x(&self, date: NaiveDate) -> f64 {
        self.days.at(number(date))
    }

    /// How wide a column of points is.
    pub fn column(&self) -> f64 {
        ((self.right - self.left) / COLUMNS_MAX).max(1.0)
    }
}

fn number(date: NaiveDate) -> f64 {
    f64::from(date.num_days_from_ce())
}
