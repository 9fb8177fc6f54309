//! Files as vendors write them: their column names, plain or gzipped, from a file or from stdin.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{CommandOutput, Database, Files, read_text};

/// The same file under other column names.
fn renamed(path: &str, names: &[(&str, &str)]) -> String {
    let text = read_text(path);
    let (header, rows) = text.split_once('\n').unwrap();
    let header =
        names.iter().fold(header.to_owned(), |header, (own, vendor)| header.replace(own, vendor));
    format!("{header}\n{rows}")
}

#[tokio::test]
async fn column_names_of_common_vendors_are_recognised() {
    let (database, files) = (Database::sample().await, Files::new());
    let prices = [
        ("adjusted_close", "Adj Close"),
        ("symbol", "Ticker"),
        ("volume", "Vol"),
        ("open", "OPEN"),
    ];
    let actions =
        [("ex_date", "Ex-Dividend Date"), ("symbol", "code"), ("dividend", "cash_amount")];
    let stocks = [("symbol", "ticker"), ("name", "Company Name"), ("exchange", "primary_exchange")];
    for (kind, path, names, rows) in [
        ("stocks", "seed/stocks.csv", stocks.as_slice(), 5),
        ("prices", "seed/prices.csv.gz", &prices, 12_154),
        ("actions", "seed/corporate_actions.csv", &actions, 95),
    ] {
        let file = files.write(kind, renamed(path, names));
        assert_eq!(
            database.output(&["ingest", kind, &file, "--json"]).json()["unchanged"],
            rows,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn stdin_is_read_like_a_file_plain_or_gzipped() {
    let (database, files) = (Database::sample().await, Files::new());
    let plain = files.write("plain", read_text("seed/prices.csv.gz"));
    for source in [plain.as_str(), "seed/prices.csv.gz"] {
        let mut command = database.tickerd(&["ingest", "prices", "-", "--json"]);
        let report = CommandOutput::of(command.stdin(File::open(source).unwrap())).json();
        assert_eq!(report["unchanged"], 12_154, "{source}");
    }
    // Through a pipe that ends within a row.
    let mut command = database.tickerd(&["ingest", "prices", "-"]);
    let mut load = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let rows = "symbol,date,open,high,low,close,volume,adjusted_close\n\
                AAPL,2020-01-02,1,2,1,1,5,1\nAAPL,2020-01";
    load.stdin.take().unwrap().write_all(rows.as_bytes()).unwrap();
    let output = CommandOutput::wait_for(load);
    assert!(output.code == Some(1) && output.stderr.contains("stdin line 3"), "{output:?}");
    let count = "SELECT count(*)::text FROM prices";
    assert_eq!(database.texts(count).await, ["12154"]);
}

#[tokio::test]
async fn a_file_without_symbols_is_loaded_under_the_given_symbol() {
    let (database, files) = (Database::sample().await, Files::new());
    let file = files.write(
        "aapl.csv",
        "Date,Open,High,Low,Close,Adj Close,Volume\n\
         2013-03-04,427.8,428.2,419,420.05,54.6,20812700\n",
    );
    let output = database.output(&["ingest", "prices", &file]);
    assert!(
        output.error_line().ends_with(
            "expected a first line that names symbol, date, open, high, low, close, volume, \
             or --symbol"
        ),
        "{output:?}"
    );
    let report = database.output(&["ingest", "prices", &file, "--symbol", "aapl", "--json"]).json();
    let expected = json!({
        "added": 1, "changed": 0, "unchanged": 0, "converted": 0, "stocksTouched": 1,
        "restated": [],
        "notes": [
            "prices were taken as traded, but those of Yahoo are adjusted for splits: use \
             --prices-are split-adjusted",
        ],
    });
    assert_eq!(report, expected);
}

#[tokio::test]
async fn on_a_terminal_a_load_shows_its_progress_and_asks_before_it_replaces() {
    let (database, files) = (Database::sample().await, Files::new());
    let raw = files.write(
        "raw.csv",
        "symbol,date,open,high,low,close,volume\nAAPL,2013-03-04,427,430,420,421,5\n",
    );
    let on_terminal = |arguments: &[&str], answer: &str| {
        // `script` gives the command a terminal.
        let tickerd = database.tickerd(arguments);
        let line: Vec<_> = [tickerd.get_program()].into_iter().chain(tickerd.get_args()).collect();
        let line = line.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join(" ");
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env("TERM", "xterm");
        script.env("DATABASE_URL", database.url()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = script.spawn().unwrap();
        process.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        let mut shown = String::new();
        process.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
        (process.wait().unwrap().code(), shown)
    };
    let (code, shown) = on_terminal(&["ingest", "prices", "seed/prices.csv.gz"], "");
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("a second") && shown.contains(" left") && shown.contains("12154 unchanged"),
        "{shown}"
    );
    let adjusted = "SELECT count(*)::text FROM prices JOIN stocks ON id = stock_id
                    WHERE symbol = 'AAPL' AND adjusted_close = close";
    for (answer, expected) in [("n\n", Some(1)), ("y\n", Some(0))] {
        let before = database.texts(adjusted).await;
        let (code, shown) = on_terminal(&["ingest", "prices", &raw], answer);
        assert!(shown.contains("would all be replaced by computed ones. Go on? [y/N]"), "{shown}");
        assert_eq!(code, expected, "{shown}");
        assert_eq!(database.texts(adjusted).await != before, answer == "y\n");
    }
}

#[tokio::test]
async fn future_days_are_rejected_and_currencies_may_be_lower_case() {
    let (database, files) = (Database::sample().await, Files::new());
    let header = "symbol,date,open,high,low,close,volume,adjusted_close";
    let mistyped =
        files.write("mistyped.csv", format!("{header}\nMSFT,2103-03-04,21,35,20,31,5,31\n"));
    let output = database.output(&["ingest", "prices", &mistyped]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("line 2, column date: expected a day up to 20"), "{output:?}");
    let stocks = files.write("stocks.csv", "symbol,name,exchange,currency\nNEW,New,NYSE,usd\n");
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    assert_eq!(database.texts("SELECT currency FROM stocks WHERE symbol = 'NEW'").await, ["USD"]);
}
