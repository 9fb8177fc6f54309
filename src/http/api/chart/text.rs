//! A chart in words: for its header, and for those who don't see it.

use std::fmt::{self, Write};

use super::Chart;
use crate::market::Adjust;

pub struct Words {
    /// Symbol and name.
    pub title: String,
    /// The last one, with its currency.
    pub close: String,
    /// From the first close to the last, in per cent.
    pub change: String,
    pub rises: bool,
    pub range: String,
    /// All of it in two sentences.
    pub about: String,
}

impl Words {
    pub fn of(chart: &Chart<'_>) -> Self {
        let (first, last) = (&chart.bars[0], &chart.bars[chart.bars.len() - 1]);
        let percent = (last.close / first.close - 1.0) * 100.0;
        let rises = percent >= 0.0;
        let sign = if rises { '+' } else { '\u{2212}' };
        let change = format!("{sign}{:.2} %", percent.abs());
        let close =
            format!("{:.*} {}", if last.close < 1.0 { 4 } else { 2 }, last.close, chart.currency);
        let range = format!("{} to {}", first.date, last.date);
        let (adjusted, briefly) = match chart.adjust {
            Adjust::None => ("as traded", ""),
            Adjust::Splits => ("adjusted for splits", ", adjusted for splits"),
            Adjust::All => ("adjusted for splits and dividends", ", adjusted"),
        };
        let about = format!(
            "Daily closes {adjusted}, and volumes, from {range}. The last is {close}, {change} since the first."
        );
        let range = format!("{range}{briefly}");
        Self {
            title: format!("{} {}", chart.symbol, chart.name),
            close,
            change,
            rises,
            range,
            about,
        }
    }
}

/// A text that is cut where the room ends.
pub fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// A text as XML has it; what XML can't have at all is shown as missing (XML 1.0, 2.2).
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
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
    fn a_long_name_ends_where_the_room_does() {
        assert_eq!(
            (shortened("Apple Inc.", 10), shortened("Apple Inc.", 7)),
            ("Apple Inc.".into(), "Apple …".into())
        );
    }
}
