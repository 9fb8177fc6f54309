//! The columns of a file, by whatever names the common vendors give them.

use csv::StringRecord;

use super::FeedError;
use crate::market::Symbol;
use crate::store::Table;

/// A column that is wanted.
pub struct Column {
    /// What it is called here, and in messages.
    pub name: &'static str,
    /// What else it is called, as [`folded`].
    aliases: &'static [&'static str],
    is_required: bool,
    /// The option that says it where a file doesn't.
    option: Option<&'static str>,
}

/// Where a column is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnSource {
    At(usize),
    /// The same for all rows, and not in the file.
    Given(Symbol),
    Nowhere,
}

const fn required(name: &'static str, aliases: &'static [&'static str]) -> Column {
    Column { name, aliases, is_required: true, option: None }
}

const fn optional(name: &'static str, aliases: &'static [&'static str]) -> Column {
    Column { name, aliases, is_required: false, option: None }
}

const SYMBOL: Column = required("symbol", &["ticker", "code"]);
const SYMBOL_OF_ALL: Column = Column { option: Some("--symbol"), ..SYMBOL };

const STOCKS: &[Column] = &[
    SYMBOL,
    required("name", &["company", "companyname", "securityname"]),
    required("exchange", &["exchangecode", "primaryexchange", "exchangeshortname"]),
    required("currency", &["currencycode", "currencyname", "currencysymbol"]),
    optional("sector", &["gicssector"]),
    optional("industry", &["gicsindustry"]),
    optional("market_cap", &["marketcapitalization"]),
];

/// Not among the names of `adjusted_close`: `closeadj`, since files that have it hold no raw close
/// under `close`.
const PRICES: &[Column] = &[
    SYMBOL_OF_ALL,
    required("date", &["timestamp", "tradedate"]),
    required("open", &[]),
    required("high", &[]),
    required("low", &[]),
    required("close", &[]),
    required("volume", &["vol"]),
    optional("adjusted_close", &["adjclose"]),
];

const ACTIONS: &[Column] = &[
    SYMBOL_OF_ALL,
    required("ex_date", &["exdividenddate", "executiondate", "date"]),
    optional("split_from", &[]),
    optional("split_to", &[]),
    optional("dividend", &["dividends", "dividendamount", "cashamount", "divcash", "amount"]),
];

/// The columns of a file of this kind.
pub fn columns(table: Table) -> &'static [Column] {
    match table {
        Table::Stocks => STOCKS,
        Table::Prices => PRICES,
        Table::Actions => ACTIONS,
    }
}

/// Finds the wanted columns in a header.
///
/// # Errors
/// When a required one is missing, or one is there twice.
pub(super) fn places(
    file: &str,
    header: &StringRecord,
    wanted: &[Column],
    symbol: Option<Symbol>,
) -> Result<Vec<(&'static str, ColumnSource)>, FeedError> {
    let name = || file.to_owned();
    let mut columns = Vec::new();
    for column in wanted {
        let mut found = header.iter().enumerate().filter(|(_, text)| column.is_called(text));
        let place = match (found.next(), found.next(), symbol.filter(|_| column.option.is_some())) {
            (Some((_, first)), Some((_, second)), _) => {
                let (first, second) = (first.to_owned(), second.to_owned());
                return Err(FeedError::Twice { name: name(), column: column.name, first, second });
            }
            (Some(_), None, Some(_)) => return Err(FeedError::SymbolTwice { name: name() }),
            (Some((at, _)), None, None) => ColumnSource::At(at),
            (None, _, Some(symbol)) => ColumnSource::Given(symbol),
            (None, _, None) if column.is_required => {
                let required =
                    wanted.iter().filter(|column| column.is_required).map(|column| column.name);
                let mut expected = required.collect::<Vec<_>>().join(", ");
                if let Some(option) = column.option {
                    expected = format!("{expected}, or {option}");
                }
                return Err(FeedError::Missing { name: name(), column: column.name, expected });
            }
            (None, _, None) => ColumnSource::Nowhere,
        };
        columns.push((column.name, place));
    }
    Ok(columns)
}

impl Column {
    fn is_called(&self, text: &str) -> bool {
        let text = folded(text);
        text == folded(self.name) || self.aliases.contains(&text.as_str())
    }
}

/// A name without what vendors write differently: case, spaces, underscores, brackets, a byte order
/// mark.
fn folded(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        table: Table,
        header: &str,
        symbol: Option<&str>,
    ) -> Result<Vec<(&'static str, ColumnSource)>, String> {
        let header = StringRecord::from(header.split(',').collect::<Vec<_>>());
        let symbol = symbol.map(|symbol| symbol.parse().unwrap());
        places("a.csv", &header, columns(table), symbol).map_err(|error| error.to_string())
    }

    #[test]
    fn the_names_of_common_vendors_are_known_in_any_order_and_case() {
        let ours = "symbol,date,open,high,low,close,volume,adjusted_close";
        let in_order: Vec<_> = (0..8).map(ColumnSource::At).collect();
        for header in [
            ours,
            "\u{feff}Ticker,Date,Open,High,Low,Close,Volume,Adj Close",
            "code,timestamp,open,high,low,close,volume,Adjusted_close",
            "<TICKER>,<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,adjClose",
        ] {
            let places: Vec<_> =
                found(Table::Prices, header, None).unwrap().into_iter().map(|(_, at)| at).collect();
            assert_eq!(places, in_order, "{header}");
        }
        // Tiingo's, Polygon's and Alpha Vantage's: more columns than are wanted, and each found.
        let header = "ticker,date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor";
        let places = found(Table::Prices, header, None).unwrap();
        assert_eq!(
            places[2..6].iter().map(|(_, at)| *at).collect::<Vec<_>>(),
            [5, 3, 4, 2].map(ColumnSource::At)
        );
        let splits =
            found(Table::Actions, "execution_date,split_from,split_to,ticker", None).unwrap();
        assert_eq!(splits[4], ("dividend", ColumnSource::Nowhere));
        let dividends = found(Table::Actions, "cash_amount,ex_dividend_date,ticker", None).unwrap();
        assert_eq!(dividends[4], ("dividend", ColumnSource::At(0)));
    }

    #[test]
    fn a_file_without_symbols_is_one_of_the_symbol_that_is_given() {
        let yahoo = "Date,Open,High,Low,Close,Adj Close,Volume";
        let places = found(Table::Prices, yahoo, Some("AAPL")).unwrap();
        assert_eq!(places[0], ("symbol", ColumnSource::Given("AAPL".parse().unwrap())));
        let error = found(Table::Prices, yahoo, None).unwrap_err();
        assert!(
            error.starts_with(
                "a.csv lacks the column symbol: expected a first line that names symbol, "
            ),
            "{error}"
        );
        assert!(error.ends_with(", volume, or --symbol"), "{error}");
        let error = found(Table::Stocks, yahoo, None).unwrap_err();
        assert!(error.ends_with("names symbol, name, exchange, currency"), "{error}");
        let error = found(Table::Prices, &format!("symbol,{yahoo}"), Some("AAPL")).unwrap_err();
        assert_eq!(error, "a.csv names the symbol of each row: leave --symbol out");
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_or_refused_without_a_panic(header in ".{0,60}", symbol in proptest::option::of("[A-Z]{1,5}")) {
            for table in [Table::Stocks, Table::Prices, Table::Actions] {
                let _ = found(table, &header, symbol.as_deref());
            }
        }
    }

    #[test]
    fn a_column_that_is_there_twice_is_named_with_both_its_names() {
        let header = "symbol,date,open,high,low,close,volume,adj_close,Adjusted Close";
        let error = found(Table::Prices, header, None).unwrap_err();
        let says = "a.csv has the column adjusted_close twice, as \"adj_close\" and \"Adjusted Close\": expected it once";
        assert_eq!(error, says);
    }
}
