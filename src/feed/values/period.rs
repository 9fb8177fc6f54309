//! Periods of bars as vendors write them.

/// The words for a period of one day, in upper case.
const DAY: [&str; 13] = [
    "D", "1D", "D1", "DAY", "1DAY", "1 DAY", "DAYS", "DAILY", "EOD", "1/DAY", "P1D", "24H",
    "1440MIN",
];

/// Whether a word stands for one day.
pub fn is_day(text: &str) -> bool {
    DAY.iter().any(|day| text.trim().eq_ignore_ascii_case(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_day_is_known_in_the_words_of_vendors() {
        for text in ["1day", "1 Day", "1d", "D1", "D", "daily", "1/day", "eod", "P1D", "24h"] {
            assert!(is_day(text), "{text}");
        }
        for text in ["", "1week", "1wk", "1M", "1h", "W", "weekly", "5min", "2d", "60"] {
            assert!(!is_day(text), "{text}");
        }
    }
}
