//! Writes a chart as SVG. It uses presentation attributes and system fonts only: the content
//! security policy of responses forbids styles.

use std::fmt::{self, Write};

use super::downsample::{Point, downsample};
use super::path::path;
use super::plot::{CHARACTER, Chart, LARGE, LINE, MARGIN, MEDIUM, Plot, SMALL};
use super::text::{ChartText, XmlEscaped, truncated};
use super::theme::Colours;
use crate::market::Bar;

/// The chart as an SVG document.
pub fn svg(chart: &Chart<'_>) -> String {
    let text = ChartText::of(chart);
    let plot = Plot::of(chart);
    let mut writer = SvgWriter { body: String::new(), colours: chart.theme.colours() };
    writer.grid(&plot);
    writer.volumes(&plot, chart.bars);
    writer.closes(&plot, chart.bars);
    writer.header(&text, chart);
    let (width, height) = (chart.width, chart.height);
    let title = XmlEscaped(&text.title);
    let description = XmlEscaped(&text.description);
    let SvgWriter { body, colours: Colours { page, .. } } = writer;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, \
         sans-serif\">\n\
         <title>{title}</title>\n<desc>{description}</desc>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{page}\"/>\n{body}</svg>\n"
    )
}

/// The elements written so far.
struct SvgWriter {
    body: String,
    colours: Colours,
}

impl SvgWriter {
    fn put(&mut self, element: fmt::Arguments<'_>) {
        // Writing to a String can't fail.
        let _ = self.body.write_fmt(element);
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
        for (date, label) in &plot.date_ticks {
            let (x, y) = (plot.x(*date), bottom + 15.0);
            let half_width = label.len() as f64 * SMALL * CHARACTER / 2.0;
            // Labels that the left edge would cut off are omitted.
            if x - half_width >= 0.0 {
                self.put(format_args!(
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{label}</text>\n"
                ));
            }
        }
        self.put(format_args!("</g>\n"));
    }

    /// One bar per column, as high as the largest volume in it.
    fn volumes(&mut self, plot: &Plot, bars: &[Bar]) {
        let largest =
            |bars: &[Bar]| bars.iter().map(|bar| bar.volume).max().unwrap_or_default() as f64;
        let largest_of_all = largest(bars).max(1.0);
        let column = |bar: &Bar| (plot.x(bar.date) / plot.column_width().max(2.0)).floor();
        let columns: Vec<_> = bars.chunk_by(|a, b| column(a) == column(b)).collect();
        let mut path = String::new();
        for bars in &columns {
            let x = plot.x(bars[0].date);
            let y = plot.bottom - largest(bars) / largest_of_all * plot.volumes_height;
            let _ = write!(path, "M{x:.1} {}V{y:.1}", plot.bottom);
        }
        let distance = (plot.right - plot.left) / columns.len() as f64;
        let colour = self.colours.volume;
        let width = (distance * 0.6).clamp(1.0, 8.0);
        self.put(format_args!(
            "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"{width:.1}\" fill=\"none\"/>\n"
        ));
    }

    fn closes(&mut self, plot: &Plot, bars: &[Bar]) {
        let point = |bar: &Bar| Point { x: plot.x(bar.date), y: plot.prices.at(bar.close) };
        let points = downsample(&bars.iter().map(point).collect::<Vec<_>>(), plot.column_width());
        let path = path(&points);
        let colour = self.colours.line;
        let bottom = plot.bottom;
        let left = points[0].x;
        let Point { x, y } = points[points.len() - 1];
        self.put(format_args!(
            "<path d=\"{path}V{bottom}H{left:.1}Z\" fill=\"{colour}\" fill-opacity=\".1\"/>\n"
        ));
        self.put(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" \
             stroke-linejoin=\"round\"/>\n"
        ));
        self.put(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n"));
    }

    /// The title and, below or beside it, as many of close, change and range as fit.
    fn header(&mut self, content: &ChartText, chart: &Chart<'_>) {
        let Colours { text, quiet, up, down, .. } = self.colours;
        let full_width = f64::from(chart.width) - 2.0 * MARGIN;
        let two_lines = chart.has_two_header_lines();
        let title = if two_lines { &content.title } else { chart.symbol };
        let title = truncated(title, (full_width / (LARGE * CHARACTER)) as usize);
        self.put(format_args!(
            "<text x=\"{MARGIN}\" y=\"{}\" font-size=\"{LARGE}\" fill=\"{text}\">\
             <tspan font-weight=\"600\">{}</tspan>",
            MARGIN + MEDIUM,
            XmlEscaped(&title)
        ));
        // Bold letters are a quarter wider.
        let title_width = title.chars().count() as f64 * LARGE * CHARACTER * 1.25 + MEDIUM;
        let mut free_width = if two_lines { full_width } else { full_width - title_width };
        let figures = [
            (&content.close, text),
            (&content.change, if content.is_up { up } else { down }),
            (&content.range, quiet),
        ];
        for (n, (figure, colour)) in figures.into_iter().enumerate() {
            free_width -= figure.chars().count() as f64 * MEDIUM * CHARACTER;
            if free_width < 0.0 {
                break;
            }
            free_width -= MEDIUM;
            if n == 0 && two_lines {
                self.put(format_args!("<tspan x=\"{MARGIN}\" dy=\"{LINE}\""));
            } else {
                self.put(format_args!("<tspan dx=\"{MEDIUM}\""));
            }
            self.put(format_args!(
                " font-size=\"{MEDIUM}\" fill=\"{colour}\">{}</tspan>",
                XmlEscaped(figure)
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

    /// Closes and volumes that change as much as possible every day: the least compressible line.
    fn volatile_bars(count: u64) -> Vec<Bar> {
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
                vwap: None,
                trades: None,
            }
        };
        (0..count).map(bar).collect()
    }

    #[test]
    fn no_image_exceeds_60_kb() {
        for (count, width, height) in
            [(20_000, 2000, 1200), (20_000, 800, 400), (2_000, 2000, 1200), (1, 200, 120)]
        {
            let bars = volatile_bars(count);
            let svg = svg(&Chart {
                symbol: "S",
                name: "N",
                currency: "USD",
                adjust: Adjust::All,
                bars: &bars,
                width,
                height,
                theme: Theme::Dark,
            });
            assert!(
                svg.len() < 60_000,
                "{count} bars on {width}x{height} take {} bytes",
                svg.len()
            );
        }
    }
}
