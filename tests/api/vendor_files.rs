//! Files as vendors and tools write them: each form is loaded without editing, and is stored as
//! expected.

use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::support::{CommandOutput, Database, Files};

const STOCKS: &str = "symbol,name,exchange,currency\n\
                      VNA,Vendor A,NYSE,USD\nVNB,Vendor B,NASDAQ,USD\nVN.C,Vendor C,NYSE,USD\n";

/// The stored bars, each as `symbol date open high low close adjusted_close volume`.
const BARS: &str =
    "SELECT concat_ws(' ', symbol, date, open, high, low, close, adjusted_close, volume)
     FROM prices JOIN stocks ON id = stock_id ORDER BY symbol, date";

/// A file of one vendor.
struct VendorFile {
    vendor: &'static str,
    /// The arguments after the file.
    arguments: &'static [&'static str],
    text: &'static str,
    bars: &'static [&'static str],
}

const VENDOR_FILES: [VendorFile; 26] = [
    VendorFile {
        vendor: "yfinance: history and to_csv",
        arguments: &["--symbol", "VNA"],
        text: "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n\
               2023-03-10 00:00:00-05:00,20.1,20.9,19.8,20.5,51200,0.0,0.0\n\
               2023-03-13 00:00:00-04:00,20.5,21.0,20.25,20.75,48100,0.0,0.0\n",
        bars: &[
            "VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200",
            "VNA 2023-03-13 20.5 21 20.25 20.75 20.75 48100",
        ],
    },
    VendorFile {
        vendor: "yfinance: download",
        arguments: &[],
        text: "Price,Adj Close,Close,High,Low,Open,Volume\n\
               Ticker,VNA,VNA,VNA,VNA,VNA,VNA\nDate,,,,,,\n\
               2023-03-10,20.25,20.5,20.9,19.8,20.1,51200\n",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.25 51200"],
    },
    VendorFile {
        vendor: "Yahoo: the page's download, with days without prices",
        arguments: &["--symbol", "VNA"],
        text: "Date,Open,High,Low,Close,Adj Close,Volume\n\
               2023-03-09,null,null,null,null,null,null\n\
               2023-03-10,20.1,20.9,19.8,20.5,20.25,51200\n",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.25 51200"],
    },
    VendorFile {
        vendor: "Stooq: the page's download",
        arguments: &["--symbol", "VNA"],
        text: "Date,Open,High,Low,Close,Volume\r\n2023-03-10,20.1,20.9,19.8,20.5,51200\r\n",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200"],
    },
    VendorFile {
        vendor: "Stooq: the database",
        arguments: &[],
        text: "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n\
               VNA.US,D,20230310,000000,20.1,20.9,19.8,20.5,51200.4,0\n\
               VN-C.US,D,20230310,000000,4,5,3,4.5,10,0\n",
        bars: &[
            "VN.C 2023-03-10 4 5 3 4.5 4.5 10",
            "VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200",
        ],
    },
    VendorFile {
        vendor: "nasdaq.com",
        arguments: &["--symbol", "VNB"],
        text: "Date,Close/Last,Volume,Open,High,Low\n\
               08/14/2023,$1020.50,51200,$1020.10,\"$1,020.90\",$1019.80\n\
               08/11/2023,$1020.25,51100,$1020.10,\"$1,020.90\",$1019.80\n",
        bars: &[
            "VNB 2023-08-11 1020.1 1020.9 1019.8 1020.25 1020.25 51100",
            "VNB 2023-08-14 1020.1 1020.9 1019.8 1020.5 1020.5 51200",
        ],
    },
    VendorFile {
        vendor: "Tiingo",
        arguments: &["--symbol", "VNA"],
        text: "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,\
               splitFactor\n\
               2023-03-10T00:00:00.000Z,20.5,20.9,19.8,20.1,51200,20.25,20.65,19.5,19.9,51200,0.0,\
               1.0\n",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.25 51200"],
    },
    VendorFile {
        vendor: "EODHD",
        arguments: &["--symbol", "VNA"],
        text: "Date,Open,High,Low,Close,Adjusted_close,Volume\n\
               2023-03-10,20.1,20.9,19.8,20.5,20.25,51200\n",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.25 51200"],
    },
    VendorFile {
        vendor: "Massive: flat files, in winter and in summer",
        arguments: &[],
        text: "ticker,volume,open,close,high,low,window_start,transactions\n\
               VNA,51200,20.1,20.5,20.9,19.8,1678424400000000000,812\n\
               VNB,99.5,3.21,3.2,3.25,3.19,1678680000000000000,5\n",
        bars: &[
            "VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200",
            "VNB 2023-03-13 3.21 3.25 3.19 3.2 3.2 100",
        ],
    },
    VendorFile {
        vendor: "Massive: REST, bars of one stock",
        arguments: &[],
        text: "{\"ticker\":\"VNA\",\"adjusted\":false,\"queryCount\":1,\"resultsCount\":1,\
               \"results\":[{\"v\":51200,\"vw\":20.3,\"o\":20.1,\"c\":20.5,\"h\":20.9,\"l\":19.8,\
               \"t\":1678424400000,\"n\":812}],\"status\":\"OK\"}",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200"],
    },
    VendorFile {
        vendor: "Massive: REST, the market on a day, whose time is the regular or an early close",
        arguments: &[],
        text: "{\"adjusted\":false,\"results\":[{\"T\":\"VNB\",\"v\":5.12e4,\"vw\":20.3,\"o\":20.1,\
               \"c\":20.5,\"h\":20.9,\"l\":19.8,\"t\":1678482000000,\"n\":812},\
               {\"T\":\"VNB\",\"v\":9,\"o\":21,\"c\":21,\"h\":21,\"l\":21,\"t\":1700848800000}]}",
        bars: &["VNB 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200", "VNB 2023-11-24 21 21 21 21 21 9"],
    },
    VendorFile {
        vendor: "Python: json.dumps with NaN",
        arguments: &[],
        text: "[{\"symbol\":\"VNB\",\"date\":\"2023-03-09\",\"open\":NaN,\"high\":NaN,\"low\":NaN,\
               \"close\":NaN,\"volume\":0},\n{\"symbol\":\"VNB\",\"date\":\"2023-03-10\",\
               \"open\":20.1,\"high\":20.9,\"low\":19.8,\"close\":20.5,\"volume\":51200,\
               \"vwap\":NaN}]",
        bars: &["VNB 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200"],
    },
    VendorFile {
        vendor: "NDJSON with a field that only a later record has",
        arguments: &[],
        text: "{\"symbol\":\"VNA\",\"date\":\"2023-03-09\",\"open\":20.1,\"high\":20.9,\
               \"low\":19.8,\"close\":20.5,\"volume\":51200}\n\
               {\"symbol\":\"VNA\",\"date\":\"2023-03-10\",\"open\":20.1,\"high\":20.9,\
               \"low\":19.8,\"close\":20.5,\"volume\":51200,\"vwap\":20.3}\n",
        bars: &[
            "VNA 2023-03-09 20.1 20.9 19.8 20.5 20.5 51200",
            "VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200",
        ],
    },
    VendorFile {
        vendor: "Alpaca: CSV of alpaca-py",
        arguments: &[],
        text: "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\n\
               VNA,2023-03-10 05:00:00+00:00,20.1,20.9,19.8,20.5,51200,900,20.3\n\
               VNA,2023-03-13 04:00:00+00:00,20.1,20.9,19.8,20.5,51300.0,900,20.3\n",
        bars: &[
            "VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200",
            "VNA 2023-03-13 20.1 20.9 19.8 20.5 20.5 51300",
        ],
    },
    VendorFile {
        vendor: "Alpaca: REST",
        arguments: &[],
        text: "{\"bars\":{\"VNA\":[{\"c\":20.5,\"h\":20.9,\"l\":19.8,\"n\":9,\"o\":20.1,\
               \"t\":\"2023-03-10T05:00:00Z\",\"v\":51200,\"vw\":20.3}],\
               \"VN/C\":[{\"c\":4.5,\"h\":5,\"l\":3,\"n\":9,\"o\":4,\
               \"t\":\"2023-03-10T05:00:00Z\",\"v\":10,\"vw\":4}]},\"next_page_token\":null}",
        bars: &[
            "VN.C 2023-03-10 4 5 3 4.5 4.5 10",
            "VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200",
        ],
    },
    VendorFile {
        vendor: "Alpha Vantage",
        arguments: &["--symbol", "VNA"],
        text: "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,\
               split_coefficient\r\n2023-03-10,20.1,20.9,19.8,20.5,20.25,51200,0.0000,1.0\r\n",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.25 51200"],
    },
    VendorFile {
        vendor: "Nasdaq Data Link: WIKI",
        arguments: &[],
        text: "ticker,date,open,high,low,close,volume,ex-dividend,split_ratio,adj_open,adj_high,\
               adj_low,adj_close,adj_volume\n\
               VNA,2017-03-10,20.1,20.9,19.8,20.5,51200.0,0.0,1.0,19.9,20.65,19.5,20.25,51200.0\n",
        bars: &["VNA 2017-03-10 20.1 20.9 19.8 20.5 20.25 51200"],
    },
    VendorFile {
        vendor: "Twelve Data: CSV",
        arguments: &["--symbol", "VNA"],
        text: "datetime;open;high;low;close;volume\n\
               2023-03-10;20.10000;20.90000;19.80000;20.50000;51200\n",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200"],
    },
    VendorFile {
        vendor: "Twelve Data: JSON",
        arguments: &[],
        text: "{\"meta\":{\"symbol\":\"VNA\",\"interval\":\"1day\",\"currency\":\"USD\",\
               \"exchange\":\"NYSE\"},\"values\":[{\"datetime\":\
               \"2023-03-10\",\"open\":\"20.10000\",\"high\":\"20.90000\",\"low\":\"19.80000\",\
               \"close\":\"20.50000\",\"volume\":\"51200\"}],\"status\":\"ok\"}",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200"],
    },
    VendorFile {
        vendor: "marketstack",
        arguments: &[],
        text: "{\"pagination\":{\"limit\":100,\"total\":1},\"data\":[{\"open\":20.1,\"high\":20.9,\
               \"low\":19.8,\"close\":20.5,\"volume\":51200.0,\"adj_high\":20.65,\"adj_low\":19.5,\
               \"adj_close\":20.25,\"adj_open\":19.9,\"adj_volume\":51200.0,\"split_factor\":1.0,\
               \"dividend\":0.0,\"symbol\":\"VNA\",\"exchange\":\"XNYS\",\
               \"date\":\"2023-03-10T00:00:00+0000\"}]}",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.25 51200"],
    },
    VendorFile {
        vendor: "Kaggle: S&P 500",
        arguments: &[],
        text: "date,open,high,low,close,volume,Name\n\
               2017-03-09,,,,,51100,VNA\n2017-03-10,20.1,20.9,19.8,20.5,51200,VNA\n",
        bars: &["VNA 2017-03-10 20.1 20.9 19.8 20.5 20.5 51200"],
    },
    VendorFile {
        vendor: "R: tidyquant",
        arguments: &[],
        text: "\"symbol\",\"date\",\"open\",\"high\",\"low\",\"close\",\"volume\",\"adjusted\"\n\
               \"VNA\",2023-03-09,NA,NA,NA,NA,NA,NA\n\
               \"VNA\",2023-03-10,20.1,20.9,19.8,20.5,51200,20.25\n",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.25 51200"],
    },
    VendorFile {
        vendor: "R: quantmod",
        arguments: &[],
        text: "\"Index\",\"VNA.Open\",\"VNA.High\",\"VNA.Low\",\"VNA.Close\",\"VNA.Volume\",\
               \"VNA.Adjusted\"\n2023-03-10,20.1,20.9,19.8,20.5,51200,20.25\n",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.25 51200"],
    },
    VendorFile {
        vendor: "backtesting.py: its samples",
        arguments: &["--symbol", "VNB"],
        text: ",Open,High,Low,Close,Volume\n2004-08-19,100,104.06,95.96,100.34,22351900\n",
        bars: &["VNB 2004-08-19 100 104.06 95.96 100.34 100.34 22351900"],
    },
    VendorFile {
        vendor: "pandas: to_csv with an index and small numbers",
        arguments: &[],
        text: ",symbol,date,open,high,low,close,volume\n\
               0,vna,2023-03-10 00:00:00,5e-05,6.5e-05,4e-05,5e-05,1.2345678e+07\n",
        bars: &["VNA 2023-03-10 5e-05 6.5e-05 4e-05 5e-05 5e-05 12345678"],
    },
    VendorFile {
        vendor: "tabs, and volumes with separated thousands",
        arguments: &[],
        text: "symbol\tdate\topen\thigh\tlow\tclose\tvolume\n\
               VNA\t2023/03/10\t20.1\t20.9\t19.8\t20.5\t1,251,200\n",
        bars: &["VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 1251200"],
    },
];

async fn with_stocks(files: &Files) -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let stocks = files.write("stocks.csv", STOCKS);
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    database
}

#[tokio::test]
async fn the_file_of_each_vendor_is_stored_to_the_digit() {
    let files = Files::new();
    let database = with_stocks(&files).await;
    for VendorFile { vendor, arguments, text, bars } in VENDOR_FILES {
        let file = files.write("prices", text);
        let output = database.output(&[&["ingest", "prices", &file, "--json"], arguments].concat());
        assert_eq!(output.code, Some(0), "{vendor}: {output:?}");
        assert_eq!(database.texts(BARS).await, bars, "{vendor}");
        // The same file again changes nothing.
        let report =
            database.output(&[&["ingest", "prices", &file, "--json"], arguments].concat()).json();
        assert_eq!(report["unchanged"], bars.len(), "{vendor}: {report}");
        let forget = "WITH gone AS (DELETE FROM prices RETURNING 1),
                      computed AS (UPDATE stocks SET computes_adjusted_close = false RETURNING 1)
                      SELECT count(*)::text FROM gone";
        assert_eq!(database.texts(forget).await, [bars.len().to_string()], "{vendor}");
    }
}

#[tokio::test]
async fn what_a_load_did_not_take_as_written_is_reported() {
    let files = Files::new();
    let database = with_stocks(&files).await;
    let text = "date,open,high,low,close,adjusted,volume,trades,Stock Splits,Dividends,Turnover\n\
                01/30/2024,10,12,9,11,11,99.5,7,0,0.25,10.5\n\
                01/31/2024,10,12,9,11,11,100,7.5,2,0,10.5\n\
                01/31/2024,10,12,9,11,11,100,7.5,2,0,10.5\n\
                02/01/2024,,,,,,,,,,\n";
    let file = files.write("prices.csv", text);
    let arguments = ["ingest", "prices", &file, "--symbol", "VNA"];
    let output = database.output(&arguments);
    let lines: Vec<_> = output.stderr.lines().skip(1).map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "dates are read as MM/DD/YYYY, the only order that all of them fit",
            "prices were taken as traded, but those of Yahoo are adjusted for splits: use \
             --prices-are split-adjusted",
            "1 rows without prices are no bars",
            "1 volumes with a fraction were rounded",
            "2 numbers of trades with a fraction were rounded",
            "1 rows repeat an earlier one exactly",
            "2 rows have a split, which is not loaded: use ingest actions",
            "1 rows have a dividend, which is not loaded: use ingest actions",
            "ignored columns: Turnover",
        ],
        "{output:?}"
    );
    let report = database.output(&[&arguments[..], &["--json"]].concat()).json();
    for (field, value) in [
        ("unchanged", 2.into()),
        ("ignoredColumns", serde_json::json!(["Turnover"])),
        ("rowsWithoutPrices", 1.into()),
        ("roundedVolumes", 1.into()),
        ("roundedTrades", 2.into()),
        ("identicalRows", 1.into()),
        ("rowsWithSplits", 2.into()),
        ("rowsWithDividends", 1.into()),
        ("skipped", serde_json::Value::Null),
    ] {
        assert_eq!(report[field], value, "{field}: {report}");
    }
    // The file's adjusted closes are not read on request, and this is said too.
    let computed = [&arguments[..], &["--adjusted-close", "computed", "--yes", "--json"]].concat();
    let report = database.output(&computed).json();
    assert_eq!(report["ignoredColumns"], serde_json::json!(["Turnover", "adjusted"]));
}

/// A bar of VNA in Twelve Data's JSON, with further fields of `meta`.
fn twelve_data(meta: &str) -> String {
    let values = r#"[{"datetime":"2024-01-02","open":"1","high":"2","low":"1","close":"1",
                      "volume":"5"}]"#;
    format!(r#"{{"meta":{{"symbol":"VNA",{meta}}},"values":{values},"status":"ok"}}"#)
}

/// NDJSON whose last record, after all those that are read ahead, has one more field.
fn ndjson_with_late_field(field: &str) -> String {
    let record = |close: usize| {
        format!(
            "{{\"symbol\":\"VNA\",\"date\":\"2024-01-02\",\"open\":1,\"high\":9999,\"low\":1,\
             \"close\":{close},\"volume\":5"
        )
    };
    let rows: String = (1..1002).map(|_| record(1) + "}\n").collect();
    format!("{rows}{},\"{field}\":2}}\n", record(1))
}

#[tokio::test]
async fn a_field_of_late_records_that_is_not_read_is_reported() {
    let files = Files::new();
    let database = with_stocks(&files).await;
    let file = files.write("prices.ndjson", ndjson_with_late_field("mood"));
    let report = database.output(&["ingest", "prices", &file, "--json"]).json();
    assert_eq!(report["ignoredColumns"], serde_json::json!(["mood"]), "{report}");
    assert_eq!(report["identicalRows"], 1001, "{report}");
}

#[tokio::test]
async fn prices_that_a_vendor_adjusts_for_splits_are_named_in_the_report() {
    let files = Files::new();
    let database = with_stocks(&files).await;
    for (vendor, symbol, text) in [
        ("Yahoo", None, "Index,VNA.Open,VNA.High,VNA.Low,VNA.Close,VNA.Volume,VNA.Adjusted"),
        ("Twelve Data", Some("VNA"), "datetime;open;high;low;close;volume"),
    ] {
        let mark = if text.contains(';') { ";" } else { "," };
        let fields = ["2023-03-10", "20.1", "20.9", "19.8", "20.5", "51200", "20.5"];
        let row = fields[..text.split(mark).count()].join(mark);
        let file = files.write("prices.csv", format!("{text}\n{row}\n"));
        let symbol = symbol.map_or(vec![], |symbol| vec!["--symbol", symbol]);
        let load = [&["ingest", "prices", &file, "--json", "--yes"], &symbol[..]].concat();
        let report = database.output(&load).json();
        let note = report["notes"][0].as_str().unwrap_or_default();
        assert!(note.contains(&format!("those of {vendor} are adjusted for splits")), "{report}");
    }
    let file = files.write("prices.json", twelve_data("\"interval\":\"1day\""));
    let report = database.output(&["ingest", "prices", &file, "--json"]).json();
    let note = report["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains("those of Twelve Data are adjusted for splits"), "{report}");
}

#[tokio::test]
async fn ex_dates_in_the_next_centuries_are_refused() {
    let files = Files::new();
    let database = with_stocks(&files).await;
    let file = files.write("actions.csv", "symbol,ex_date,dividend\nVNA,2924-03-05,1\n");
    let output = database.output(&["ingest", "actions", &file]);
    let says = "in ten years, found \"2924-03-05\"";
    assert!(output.code == Some(1) && output.stderr.contains(says), "{output:?}");
}

#[tokio::test]
async fn a_doubtful_file_is_refused_with_a_sentence() {
    let files = Files::new();
    let database = with_stocks(&files).await;
    let header = "symbol,date,open,high,low,close,volume";
    for (text, sentence) in [
        (
            format!("{header}\nVNA,03/04/2024,1,2,1,1,5\n"),
            "the dates of FILE have two meanings (\"03/04/2024\"): expected --dates mdy if the \
             month comes first, or --dates dmy",
        ),
        (
            format!("{header}\nVNA,01/31/2024,1,2,1,1,5\nVNA,31/01/2024,1,2,1,1,5\n"),
            "line 3, column date: expected a date as MM/DD/YYYY, the order of all other dates of \
             the file",
        ),
        (
            format!("{header}\nVNA,2024-01-02 09:30:00-05:00,1,2,1,1,5\n"),
            "expected a date, or a time that is midnight as written or at the exchange \
             (America/New_York)",
        ),
        (
            format!("{header}\nVNpC,2024-01-02,1,2,1,1,5\n"),
            "column symbol: expected a known symbol",
        ),
        (format!("{header}\nVnA,2024-01-02,1,2,1,1,5\n"), "vendors tell stocks apart by case"),
        (format!("{header}\nVNA,2024-01-02,,2,1,1,5\n"), "column open: expected a number"),
        (format!("{header}\nVNA,2024-01-02,\"1,234\",2,1,1,5\n"), "column open: expected a number"),
        (
            format!("{header}\nVNA,2024-01-02,1,2,1,1,5\nVNA,2024-01-02,1,2,1,1,6\n"),
            "line 3: expected one row for each symbol and date, found a duplicate of line 2",
        ),
        (
            format!("{header},<PER>\nVNA,2024-01-02,1,2,1,1,5,60\n"),
            "column period: expected a day (D)",
        ),
        (
            format!("{header},time\nVNA,2024-01-02,1,2,1,1,5,153000\n"),
            "column time: expected midnight",
        ),
        (
            "Date,VNA,VNB\n2024-01-02,1,2\n".to_owned(),
            "is a table with one column a stock (VNA, VNB",
        ),
        (
            "Price,Close,Close\nTicker,VNA,VNB\nDate,,\n2024-01-02,1,2\n".to_owned(),
            "holds several stocks side by side (VNA, VNB",
        ),
        (
            "[{\"symbol\":\"VNA\",\"date\":\"2024-01-02\",\"open\":0,\"high\":2,\"low\":1,\
             \"close\":1,\"volume\":5}]"
                .to_owned(),
            "the first bad rows are (line 1 is the first record):\n  line 1, column open:",
        ),
        (
            "{\"ticker\":\"VNA\",\"adjusted\":true,\"results\":[{\"t\":1}]}".to_owned(),
            "FILE says that its prices are adjusted: expected prices as traded",
        ),
        (
            "symbol;date;open;high;low;close;volume\nVNA;2024-01-02;1;2;1;1;51.200\n".to_owned(),
            "line 2, column volume: expected a whole number without points, which may separate \
             thousands, found \"51.200\"",
        ),
        (
            format!("{header},closeadj,closeunadj\nVNA,2024-01-02,1,2,1,1,5,1,4\n"),
            "FILE has unadjusted values in the column \"closeunadj\", so its other prices or \
             volumes are adjusted",
        ),
        (
            "symbol;date;open;high;low;close;volume\nVNA;2024-01-02;1,5;2,25;1;1;5\n".to_owned(),
            "column open: expected a number with a decimal point, as 1.23: decimal commas are not \
             read, found \"1,5\"",
        ),
        (
            twelve_data("\"interval\":\"1week\",\"currency\":\"USD\""),
            "FILE says that the interval of its rows is \"1week\": expected rows of days",
        ),
        (
            twelve_data("\"interval\":\"1day\",\"currency\":\"EUR\""),
            "line 1, column currency: expected USD, the currency of VNA, found \"EUR\"",
        ),
        (
            "{\"results\":[{\"T\":\"VNA\",\"o\":1,\"h\":2,\"l\":1,\"c\":1,\"v\":5,\
             \"t\":1678478400000}]}"
                .to_owned(),
            "expected a date, or a time that is midnight as written or at the exchange",
        ),
        (
            "{\"Information\": \"The demo API key is for demo purposes only.\"}".to_owned(),
            "FILE is not data but an answer of its vendor: \"The demo API key is for demo",
        ),
        (
            "{\n  \"status\": \"ERROR\",\n  \"error\": \"Unknown API Key\"\n}".to_owned(),
            "FILE is not data but an answer of its vendor: \"Unknown API Key\"",
        ),
        (
            "{\"ticker\":\"VNA\",\"resultsCount\":0,\"adjusted\":false}".to_owned(),
            "FILE holds no records",
        ),
        ("[]".to_owned(), "FILE holds no records"),
        ("[{\"a\":1}]".to_owned(), "lacks the column symbol: expected records with symbol, date"),
        (
            "{\n\"a\":{\"b\":{\"c\":1}}}".to_owned(),
            "expected an array of objects, one object a line, or an object with one array of \
             objects, found 0 lists",
        ),
        ("[{\"close\":Infinity}]".to_owned(), "expected finite numbers, found Infinity"),
        (
            "VNA,20240102,1,2,1,1,5\nVNA,20240103,1,2,1,1,5\n".to_owned(),
            "FILE has no header: expected a first line that names symbol, date, open",
        ),
        (
            format!("{header}\nVNA,01/31/24,1,2,1,1,5\n"),
            "column date: expected a date with a year of four digits, found \"01/31/24\"",
        ),
        (
            format!("{header}\nVNA,0024-01-02,1,2,1,1,5\n"),
            "column date: expected a day from 1792-01-01 on, found \"0024-01-02\"",
        ),
        (
            ndjson_with_late_field("vwap"),
            "line 1002 is the first record with the field \"vwap\", which is read",
        ),
        (format!("{header},interval\nVNA,2024-01-02,1,2,1,1,5,1wk\n"), "column period: expected"),
    ] {
        let file = files.write("prices.csv", &text);
        let output = database.output(&["ingest", "prices", &file]);
        let said = output.stderr.replace(&file, "FILE");
        assert!(output.code == Some(1) && said.contains(sentence), "{text}: {output:?}");
    }
    assert_eq!(database.texts(BARS).await, [""; 0]);
    // With the order of day and month the first file is loaded.
    let file = files.write("prices.csv", format!("{header}\nVNA,03/04/2024,1,2,1,1,5\n"));
    assert_eq!(database.output(&["ingest", "prices", &file, "--dates", "dmy"]).code, Some(0));
    assert_eq!(database.texts(BARS).await, ["VNA 2024-04-03 1 2 1 1 1 5"]);
}

/// A Parquet file with the columns of a CSV file, as texts.
fn parquet(csv: &str) -> Vec<u8> {
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let columns = rows[0].iter().map(|name| format!("REQUIRED BYTE_ARRAY {name} (UTF8);"));
    let schema = format!("message rows {{ {} }}", columns.collect::<String>());
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Default::default()).unwrap();
    let mut group = file.next_row_group().unwrap();
    for column in 0..rows[0].len() {
        let values: Vec<_> = rows[1..].iter().map(|row| ByteArray::from(row[column])).collect();
        let mut writer = group.next_column().unwrap().unwrap();
        writer.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        writer.close().unwrap();
    }
    group.close().unwrap();
    file.close().unwrap();
    bytes
}

#[tokio::test]
async fn zstd_and_parquet_are_recognized_by_their_bytes_from_a_file_and_from_stdin() {
    let files = Files::new();
    let database = with_stocks(&files).await;
    let rows = "symbol,date,open,high,low,close,volume\nVNA,2023-03-10,20.1,20.9,19.8,20.5,51200\n\
                VN-C,20230313,4,5,3,4.5,1e3\n";
    let bars =
        ["VN.C 2023-03-13 4 5 3 4.5 4.5 1000", "VNA 2023-03-10 20.1 20.9 19.8 20.5 20.5 51200"];
    let zstd = compress_to_vec(rows.as_bytes(), CompressionLevel::Fastest);
    for bytes in [zstd.clone(), parquet(rows)] {
        let file = files.write("prices", &bytes);
        let output = database.output(&["ingest", "prices", &file]);
        assert_eq!(output.code, Some(0), "{output:?}");
        assert_eq!(database.texts(BARS).await, bars);
        let mut command = database.tickerd(&["ingest", "prices", "-", "--json"]);
        let stdin = std::fs::File::open(&file).unwrap();
        assert_eq!(CommandOutput::of(command.stdin(stdin)).json()["unchanged"], 2);
        // Half of the file is an error, and nothing is loaded.
        let half = files.write("half", &bytes[..bytes.len() / 2]);
        let output = database.output(&["ingest", "prices", &half]);
        assert_eq!(output.code, Some(1), "{output:?}");
    }
}
