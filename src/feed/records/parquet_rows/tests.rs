use std::sync::Arc;

use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;

/// A column of a file: each value, or `None` for null.
enum Column {
    Int32(Vec<Option<i32>>),
    Int64(Vec<Option<i64>>),
    Float(Vec<Option<f32>>),
    Double(Vec<Option<f64>>),
    Text(Vec<Option<&'static str>>),
}

/// A file with these optional columns, compressed with snappy.
fn file(schema: &str, columns: Vec<Column>) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message rows {{ {schema} }}")).unwrap());
    let compression = parquet::basic::Compression::SNAPPY;
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for column in columns {
        let mut writer = group.next_column().unwrap().unwrap();
        match column {
            Column::Int32(values) => write::<Int32Type>(&mut writer, values),
            Column::Int64(values) => write::<Int64Type>(&mut writer, values),
            Column::Float(values) => write::<FloatType>(&mut writer, values),
            Column::Double(values) => write::<DoubleType>(&mut writer, values),
            Column::Text(values) => {
                let values = values.into_iter().map(|text| text.map(ByteArray::from)).collect();
                write::<ByteArrayType>(&mut writer, values);
            }
        }
        writer.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

fn write<T: DataType>(
    writer: &mut parquet::file::writer::SerializedColumnWriter<'_>,
    values: Vec<Option<T::T>>,
) {
    let levels: Vec<_> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<_> = values.into_iter().flatten().collect();
    writer.typed::<T>().write_batch(&values, Some(&levels), None).unwrap();
}

fn rows(bytes: &[u8]) -> Result<(String, Vec<String>), String> {
    let Opened { names, mut rows, .. } =
        ParquetRows::open("x", bytes).map_err(|error| error.to_string())?;
    let (mut record, mut lines) = (StringRecord::new(), Vec::new());
    while let Some(line) = rows.read(&mut record).map_err(|error| error.to_string())? {
        lines.push(format!("{line}: {}", record.iter().collect::<Vec<_>>().join(",")));
    }
    Ok((names.iter().collect::<Vec<_>>().join(","), lines))
}

#[test]
fn values_of_every_type_are_read_as_csv_has_them() {
    let schema = "OPTIONAL BYTE_ARRAY symbol (UTF8); OPTIONAL INT32 day (DATE);
                  OPTIONAL INT64 ns (TIMESTAMP(NANOS, true)); OPTIONAL INT64 ms (TIMESTAMP_MILLIS);
                  OPTIONAL FLOAT open; OPTIONAL DOUBLE close; OPTIONAL INT64 volume;
                  OPTIONAL INT32 cents (DECIMAL(6, 2));";
    // Before 1970 and before 2001, where the counts have fewer digits.
    let columns = vec![
        Column::Text(vec![Some("AAPL"), Some("IBM"), None]),
        Column::Int32(vec![Some(19_724), Some(-1), None]),
        Column::Int64(vec![Some(1_704_171_600_000_000_000), Some(-86_400_000_000_000), None]),
        Column::Int64(vec![Some(1_704_153_600_000), Some(86_400_000), None]),
        Column::Float(vec![Some(20.1), Some(0.00005), None]),
        Column::Double(vec![Some(20.5), Some(1e15), None]),
        Column::Int64(vec![Some(9_007_199_254_740_993), Some(0), None]),
        Column::Int32(vec![Some(2050), Some(5), None]),
    ];
    let (names, lines) = rows(&file(schema, columns)).unwrap();
    assert_eq!(names, "symbol,day,ns,ms,open,close,volume,cents");
    assert_eq!(
        lines,
        [
            "1: AAPL,2024-01-02,2024-01-02T05:00:00Z,2024-01-02T00:00:00Z,20.1,20.5,\
             9007199254740993,20.50",
            "2: IBM,1969-12-31,1969-12-31T00:00:00Z,1970-01-02T00:00:00Z,0.00005,\
             1000000000000000,0,0.05",
            "3: ,,,,,,,",
        ]
    );
}

#[test]
fn a_file_that_is_cut_or_changed_is_an_error() {
    let values = (0..1000).map(|n| Some(f64::from(n) / 7.0)).collect();
    let bytes = file("OPTIONAL DOUBLE close;", vec![Column::Double(values)]);
    assert_eq!(rows(&bytes).unwrap().1.len(), 1000);
    for length in [bytes.len() - 1, bytes.len() / 2, 8] {
        let error = rows(&bytes[..length]).unwrap_err();
        assert!(error.starts_with("x is not Parquet that can be loaded: "), "{error}");
    }
}
