//! One day of trading in one stock.

use chrono::NaiveDate;

/// A daily OHLCV bar. Prices are in the stock's currency, `volume` in shares.
///
/// An `f64` returns every decimal of up to 15 significant digits unchanged, and prints it without
/// further digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    pub date: NaiveDate,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    /// The close adjusted for splits and dividends, as of the newest action known.
    pub adjusted_close: f64,
    pub volume: i64,
    /// The volume-weighted average price. Some feeds count trades in it that high and low leave
    /// out. `None`, here and below, if no feed has it or if it was not asked for.
    pub vwap: Option<f64>,
    /// The number of trades.
    pub trades: Option<i64>,
}

/// The rule that a bar breaks, and the column that breaks it.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{expected}")]
pub struct BarError {
    pub column: &'static str,
    pub expected: &'static str,
}

impl Bar {
    /// Checks the rules that every traded day satisfies: positive finite prices,
    /// `low <= open, close <= high`, no negative volume.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), BarError> {
        let prices = [
            ("open", self.open),
            ("high", self.high),
            ("low", self.low),
            ("close", self.close),
            ("adjusted_close", self.adjusted_close),
        ];
        let vwap = self.vwap.map(|vwap| ("vwap", vwap));
        for (column, price) in prices.into_iter().chain(vwap) {
            if !price.is_finite() || price <= 0.0 {
                return Err(BarError { column, expected: "expected a price above 0" });
            }
        }
        let error = |column, expected| Err(BarError { column, expected });
        if self.low > self.high {
            return error("low", "expected low to be at most high");
        }
        if self.open < self.low || self.open > self.high {
            return error("open", "expected open to lie between low and high");
        }
        if self.close < self.low || self.close > self.high {
            return error("close", "expected close to lie between low and high");
        }
        if self.volume < 0 {
            return error("volume", "expected a volume of 0 or more");
        }
        if self.trades.is_some_and(|trades| trades < 0) {
            return error("trades", "expected a number of trades of 0 or more");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar() -> Bar {
        let date = NaiveDate::from_ymd_opt(2013, 3, 1).unwrap();
        Bar {
            date,
            open: 10.0,
            high: 12.0,
            low: 9.0,
            close: 11.0,
            adjusted_close: 11.0,
            volume: 100,
            vwap: Some(10.5),
            trades: Some(7),
        }
    }

    #[test]
    fn a_broken_rule_is_reported_with_its_column() {
        assert_eq!(bar().check(), Ok(()));
        let cases = [
            (Bar { low: 13.0, ..bar() }, "low"),
            (Bar { open: 8.0, ..bar() }, "open"),
            (Bar { close: 12.5, ..bar() }, "close"),
            (Bar { high: f64::NAN, ..bar() }, "high"),
            (Bar { adjusted_close: f64::INFINITY, ..bar() }, "adjusted_close"),
            (Bar { low: 0.0, ..bar() }, "low"),
            (Bar { volume: -1, ..bar() }, "volume"),
            (Bar { vwap: Some(0.0), ..bar() }, "vwap"),
            (Bar { trades: Some(-1), ..bar() }, "trades"),
        ];
        for (bar, column) in cases {
            assert_eq!(bar.check().unwrap_err().column, column, "{bar:?}");
        }
    }

    #[test]
    fn a_day_on_which_nothing_moved_or_traded_is_a_bar() {
        let flat = Bar { open: 9.0, high: 9.0, close: 9.0, volume: 0, trades: Some(0), ..bar() };
        assert_eq!(flat.check(), Ok(()));
    }
}
