//! Finds the columns of a file in its header, and lists those that are not read.

use csv::StringRecord;

use super::columns::{FeedColumn, normalized};
use super::error::FeedError;
use super::wide_table;
use crate::market::Symbol;

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

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Header {
    /// The wanted columns.
    pub sources: Vec<(&'static str, ColumnSource)>,
    /// The names of the columns that are not read.
    pub ignored: Vec<String>,
}

/// The symbol of all rows of a file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FileSymbol<'a> {
    /// The symbol that the operator gave.
    pub given: Option<Symbol>,
    /// The symbol that the file names outside of its rows, as written.
    pub named: Option<&'a str>,
}

/// Finds the source of each wanted column in a header.
///
/// # Errors
/// If a required column is missing, or a column occurs twice.
pub(super) fn find_columns(
    file: &str,
    names: &StringRecord,
    wanted: &[FeedColumn],
    symbol: FileSymbol<'_>,
    has_header_line: bool,
) -> Result<Header, FeedError> {
    let mut found: Vec<Option<usize>> = Vec::new();
    for column in wanted {
        found.push(find_called(file, names, column)?);
    }
    for (at, column) in wanted.iter().enumerate() {
        let is_free = |index: &usize| !found.contains(&Some(*index));
        let free = names.iter().enumerate().filter(|(index, _)| is_free(index));
        found[at] = found[at].or_else(|| column.find_fallback(free.clone()));
    }
    let mut sources = Vec::new();
    for (column, found) in wanted.iter().zip(&found) {
        let source = source(file, column, *found, symbol)?;
        if source == ColumnSource::Absent && column.is_required {
            return Err(missing_column(file, column, names, wanted, has_header_line));
        }
        sources.push((column.name, source));
    }
    let is_ignored = |(index, _): &(usize, &str)| !found.contains(&Some(*index));
    let ignored = names.iter().enumerate().filter(is_ignored);
    let ignored = ignored.map(|(index, name)| display_name(index, name)).collect();
    Ok(Header { sources, ignored })
}

/// The index of a column under its name or an alias.
fn find_called(
    file: &str,
    names: &StringRecord,
    column: &FeedColumn,
) -> Result<Option<usize>, FeedError> {
    let mut found = names.iter().enumerate().filter(|(_, name)| column.is_called(name));
    let first = found.next();
    if let (Some((_, first)), Some((_, second))) = (first, found.next()) {
        return Err(FeedError::DuplicateColumn {
            name: file.to_owned(),
            column: column.name,
            first: first.to_owned(),
            second: second.to_owned(),
        });
    }
    Ok(first.map(|(at, _)| at))
}

fn source(
    file: &str,
    column: &FeedColumn,
    found: Option<usize>,
    symbol: FileSymbol<'_>,
) -> Result<ColumnSource, FeedError> {
    let symbol = if column.option.is_some() { symbol } else { FileSymbol::default() };
    if let Some(at) = found {
        return match symbol.given {
            Some(_) => Err(FeedError::SymbolTwice { name: file.to_owned() }),
            None => Ok(ColumnSource::Field(at)),
        };
    }
    let named: Option<Symbol> = symbol.named.and_then(|named| named.parse().ok());
    let is_same = |named: Symbol, given: Symbol| {
        let same = |spelling: Symbol| (spelling == given).then_some(());
        named.find_spelled(same).is_some()
    };
    if let (Some(given), Some(named)) = (symbol.given, named)
        && !is_same(named, given)
    {
        return Err(FeedError::OtherSymbol { name: file.to_owned(), named, given });
    }
    Ok(symbol.given.or(named).map_or(ColumnSource::Absent, ColumnSource::Constant))
}

fn missing_column(
    file: &str,
    column: &FeedColumn,
    names: &StringRecord,
    wanted: &[FeedColumn],
    has_header_line: bool,
) -> FeedError {
    let name = file.to_owned();
    if let Some(stocks) = wide_table::stocks(names, wanted) {
        return FeedError::OneColumnAStock { name, stocks };
    }
    let required = wanted.iter().filter(|column| column.is_required).map(|column| column.name);
    let mut expected = required.collect::<Vec<_>>().join(", ");
    if let Some(option) = wanted.iter().find_map(|column| column.option) {
        expected = format!("{expected}, or {option}");
    }
    if has_header_line && is_row(names, wanted) {
        return FeedError::NoHeader { name, expected };
    }
    let place = if has_header_line { "a first line that names" } else { "records with" };
    FeedError::MissingColumn { name, column: column.name, expected: format!("{place} {expected}") }
}

/// Whether the first line of a file is a row: it has a number and no known name.
fn is_row(names: &StringRecord, wanted: &[FeedColumn]) -> bool {
    let is_known = |name: &str| wanted.iter().any(|column| column.is_called(name));
    let is_number = |name: &str| name.parse::<f64>().is_ok_and(f64::is_finite);
    !names.iter().any(is_known) && names.iter().any(is_number)
}

/// A column's name for messages.
fn display_name(index: usize, name: &str) -> String {
    match normalized(name).as_str() {
        "" => format!("column {}", index + 1),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::columns::columns;
    use crate::store::Table;

    fn header(table: Table, names: &str, given: Option<&str>) -> Result<Header, String> {
        let names = StringRecord::from(names.split(',').collect::<Vec<_>>());
        let given = given.map(|symbol| symbol.parse().unwrap());
        let symbol = FileSymbol { given, named: None };
        find_columns("a.csv", &names, columns(table), symbol, true)
            .map_err(|error| error.to_string())
    }

    fn found(
        table: Table,
        names: &str,
        given: Option<&str>,
    ) -> Result<Vec<(&'static str, ColumnSource)>, String> {
        header(table, names, given).map(|header| header.sources)
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
            "T,t,o,h,l,c,v,adjusted",
            "Name,,open,high,low,Close/Last,volume,adjusted",
        ] {
            let sources = found(Table::Prices, header, None).unwrap();
            let sources: Vec<_> = sources.into_iter().map(|(_, source)| source).take(8).collect();
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

    #[test]
    fn the_name_of_a_column_counts_before_what_may_stand_for_it() {
        let names = "symbol,Name,timestamp,date,open,high,low,close,volume,time,Adj Volume,";
        let header = header(Table::Prices, names, None).unwrap();
        let at = |name| header.sources.iter().find(|(column, _)| *column == name).unwrap().1;
        assert_eq!([at("symbol"), at("date")], [0, 3].map(ColumnSource::Field));
        assert_eq!(at("time"), ColumnSource::Field(9));
        assert_eq!(header.ignored, ["Name", "timestamp", "Adj Volume", "column 12"]);
    }

    #[test]
    fn a_file_without_a_header_is_named_as_such() {
        for line in ["SYM,20240102,187.15,188.44,183.89,185.64,82488700", "AAPL,2024-01-02,1,2"] {
            let error = found(Table::Prices, line, None).unwrap_err();
            assert!(error.starts_with("a.csv has no header: expected a first line"), "{error}");
        }
    }

    #[test]
    fn a_symbol_that_the_file_names_must_be_the_given_one() {
        let names = StringRecord::from(vec!["date", "open", "high", "low", "close", "volume"]);
        let symbol = |given: Option<&str>, named| {
            let symbol = FileSymbol { given: given.map(|text| text.parse().unwrap()), named };
            let header = find_columns("a.csv", &names, columns(Table::Prices), symbol, true);
            header.map(|header| header.sources[0].1).map_err(|error| error.to_string())
        };
        let constant = |text: &str| Ok(ColumnSource::Constant(text.parse().unwrap()));
        assert_eq!(symbol(None, Some("AAPL")), constant("AAPL"));
        assert_eq!(symbol(Some("BRK.B"), Some("BRK-B")), constant("BRK.B"));
        assert_eq!(symbol(Some("SPX"), Some("^GSPC")), constant("SPX"));
        let error = symbol(Some("MSFT"), Some("AAPL")).unwrap_err();
        assert!(error.contains("is of AAPL, not of MSFT"), "{error}");
        assert!(symbol(None, Some("^GSPC")).unwrap_err().ends_with("or --symbol"));
    }
}
