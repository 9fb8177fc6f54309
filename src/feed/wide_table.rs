//! Recognizes tables with one column a stock, which pandas, R and many downloads write.

use csv::StringRecord;

use super::columns::{FeedColumn, normalized};
use crate::market::Symbol;

/// The number of symbols in the message.
const SYMBOLS_NAMED_MAX: usize = 3;
/// The words beside a symbol in the name of a column, normalized.
const VALUES: [&str; 11] = [
    "open", "high", "low", "close", "adj", "adjusted", "adjclose", "volume", "price", "last",
    "return",
];
/// Names of columns that could be symbols, normalized.
const NO_SYMBOLS: [&str; 13] = [
    "value", "settle", "bid", "ask", "mid", "rate", "amount", "nav", "unadj", "change", "raw",
    "usd", "eur",
];

/// The first symbols in the header of a table of one value with one column a stock: a column of
/// dates, no other known column, and symbols.
pub(super) fn stocks(names: &StringRecord, wanted: &[FeedColumn]) -> Option<String> {
    let (dates, others): (Vec<_>, Vec<_>) = wanted.iter().partition(|column| column.name == "date");
    let is_date = |name: &str| {
        dates.iter().any(|column| {
            column.is_called(name) || column.find_fallback([(0, name)].into_iter()).is_some()
        })
    };
    let is_known = |name: &str| others.iter().any(|column| column.is_called(name));
    let mut columns = names.iter();
    let is_of_dates = columns.next().is_some_and(is_date);
    if !is_of_dates || names.len() < 2 || columns.clone().any(is_known) {
        return None;
    }
    let symbols: Vec<String> = columns.map(stock_in).collect::<Option<_>>()?;
    let mut first: Vec<_> = symbols.into_iter().take(SYMBOLS_NAMED_MAX).collect();
    first.dedup();
    Some(first.join(", "))
}

/// The symbol in a name such as `AAPL`, `aapl`, `^GSPC`, `AAPL.Close`, `Close_AAPL` or
/// `('Close', 'AAPL')`.
fn stock_in(name: &str) -> Option<String> {
    let is_mark = |c: char| !c.is_ascii_alphanumeric() && c != '^' && c != '-';
    let words: Vec<_> = name.split(is_mark).filter(|word| !word.is_empty()).collect();
    let is_value = |word: &&str| VALUES.contains(&normalized(word).as_str());
    let rest: Vec<_> = words.iter().copied().filter(|word| !is_value(word)).collect();
    let text = if rest.len() == words.len() { name.to_owned() } else { rest.join(".") };
    let bare = text.strip_prefix('^').unwrap_or(&text);
    let is_symbol = bare.to_ascii_uppercase().parse::<Symbol>().is_ok()
        && !NO_SYMBOLS.contains(&normalized(bare).as_str());
    is_symbol.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::columns::columns;
    use crate::store::Table;

    fn of(names: &[&str]) -> Option<String> {
        stocks(&StringRecord::from(names.to_vec()), columns(Table::Prices))
    }

    #[test]
    fn one_column_a_stock_is_recognized_as_tools_write_it() {
        for (names, symbols) in [
            (["Date", "AAPL", "MSFT"].as_slice(), "AAPL, MSFT"),
            (&["Date", "AAPL", "MSFT", "BRK.B", "GOOG"], "AAPL, MSFT, BRK.B"),
            (&["date", "aapl", "msft"], "aapl, msft"),
            (&["Date", "AAPL"], "AAPL"),
            (&["", "AAPL", "MSFT"], "AAPL, MSFT"),
            (&["Date", "^GSPC", "^IXIC"], "^GSPC, ^IXIC"),
            (&["Date", "AAPL.Close", "MSFT.Close"], "AAPL, MSFT"),
            (&["date", "Close_AAPL", "Close_MSFT"], "AAPL, MSFT"),
            (&["Date", "('Close', 'AAPL')"], "AAPL"),
        ] {
            assert_eq!(of(names).as_deref(), Some(symbols), "{names:?}");
        }
        for names in [
            ["Date", "Open", "MSFT"].as_slice(),
            &["Date", "Price"],
            &["Date", "Adj_Close", "adj_open"],
            &["Date", "Value"],
            &["AAPL", "20240102", "187.15"],
            &["date"],
            &["name", "AAPL"],
            &[],
        ] {
            assert_eq!(of(names), None, "{names:?}");
        }
    }
}
