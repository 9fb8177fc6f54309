//! The chart: requests per second next to the ceiling, and latencies, as SVG for light and dark
//! pages.

use super::{CaseResult, Report, number};

const WIDTH: f64 = 900.0;
/// The right edge of the names and left edge of the bars.
const LEFT: f64 = 270.0;
const RIGHT: f64 = 170.0;
const LINE: f64 = 18.0;
const BAR: f64 = 12.0;
/// The range of the logarithmic latency axis.
const MS_MIN: f64 = 0.1;
const MS_MAX: f64 = 10_000.0;

const STYLE: &str = "
  .page { fill: #ffffff }
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 14px }
  .small { font-size: 11px; fill: #57606a }
  .ours { fill: #0969da } .theirs { fill: #afb8c1 }
  .range { stroke: #0969da; stroke-width: 2; opacity: .5 }
  .grid { stroke: #d0d7de }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 } .small { fill: #9198a1 }
    .ours { fill: #4493f8 } .theirs { fill: #656c76 }
    .range { stroke: #4493f8 } .grid { stroke: #3d444d }
  }";

pub fn svg(report: &Report) -> String {
    let mut canvas = Canvas { body: String::new(), y: 24.0 };
    requests(&mut canvas, report.rows.iter().filter(|row| !row.paced));
    canvas.y += 2.0 * LINE;
    latencies(&mut canvas, &report.rows);
    let height = canvas.y + LINE;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Requests per second and latencies of each case\">\n\
         <style>{STYLE}\n</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n{}</svg>\n",
        canvas.body
    )
}

/// The SVG elements written so far, and the position of the next line.
struct Canvas {
    body: String,
    y: f64,
}

impl Canvas {
    fn text(&mut self, class: &str, x: f64, anchor: &str, text: &str) {
        let y = self.y;
        let text = escape(text);
        self.body += &format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}\
             </text>\n"
        );
    }

    fn bar(&mut self, class: &str, width: f64) {
        // y is the baseline of the text; the bar is centred on the text.
        let y = self.y - BAR + 2.0;
        self.body += &format!(
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{BAR}\"/>\n"
        );
    }

    fn mark(&mut self, x: f64, radius: f64) {
        let y = self.y - 4.0;
        self.body +=
            &format!("<circle class=\"ours\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>\n");
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.body += &format!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" \
             x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
        );
    }
}

fn requests<'a>(canvas: &mut Canvas, rows: impl Iterator<Item = &'a CaseResult> + Clone) {
    let all = rows.clone().flat_map(|row| {
        [
            Some(row.figures.requests_per_s),
            row.ceiling.as_ref().map(|ceiling| ceiling.figures.requests_per_s),
        ]
    });
    let scale = (WIDTH - LEFT - RIGHT) / all.flatten().fold(1.0, f64::max);
    canvas.text("title", 12.0, "start", "Requests per second, tickerd in blue, ceiling in grey");
    for row in rows {
        canvas.y += 1.4 * LINE;
        let ours = row.figures.requests_per_s;
        canvas.text("", LEFT - 10.0, "end", &row.case);
        canvas.bar("ours", ours * scale);
        let ratio = row
            .ceiling
            .as_ref()
            .map(|c| format!(", {:.0} % of {}", c.requests_ratio * 100.0, c.name));
        canvas.text(
            "small",
            LEFT + ours * scale + 6.0,
            "start",
            &format!("{}{}", number(ours), ratio.unwrap_or_default()),
        );
        if let Some(ceiling) = &row.ceiling {
            let theirs = ceiling.figures.requests_per_s;
            canvas.y += BAR + 2.0;
            canvas.bar("theirs", theirs * scale);
            canvas.text("small", LEFT + theirs * scale + 6.0, "start", &number(theirs));
        }
    }
}

fn latencies(canvas: &mut Canvas, rows: &[CaseResult]) {
    canvas.text(
        "title",
        12.0,
        "start",
        "Latency in ms, logarithmic: p50 (large), p99, p99.9 (small)",
    );
    canvas.y += 1.3 * LINE;
    let (top, bottom) = (canvas.y + 4.0, canvas.y + LINE * rows.len() as f64 + 8.0);
    for ms in [0.1, 1.0, 10.0, 100.0, 1000.0, MS_MAX] {
        canvas.text("small", position(ms), "middle", &ms.to_string());
        canvas.line("grid", (position(ms), top), (position(ms), bottom));
    }
    canvas.y += 4.0;
    for row in rows {
        canvas.y += LINE;
        let figures = &row.figures;
        canvas.text("", LEFT - 10.0, "end", &row.case);
        let (from, to) = (position(figures.p50_ms), position(figures.p999_ms));
        canvas.line("range", (from, canvas.y - 4.0), (to, canvas.y - 4.0));
        for (ms, radius) in [(figures.p50_ms, 5.0), (figures.p99_ms, 3.5), (figures.p999_ms, 2.0)] {
            canvas.mark(position(ms), radius);
        }
        let text = [figures.p50_ms, figures.p99_ms, figures.p999_ms].map(number).join(" · ");
        canvas.text("small", WIDTH - RIGHT + 20.0, "start", &text);
    }
}

/// The position of a latency on its axis. Values outside of the range are at its ends.
fn position(ms: f64) -> f64 {
    let share = (ms.clamp(MS_MIN, MS_MAX) / MS_MIN).log10() / (MS_MAX / MS_MIN).log10();
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn latencies_are_on_a_logarithmic_axis() {
        assert_eq!((position(0.01), position(0.1)), (LEFT, LEFT));
        assert!((position(10.0) - f64::midpoint(position(0.1), position(1000.0))).abs() < 1e-9);
    }

    #[test]
    fn each_case_and_its_ceiling_are_shown() {
        let svg = svg(&sample());
        assert!(svg.contains("first &amp; &lt;case&gt;") && svg.contains("70 % of bare"));
        assert_eq!((svg.matches("\"ours\" x=").count(), svg.matches("\"theirs\"").count()), (2, 1));
    }
}
