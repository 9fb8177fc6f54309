//! Writes a chart as SVG: presentation attributes alone, since the security policy of answers
//! forbids styles, and fonts that are there anyway.

use std::fmt::{self, Write};

use super::Chart;
use super::downsample::{Point, downsample};
use super::path::path;
use super::plot::{CHARACTER, LARGE, LINE, MARGIN, MEDIUM, Plot, SMALL};
use super::text::{Escaped, Words, shortened};
use super::theme::Colours;
use crate::market::Bar;

/// The chart as an SVG document.
pub fn svg(chart: &Chart<'_>) -> String {
    let (width, height, colours) = (chart.width, chart.height, chart.theme.colours());
    let (words, plot, mut svg) =
        (Words::of(chart), Plot::of(chart), Svg { text: String::new(), colours });
    svg.grid(&plot);
    svg.volumes(&plot, chart.bars);
    svg.closes(&plot, chart.bars);
    svg.header(&words, chart);
    let (title, about) = (Escaped(&words.title), Escaped(&words.about));
    let (page, body) = (svg.colours.page, svg.text);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif\">\n\
         <title>{title}</title>\n<desc>{about}</desc>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{page}\"/>\n{body}</svg>\n"
    )
}

/// What is written so far.
struct Svg {
    text: String,
    colours: Colours,
}

impl Svg {
    fn put(&mut self, what: fmt::Arguments<'_>) {
        // A text takes whatever there is memory for.
        let _ = self.text.write_fmt(what);
    }

    fn grid(&mut self, plot: &Plot) {
        let Colours { grid, quiet, .. } = self.colours;
        let (left, right, bottom) = (plot.left, plot.right, plot.bottom);
        self.put(format_args!("<g stroke=\"{grid}\">\n"));
        for value in &plot.price_ticks.values {
            let y = plot.prices.at(*value);
            self.put(format_args!("<path d=\"M{left} {y:.1}H{right:.1}\"/>\n"));
        }
        self.put(format_args!("<path d=\"M{left} {bottom}H{right:.1}\"/>\n</g>\n"));
        self.put(format_args!("<g fill=\"{quiet}\" font-size=\"{SMALL}\">\n"));
        let decimals = plot.price_ticks.decimals;
        for value in &plot.price_ticks.values {
            let (x, y) = (right + 6.0, plot.prices.at(*value) + 4.0);
            self.put(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\">{value:.decimals$}</text>\n"));
        }
        for (date, label) in &plot.day_ticks {
            let (x, y) = (plot.x(*date), bottom + 15.0);
            let half = label.len() as f64 * SMALL * CHARACTER / 2.0;
            // One that the edge would cut is left out.
            if x - half >= 0.0 {
                self.put(format_args!(
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{label}</text>\n"
                ));
            }
        }
        self.put(format_args!("</g>\n"));
    }

    /// A bar a column, as high as the largest volume in it.
    fn volumes(&mut self, plot: &Plot, bars: &[Bar]) {
        let largest =
            |bars: &[Bar]| bars.iter().map(|bar| bar.volume).max().unwrap_or_default() as f64;
        let most = largest(bars).max(1.0);
        let column = |bar: &Bar| (plot.x(bar.date) / plot.column().max(2.0)).floor();
        let columns: Vec<_> = bars.chunk_by(|a, b| column(a) == column(b)).collect();
        let mut path = String::new();
        for bars in &columns {
            let (x, y) =
                (plot.x(bars[0].date), plot.bottom - largest(bars) / most * plot.volumes_height);
            let _ = write!(path, "M{x:.1} {}V{y:.1}", plot.bottom);
        }
        let apart = (plot.right - plot.left) / columns.len() as f64;
        let (colour, width) = (self.colours.volume, (apart * 0.6).clamp(1.0, 8.0));
        self.put(format_args!(
            "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"{width:.1}\" fill=\"none\"/>\n"
        ));
    }

    fn closes(&mut self, plot: &Plot, bars: &[Bar]) {
        let place = |bar: &Bar| Point { x: plot.x(bar.date), y: plot.prices.at(bar.close) };
        let points = downsample(&bars.iter().map(place).collect::<Vec<_>>(), plot.column());
        let (path, colour, bottom) = (path(&points), self.colours.line, plot.bottom);
        let (left, Point { x, y }) = (points[0].x, points[points.len() - 1]);
        self.put(format_args!(
            "<path d=\"{path}V{bottom}H{left:.1}Z\" fill=\"{colour}\" fill-opacity=\".1\"/>\n"
        ));
        self.put(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-linejoin=\"round\"/>\n"
        ));
        self.put(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n"));
    }

    /// The name and, below it or beside, as many of the figures as there is room for.
    fn header(&mut self, words: &Words, chart: &Chart<'_>) {
        let Colours { text, quiet, up, down, .. } = self.colours;
        let (all_room, is_tall) = (f64::from(chart.width) - 2.0 * MARGIN, chart.is_tall());
        let title = if is_tall { &words.title } else { chart.symbol };
        let title = shortened(title, (all_room / (LARGE * CHARACTER)) as usize);
        self.put(format_args!(
            "<text x=\"{MARGIN}\" y=\"{}\" font-size=\"{LARGE}\" fill=\"{text}\"><tspan font-weight=\"600\">{}</tspan>",
            MARGIN + MEDIUM,
            Escaped(&title)
        ));
        // Bold letters are wider.
        let beside = title.chars().count() as f64 * LARGE * CHARACTER * 1.25 + MEDIUM;
        let mut room = if is_tall { all_room } else { all_room - beside };
        let figures = [
            (&words.close, text),
            (&words.change, if words.rises { up } else { down }),
            (&words.range, quiet),
        ];
        for (n, (figure, colour)) in figures.into_iter().enumerate() {
            room -= figure.chars().count() as f64 * MEDIUM * CHARACTER;
            if room < 0.0 {
                break;
            }
            room -= MEDIUM;
            if n == 0 && is_tall {
                self.put(format_args!("<tspan x=\"{MARGIN}\" dy=\"{LINE}\""));
            } else {
                self.put(format_args!("<tspan dx=\"{MEDIUM}\""));
            }
            self.put(format_args!(
                " font-size=\"{MEDIUM}\" fill=\"{colour}\">{}</tspan>",
                Escaped(figure)
            ));
        }
        self.put(format_args!("</text>\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::chart::theme::Theme;
    use crate::market::Adjust;
    use chrono::NaiveDate;

    /// Closes and volumes that jump as far as they can, every day: nothing of it can be left out.
    fn restless(count: u64) -> Vec<Bar> {
        let bar = |n: u64| {
            let close =
                f64::from(u32::try_from(n.wrapping_mul(2_654_435_761) % 9_999).unwrap() + 1);
            let date = NaiveDate::from_ymd_opt(1950, 1, 1).unwrap() + chrono::Days::new(n);
            Bar {
                date,
                open: close,
                high: close,
                low: close,
                close,
                adjusted_close: close,
                volume: close as i64,
            }
        };
        (0..count).map(bar).collect()
    }

    #[test]
    fn no_picture_is_larger_than_its_bound() {
        for (count, width, height) in
            [(20_000, 2000, 1200), (20_000, 800, 400), (2_000, 2000, 1200), (1, 200, 120)]
        {
            let bars = restless(count);
            let (adjust, theme) = (Adjust::All, Theme::Dark);
            let (name, currency) = ("N", "USD");
            let svg = svg(&Chart {
                symbol: "S",
                name,
                currency,
                adjust,
                bars: &bars,
                width,
                height,
                theme,
            });
            assert!(
                svg.len() < 60_000,
                "{count} bars on {width}x{height} take {} bytes",
                svg.len()
            );
        }
    }
}
