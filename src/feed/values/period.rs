//! Periods of bars as vendors write them.

/// The words for a period of one day, in upper case.
const DAY: [&str; 8] = ["D", "1D", "DAY", "1DAY", "DAILY", "EOD", "1/DAY", "P1D"];

/// Whether a word stands for one day.
pub fn is_day(text: &str) -> bool {
    DAY.iter().any(|day| text.eq_ignore_ascii_case(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_day_is_known_in_the_words_of_vendors() {
        for text in ["1day", "1Day", "1d", "D", "daily", "1/day", "eod", "P1D"] {
            assert!(is_day(text), "{text}");
        }
        for text in ["", "1week", "1wk", "1M", "1h", "W", "weekly", "5min", "2d", "60"] {
            assert!(!is_day(text), "{text}");
        }
    }
}
