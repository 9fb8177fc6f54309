//! Files of all three kinds, packed or not: each row goes to staging as one row that says the same,
//! or it is said where it is wrong.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use tickerd::feed::{CsvReader, Source, columns, stage};
use tickerd::store::{KnownStock, ReferenceData, Table};

fn reference_data() -> ReferenceData {
    let symbol = "AAPL".parse().expect("a symbol");
    let stock = KnownStock { id: 7, symbol, delisted_on: None };
    ReferenceData {
        stocks: [(symbol, stock)].into(),
        exchanges: ["NYSE".to_owned()].into(),
        ..ReferenceData::default()
    }
}

fn read(table: Table, data: &[u8], reference: &ReferenceData) {
    let source = Source {
        name: "file".to_owned(),
        length_bytes: None,
        raw: Box::new(Cursor::new(data.to_vec())),
    };
    let Ok(mut reader) = CsvReader::open(source, columns(table), None) else { return };
    let (mut out, mut good) =
        (csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new()), 0);
    let mut line_before = 1;
    while let Ok(Some(row)) = reader.next_row() {
        assert!(row.line > line_before, "each row has a line of its own");
        line_before = row.line;
        match stage(table, &row, reference, &mut out) {
            Ok(()) => good += 1,
            Err(error) => assert!(
                error.line == row.line && !error.expected.is_empty() && !error.column.is_empty()
            ),
        }
    }
    let staged = out.into_inner().expect("memory can be written to");
    let mut staged = csv::ReaderBuilder::new().has_headers(false).from_reader(&staged[..]);
    let staged: Vec<_> = staged.records().map(|row| row.expect("what is staged is CSV")).collect();
    assert_eq!(staged.len(), good);
    if table == Table::Prices {
        for row in staged {
            let number = |at: usize| row[at].parse::<f64>().expect("a number");
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
