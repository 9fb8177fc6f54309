//! The lines of a header that do more than name columns: those of yfinance and of R's quantmod.

use csv::StringRecord;

use crate::feed::error::FeedError;

/// The number of header lines that yfinance's `download` writes with pandas.
const YFINANCE_LINES: usize = 3;
/// The number of symbols in an error.
const SYMBOLS_NAMED_MAX: usize = 3;

/// The first lines of a file.
pub struct HeaderLines {
    lines: Vec<StringRecord>,
}

/// What the header says.
#[derive(Debug)]
pub struct Described {
    pub names: StringRecord,
    /// The symbol of all rows.
    pub symbol: Option<String>,
    /// The number of lines of the header.
    pub lines: usize,
}

impl HeaderLines {
    pub fn of(first: StringRecord) -> Self {
        Self { lines: vec![first] }
    }

    pub fn add(&mut self, line: StringRecord) {
        self.lines.push(line);
    }

    /// Whether the next line may be one of yfinance's header.
    pub fn wants_more(&self) -> bool {
        let starts = |line: usize| {
            let first = self.lines[line].get(0).unwrap_or_default();
            ["Price", "Ticker", ""].contains(&first)
        };
        match self.lines.len() {
            1 => starts(0),
            2 => starts(0) && starts(1),
            _ => false,
        }
    }

    /// # Errors
    /// If the file has the columns of several stocks side by side.
    pub fn describe(self, file: &str) -> Result<Described, FeedError> {
        if let Some((names, tickers)) = self.yfinance() {
            let mut stocks: Vec<_> = tickers.iter().skip(1).collect();
            stocks.sort_unstable();
            stocks.dedup();
            let &[stock] = stocks.as_slice() else {
                let stocks = stocks[..stocks.len().min(SYMBOLS_NAMED_MAX)].join(", ");
                return Err(FeedError::SideBySide { name: file.to_owned(), stocks });
            };
            let names = std::iter::once("Date").chain(names.iter().skip(1)).collect();
            return Ok(Described { names, symbol: Some(stock.to_owned()), lines: YFINANCE_LINES });
        }
        let [first, ..] = self.lines.as_slice() else { unreachable!("there is a first line") };
        let (names, symbol) = match without_prefix(first) {
            Some((names, prefix)) => (names, Some(prefix.to_owned())),
            None => (first.clone(), None),
        };
        Ok(Described { names, symbol, lines: 1 })
    }

    /// The lines of column names and of tickers, if the header is one of yfinance: both, in either
    /// order, and a line that names the index alone.
    fn yfinance(&self) -> Option<(&StringRecord, &StringRecord)> {
        let [first, second, third] = self.lines.as_slice() else { return None };
        let has_close = |line: &StringRecord| line.iter().any(|name| name == "Close");
        let is_index = ["Date", "Datetime"].contains(&third.get(0)?)
            && third.iter().skip(1).all(str::is_empty);
        match (has_close(first), has_close(second)) {
            (true, false) if is_index => Some((first, second)),
            (false, true) if is_index => Some((second, first)),
            _ => None,
        }
    }
}

/// The names of quantmod without the symbol before each, and that symbol: `AAPL.Open`, `AAPL.High`.
fn without_prefix(names: &StringRecord) -> Option<(StringRecord, &str)> {
    let prefix = names.iter().find_map(|name| name.strip_suffix(".Open"))?;
    let short = |name: &'_ str| {
        name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned)
    };
    let others = names.iter().skip(1).map(short);
    let first = names.get(0).map(|first| short(first).unwrap_or_else(|| first.to_owned()));
    let names: Option<Vec<String>> = std::iter::once(first).chain(others).collect();
    Some((names?.into(), prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(lines: &[&str]) -> Result<(String, Option<String>, usize), String> {
        let record = |line: &str| StringRecord::from(line.split(',').collect::<Vec<_>>());
        let mut rest = lines.iter();
        let mut header = HeaderLines::of(record(rest.next().unwrap()));
        while header.wants_more()
            && let Some(line) = rest.next()
        {
            header.add(record(line));
        }
        let Described { names, symbol, lines } =
            header.describe("a.csv").map_err(|error| error.to_string())?;
        Ok((names.iter().collect::<Vec<_>>().join(","), symbol, lines))
    }

    #[test]
    fn the_three_lines_of_yfinance_name_the_columns_and_the_stock() {
        let expected = ("Date,Close,Volume".to_owned(), Some("YFN".to_owned()), 3);
        for lines in [
            ["Price,Close,Volume", "Ticker,YFN,YFN", "Date,,"],
            ["Ticker,YFN,YFN", "Price,Close,Volume", "Date,,"],
            [",Close,Volume", ",YFN,YFN", "Date,,"],
        ] {
            assert_eq!(described(&lines), Ok(expected.clone()), "{lines:?}");
        }
        let error = described(&["Price,Close,Close", "Ticker,AAPL,MSFT", "Date,,"]).unwrap_err();
        assert!(error.contains("side by side (AAPL, MSFT, ...)"), "{error}");
    }

    #[test]
    fn a_symbol_before_each_name_is_that_of_the_file() {
        let (names, symbol, _) = described(&["Index,BRK-B.Open,BRK-B.Adjusted"]).unwrap();
        assert_eq!((names.as_str(), symbol.as_deref()), ("Index,Open,Adjusted", Some("BRK-B")));
        for line in ["date,AAPL.Open,MSFT.Close", "date,open,close", ",Open,Close"] {
            let rows = [line, "2020-01-02,1,2", "2020-01-03,1,2"];
            assert_eq!(described(&rows), Ok((line.to_owned(), None, 1)));
        }
    }
}
