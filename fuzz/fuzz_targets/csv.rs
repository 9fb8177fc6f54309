//! Files of all three kinds, CSV or JSON, compressed or not. Each valid row becomes one staged row;
//! each invalid row gives an error with its line and column.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use tickerd::feed::{FeedReader, FileHints, Source, columns, stage};
use tickerd::store::{KnownStock, ReferenceData, StagedRows, Table};

fn reference_data() -> ReferenceData {
    let symbol = "AAPL".parse().expect("a symbol");
    let zone = chrono_tz::America::New_York;
    let stock =
        KnownStock { id: 7, symbol, zone, may_be_in_us: true, delisted_on: None, calendar: None };
    ReferenceData {
        stocks: [(symbol, stock)].into(),
        exchanges: [("NYSE".to_owned(), "NYSE".to_owned())].into(),
        ..ReferenceData::default()
    }
}

fn read(table: Table, data: &[u8], reference: &ReferenceData) {
    let source = Source {
        name: "file".to_owned(),
        length_bytes: None,
        raw: Box::new(Cursor::new(data.to_vec())),
    };
    let reader = FeedReader::open(source, columns(table), FileHints::default());
    let Ok(mut reader) = reader else { return };
    let mut out = StagedRows::new(table);
    let mut valid = 0;
    let mut previous_line = 1;
    while let Ok(Some(row)) = reader.next_row() {
        assert!(row.line > previous_line, "line numbers increase");
        previous_line = row.line;
        match stage(table, &row, reference, &mut out) {
            Ok(notes) => valid += usize::from(!notes.has_no_prices),
            Err(error) => assert!(
                error.line == row.line && !error.expected.is_empty() && !error.column.is_empty()
            ),
        }
    }
    let staged = out.rows();
    assert_eq!(staged.len(), valid);
    if table == Table::Prices {
        for row in staged {
            let number = |column: usize| {
                let bytes = row[column].expect("a price").try_into().expect("eight bytes");
                f64::from_be_bytes(bytes)
            };
            let [open, high, low, close] = [3, 4, 5, 6].map(number);
            assert!(
                low > 0.0 && low <= open.min(close) && open.max(close) <= high && high.is_finite()
            );
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let reference = reference_data();
    for table in [Table::Stocks, Table::Prices, Table::Actions] {
        read(table, data, &reference);
    }
});
