//! The columns of each kind of file, under the names that common vendors use.

use csv::StringRecord;

use super::FeedError;
use crate::market::Symbol;
use crate::store::Table;

/// A column that a kind of file has.
pub struct FeedColumn {
    /// Its name here and in messages.
    pub name: &'static str,
    /// Its names in files of other vendors, as [`normalized`].
    aliases: &'static [&'static str],
    is_required: bool,
    /// The command-line option that replaces the column.
    option: Option<&'static str>,
}

/// The source of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnSource {
    /// The field of each row at this index.
    Field(usize),
    /// This symbol for all rows, because the file has no such column.
    Constant(Symbol),
    /// The file has no such column.
    Absent,
}

const fn required(name: &'static str, aliases: &'static [&'static str]) -> FeedColumn {
    FeedColumn { name, aliases, is_required: true, option: None }
}

const fn optional(name: &'static str, aliases: &'static [&'static str]) -> FeedColumn {
    FeedColumn { name, aliases, is_required: false, option: None }
}

const SYMBOL: FeedColumn = required("symbol", &["ticker", "code"]);
const SYMBOL_OR_OPTION: FeedColumn = FeedColumn { option: Some("--symbol"), ..SYMBOL };

const STOCKS: &[FeedColumn] = &[
    SYMBOL,
    required("name", &["company", "companyname", "securityname"]),
    required("exchange", &["exchangecode", "primaryexchange", "exchangeshortname"]),
    required("currency", &["currencycode", "currencyname", "currencysymbol"]),
    optional("sector", &["gicssector"]),
    optional("industry", &["gicsindustry"]),
    optional("market_cap", &["marketcapitalization"]),
    optional("type", &["instrumenttype", "securitytype", "assettype"]),
    optional("country", &["countrycode", "countryiso"]),
    optional("isin", &[]),
    optional("cusip", &[]),
    optional("figi", &["compositefigi", "openfigi", "figicode"]),
    optional("cik", &["cikcode"]),
];

/// `closeadj` is not an alias of `adjusted_close`: files with that column have no raw close under
/// `close`.
const PRICES: &[FeedColumn] = &[
    SYMBOL_OR_OPTION,
    required("date", &["timestamp", "tradedate"]),
    required("open", &[]),
    required("high", &[]),
    required("low", &[]),
    required("close", &[]),
    required("volume", &["vol"]),
    optional("adjusted_close", &["adjclose"]),
];

/// The columns `from_factor`, `to_factor` and `ratio` are read so that they can be refused.
const ACTIONS: &[FeedColumn] = &[
    SYMBOL_OR_OPTION,
    required(
        "ex_date",
        &["exdividenddate", "executiondate", "effectivedate", "exeffdate", "exoreffdate", "date"],
    ),
    optional("split_from", &["denominator", "oldrate"]),
    optional("split_to", &["numerator", "newrate"]),
    optional(
        "split",
        &["splits", "stocksplit", "stocksplits", "splitfactor", "splitratio", "splitcoefficient"],
    ),
    optional("from_factor", &[]),
    optional("to_factor", &[]),
    optional("ratio", &[]),
    optional(
        "dividend",
        &[
            "dividends",
            "dividendamount",
            "cashamount",
            "cashdividend",
            "divcash",
            "exdividend",
            "unadjustedvalue",
            "amount",
        ],
    ),
    optional("kind", &[]),
    optional("type", &["dividendtype", "distributiontype", "adjustmenttype", "actiontype"]),
    optional("currency", &["currencycode", "dividendcurrency"]),
    optional("declaration_date", &["declareddate", "announcementdate"]),
    optional("record_date", &[]),
    optional("pay_date", &["paymentdate", "payabledate"]),
    optional("frequency", &["dividendfrequency"]),
];

/// The columns of a file of this kind.
pub fn columns(table: Table) -> &'static [FeedColumn] {
    match table {
        Table::Stocks => STOCKS,
        Table::Prices => PRICES,
        Table::Actions => ACTIONS,
    }
}

/// Finds the source of each wanted column in a header. `symbol` is the constant for the symbol of a
/// file without that column.
///
/// # Errors
/// If a required column is missing, or a column occurs twice.
pub(super) fn find_columns(
    file: &str,
    header: &StringRecord,
    wanted: &[FeedColumn],
    symbol: Option<Symbol>,
) -> Result<Vec<(&'static str, ColumnSource)>, FeedError> {
    let source = |column: &FeedColumn| {
        let source = find_column(file, header, column, symbol)?;
        if source == ColumnSource::Absent && column.is_required {
            return Err(missing_column(file, column, wanted));
        }
        Ok((column.name, source))
    };
    wanted.iter().map(source).collect()
}

fn find_column(
    file: &str,
    header: &StringRecord,
    column: &FeedColumn,
    symbol: Option<Symbol>,
) -> Result<ColumnSource, FeedError> {
    let mut found = header.iter().enumerate().filter(|(_, name)| column.is_called(name));
    let first = found.next();
    if let (Some((_, first)), Some((_, second))) = (first, found.next()) {
        return Err(FeedError::DuplicateColumn {
            name: file.to_owned(),
            column: column.name,
            first: first.to_owned(),
            second: second.to_owned(),
        });
    }
    match (first, symbol.filter(|_| column.option.is_some())) {
        (Some(_), Some(_)) => Err(FeedError::SymbolTwice { name: file.to_owned() }),
        (Some((at, _)), None) => Ok(ColumnSource::Field(at)),
        (None, Some(symbol)) => Ok(ColumnSource::Constant(symbol)),
        (None, None) => Ok(ColumnSource::Absent),
    }
}

fn missing_column(file: &str, column: &FeedColumn, wanted: &[FeedColumn]) -> FeedError {
    let required = wanted.iter().filter(|column| column.is_required).map(|column| column.name);
    let mut expected = required.collect::<Vec<_>>().join(", ");
    if let Some(option) = column.option {
        expected = format!("{expected}, or {option}");
    }
    FeedError::MissingColumn { name: file.to_owned(), column: column.name, expected }
}

impl FeedColumn {
    fn is_called(&self, name: &str) -> bool {
        let name = normalized(name);
        name == normalized(self.name) || self.aliases.contains(&name.as_str())
    }
}

/// A column's name without the differences between vendors: case, spaces, underscores, brackets, a
/// byte order mark.
fn normalized(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
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
        find_columns("a.csv", &header, columns(table), symbol).map_err(|error| error.to_string())
    }

    #[test]
    fn column_names_of_common_vendors_are_found_in_any_order_and_case() {
        let ours = "symbol,date,open,high,low,close,volume,adjusted_close";
        let in_order: Vec<_> = (0..8).map(ColumnSource::Field).collect();
        for header in [
            ours,
            "\u{feff}Ticker,Date,Open,High,Low,Close,Volume,Adj Close",
            "code,timestamp,open,high,low,close,volume,Adjusted_close",
            "<TICKER>,<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,adjClose",
        ] {
            let sources = found(Table::Prices, header, None).unwrap();
            let sources: Vec<_> = sources.into_iter().map(|(_, source)| source).collect();
            assert_eq!(sources, in_order, "{header}");
        }
        // Tiingo: more columns than wanted.
        let header = "ticker,date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,\
                      adjVolume,divCash,splitFactor";
        let prices = found(Table::Prices, header, None).unwrap();
        let sources: Vec<_> = prices[2..6].iter().map(|(_, source)| *source).collect();
        assert_eq!(sources, [5, 3, 4, 2].map(ColumnSource::Field));
        // Polygon: splits and dividends in files of their own.
        let splits =
            found(Table::Actions, "execution_date,split_from,split_to,ticker", None).unwrap();
        assert!(splits.contains(&("dividend", ColumnSource::Absent)));
        let dividends = found(Table::Actions, "cash_amount,ex_dividend_date,ticker", None).unwrap();
        assert!(dividends.contains(&("dividend", ColumnSource::Field(0))));
    }

    #[test]
    fn the_symbol_option_replaces_a_missing_column() {
        let yahoo = "Date,Open,High,Low,Close,Adj Close,Volume";
        let sources = found(Table::Prices, yahoo, Some("AAPL")).unwrap();
        assert_eq!(sources[0], ("symbol", ColumnSource::Constant("AAPL".parse().unwrap())));
        let error = found(Table::Prices, yahoo, None).unwrap_err();
        let says = "a.csv lacks the column symbol: expected a first line that names symbol, ";
        assert!(error.starts_with(says), "{error}");
        assert!(error.ends_with(", volume, or --symbol"), "{error}");
        let error = found(Table::Stocks, yahoo, None).unwrap_err();
        assert!(error.ends_with("names symbol, name, exchange, currency"), "{error}");
        let error = found(Table::Prices, &format!("symbol,{yahoo}"), Some("AAPL")).unwrap_err();
        assert_eq!(error, "a.csv names the symbol of each row: leave --symbol out");
    }

    proptest::proptest! {
        #[test]
        fn reading_any_header_does_not_panic(
            header in ".{0,60}", symbol in proptest::option::of("[A-Z]{1,5}")
        ) {
            for table in [Table::Stocks, Table::Prices, Table::Actions] {
                let _ = found(table, &header, symbol.as_deref());
            }
        }
    }

    #[test]
    fn a_duplicate_column_is_reported_with_both_of_its_names() {
        let header = "symbol,date,open,high,low,close,volume,adj_close,Adjusted Close";
        let error = found(Table::Prices, header, None).unwrap_err();
        let says = "a.csv has the column adjusted_close twice, as \"adj_close\" and \
                    \"Adjusted Close\": expected it once";
        assert_eq!(error, says);
    }
}
