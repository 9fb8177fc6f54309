//! The texts of a chart: its header, and its description for screen readers.

use std::fmt::{self, Write};

use super::plot::Chart;
use crate::market::Adjust;

pub struct ChartText {
    /// Symbol and name.
    pub title: String,
    /// The last close with its currency.
    pub close: String,
    /// The change from the first to the last close, in percent.
    pub change: String,
    pub is_up: bool,
    /// The first and the last date, and the adjustment in brief.
    pub range: String,
    /// The chart in two sentences.
    pub description: String,
}

impl ChartText {
    pub fn of(chart: &Chart<'_>) -> Self {
        let (first, last) = (&chart.bars[0], &chart.bars[chart.bars.len() - 1]);
        let percent = (last.close / first.close - 1.0) * 100.0;
        let is_up = percent >= 0.0;
        let sign = if is_up { '+' } else { '\u{2212}' };
        let change = format!("{sign}{:.2} %", percent.abs());
        let decimals = if last.close < 1.0 { 4 } else { 2 };
        let close = format!("{:.decimals$} {}", last.close, chart.currency);
        let range = format!("{} to {}", first.date, last.date);
        let (adjusted, in_brief) = match chart.adjust {
            Adjust::None => ("as traded", ""),
            Adjust::Splits => ("adjusted for splits", ", adjusted for splits"),
            Adjust::All => ("adjusted for splits and dividends", ", adjusted"),
        };
        Self {
            title: format!("{} {}", chart.symbol, chart.name),
            description: format!(
                "Daily closes {adjusted}, and volumes, from {range}. \
                 The last is {close}, {change} since the first."
            ),
            range: format!("{range}{in_brief}"),
            close,
            change,
            is_up,
        }
    }
}

/// `text`, cut off with an ellipsis if it has more than `chars_max` characters.
pub fn truncated(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// Escapes a text for XML. Characters that XML forbids become U+FFFD (XML 1.0, 2.2).
pub struct XmlEscaped<'a>(pub &'a str);

impl fmt::Display for XmlEscaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}'),
            c if c.is_control() => f.write_char('\u{fffd}'),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_off_with_an_ellipsis() {
        assert_eq!(truncated("Apple Inc.", 10), "Apple Inc.");
        assert_eq!(truncated("Apple Inc.", 7), "Apple …");
    }
}
