//! Symbols, exchanges and currencies as vendors spell them, in files and in requests.

use serde_json::json;

use crate::support::{App, Database, Files};

const STOCKS: &str = "SELECT concat_ws(' ', symbol, exchange, currency) FROM stocks
                      WHERE name LIKE 'Own%' ORDER BY symbol";

#[tokio::test]
async fn a_share_class_is_found_under_every_spelling_unless_another_stock_has_it() {
    let (database, files) = (Database::sample().await, Files::new());
    let header = "symbol,name,exchange,currency";
    let stocks =
        files.write("a.csv", format!("{header}\nOWN.B,Own B,NYSE,USD\nOWN^L,Own L,NYSE,USD\n"));
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    // The same stocks, as other vendors list them.
    let others =
        files.write("b.csv", format!("{header}\nOWN/B,Own B,NYSE,USD\nOWNpL,Own L,NYSE,USD\n"));
    let report = database.output(&["ingest", "stocks", &others, "--json"]).json();
    assert_eq!(report["unchanged"], 2, "{report}");
    assert_eq!(report["otherSpellings"], json!(null), "{report}");
    let others = files.write("b.csv", format!("{header}\nOWN-B,Own B,NYSE,USD\n"));
    let said = database.output(&["ingest", "stocks", &others]).stderr;
    let spelling = "1 rows are of stored stocks under another spelling: OWN-B is OWN.B";
    assert!(said.contains(spelling), "{said}");
    assert_eq!(database.texts(STOCKS).await, ["OWN.B NYSE USD", "OWN.PRL NYSE USD"]);
    let prices = "symbol,date,open,high,low,close,volume\n\
                  OWN-B,2024-06-03,410,415,409,412,3000\nown/b,2024-06-04,410,415,409,413,3000\n\
                  OWN B,2024-06-05,410,415,409,414,3000\nOWN-B.US,2024-06-06,410,415,409,414,1\n\
                  OWNpL,2024-06-03,25,26,24,25.5,10\n";
    let prices = files.write("prices.csv", prices);
    let report = database.output(&["ingest", "prices", &prices, "--json"]).json();
    assert_eq!(report["added"], 5, "{report}");

    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for spelling in ["OWN.B", "OWN-B", "OWN%2FB", "own%2fb", "own-b"] {
        let (status, quote) = app.json(&key, &format!("/api/stocks/{spelling}/quote")).await;
        assert_eq!((status, &quote["symbol"]), (200, &json!("OWN.B")), "{spelling}: {quote}");
        let (_, found) = app.json(&key, &format!("/api/stocks?q={spelling}")).await;
        assert_eq!(found["stocks"][0]["id"], "OWN.B", "{spelling}: {found}");
    }
    let path = "/api/prices?symbols=OWN-B,OWN.PRL&start=2024-06-03";
    let (status, body) = app.json(&key, path).await;
    assert_eq!((status, &body["unknown"]), (200, &json!([])), "{body}");
    let (status, body) = app.json(&key, "/api/stocks/OWN-C/quote").await;
    assert_eq!((status, &body["code"]), (404, &json!("unknown_symbol")), "{body}");

    // A stock with exactly that symbol comes first, in files and in requests.
    let exact = files.write("c.csv", format!("{header}\nIBM.X,Own X1,NYSE,USD\n"));
    assert_eq!(database.output(&["ingest", "stocks", &exact]).code, Some(0));
    let insert = "WITH added AS (
                      INSERT INTO stocks (symbol, name, exchange, currency, data_version)
                      VALUES ('IBM-X', 'Own X2', 'NYSE', 'USD', next_revision()) RETURNING 1)
                  SELECT count(*)::text FROM added";
    assert_eq!(database.texts(insert).await, ["1"]);
    let app = App::without_redis(&database).await;
    for symbol in ["IBM.X", "IBM-X"] {
        let (_, body) = app.json(&key, &format!("/api/stocks/{symbol}")).await;
        assert_eq!(body["stock"]["id"], symbol, "{body}");
    }
}

#[tokio::test]
async fn a_currency_that_a_file_of_stocks_changes_under_stored_prices_is_named() {
    let (database, files) = (Database::sample().await, Files::new());
    let rows = "symbol,name,exchange,currency\nIBM,IBM,NYSE,EUR\nOWN,Own,NYSE,EUR\n";
    let output = database.output(&["ingest", "stocks", &files.write("stocks.csv", rows)]);
    let expected = "stocks with prices have another currency now, and their stored prices count as \
                    in it: IBM from USD to EUR\n";
    assert!(output.code == Some(0) && output.stderr.contains(expected), "{output:?}");
}

#[tokio::test]
async fn the_suffix_of_the_us_never_finds_a_stock_of_another_country() {
    let (database, files) = (Database::empty().await, Files::new());
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    assert_eq!(database.output(&["exchanges", "add", "XPAR"]).code, Some(0));
    let header = "symbol,name,exchange,currency";
    database.load("stocks", &format!("{header}\nOWN,Own Paris,XPAR,EUR\nOWL,Own L,NYSE,USD\n"));
    let prices = |symbol: &str| {
        let header = "symbol,date,open,high,low,close,volume";
        files.write("prices.csv", format!("{header}\n{symbol},2024-06-03,4,5,4,4.5,3\n"))
    };
    let found = database.output(&["ingest", "prices", &prices("OWL.US")]);
    assert_eq!(found.code, Some(0), "{found:?}");
    let refused = database.output(&["ingest", "prices", &prices("OWN.US")]);
    assert!(refused.code == Some(1) && refused.stderr.contains("a known symbol"), "{refused:?}");
    let other = files.write("us.csv", format!("{header}\nOWN.US,Own ADR,NYSE,USD\n"));
    let report = database.output(&["ingest", "stocks", &other, "--json"]).json();
    assert_eq!((&report["added"], &report["changed"]), (&json!(1), &json!(0)), "{report}");
    let stored = ["OWL NYSE USD", "OWN XPAR EUR", "OWN.US NYSE USD"];
    assert_eq!(database.texts(STOCKS).await, stored);
}

#[tokio::test]
async fn two_spellings_in_one_file_of_stocks_are_two_stocks() {
    let header = "symbol,name,exchange,currency";
    let listed = |a: &str, b: &str| format!("{header}\n{a},Own,NYSE,USD\n{b},Own,NYSE,USD\n");
    for first in [None, Some("OWN.A"), Some("OWN-A")] {
        for (a, b) in [("OWN.A", "OWN-A"), ("OWN-A", "OWN/A")] {
            let (database, files) = (Database::sample().await, Files::new());
            if let Some(symbol) = first {
                database.load("stocks", &format!("{header}\n{symbol},Own,NYSE,USD\n"));
            }
            let file = files.write("both.csv", listed(a, b));
            for (skip, added) in [(&[][..], 2), (&["--skip", "bad-rows"], 0)] {
                let load = [&["ingest", "stocks", &file, "--json"], skip].concat();
                let report = database.output(&load).json();
                let added = if first.is_some() && added == 2 { 1 } else { added };
                assert_eq!(report["added"], added, "{first:?} {a} {b}: {report}");
                let stored = database.texts(STOCKS).await;
                assert_eq!(stored, ["OWN-A NYSE USD", "OWN.A NYSE USD"], "{first:?} {a} {b}");
            }
        }
    }
    // The same spelling twice is one stock.
    let (database, files) = (Database::sample().await, Files::new());
    let file = files.write("twice.csv", listed("OWN.A", "OWN/A"));
    let report = database.output(&["ingest", "stocks", &file, "--json"]).json();
    assert_eq!((&report["added"], &report["identicalRows"]), (&json!(1), &json!(1)), "{report}");
}

#[tokio::test]
async fn symbols_that_differ_by_case_alone_are_never_taken_for_one_another() {
    let (database, files) = (Database::sample().await, Files::new());
    let header = "symbol,name,exchange,currency";
    let stocks =
        files.write("a.csv", format!("{header}\nOWpC,Own pref. C,NYSE,USD\nOWPC,Own,NYSE,USD\n"));
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    assert_eq!(database.texts(STOCKS).await, ["OW.PRC NYSE USD", "OWPC NYSE USD"]);
    let mixed = files.write("b.csv", format!("{header}\nOwPC,Own,NYSE,USD\n"));
    let output = database.output(&["ingest", "stocks", &mixed]);
    assert!(
        output.code == Some(1) && output.stderr.contains("all in upper case or all in lower case"),
        "{output:?}"
    );
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (spelling, symbol) in [("OWpC", "OW.PRC"), ("OWPC", "OWPC"), ("owpc", "OWPC")] {
        let (_, body) = app.json(&key, &format!("/api/stocks/{spelling}")).await;
        assert_eq!(body["stock"]["id"], symbol, "{spelling}: {body}");
    }
    let (status, body) = app.json(&key, "/api/stocks/OwPC").await;
    assert_eq!((status, &body["code"]), (400, &json!("invalid_parameter")), "{body}");
}

#[tokio::test]
async fn exchanges_and_currencies_are_known_under_their_common_names() {
    let (database, files) = (Database::sample().await, Files::new());
    let header = "ticker,name,primary_exchange,currency_name";
    let rows = [
        "OWA,Own A,XNYS,usd",
        "OWB,Own B,XNAS,usd",
        "OWC,Own C,ARCX,usd",
        "OWD,Own D,NYSE MKT,USD",
        "OWE,Own E,NasdaqGS,GBp",
        "OWF,Own F,nyse arca,ZAc",
        "OWG,Own G,NYQ,ILA",
        "OWH,Own H,Cboe BZX,usd",
        "OWI,Own I,XETR,eur",
    ];
    let add = ["exchanges", "add", "FRANKFURT", "--mic", "XETR", "--name", "Xetra", "--time-zone"];
    let hours = ["Europe/Berlin", "--opens-at", "09:00", "--closes-at", "17:30"];
    let add = database.output(&[&add[..], &hours].concat());
    assert_eq!(add.code, Some(0), "{add:?}");
    let file = files.write("stocks.csv", format!("{header}\n{}\n", rows.join("\n")));
    assert_eq!(database.output(&["ingest", "stocks", &file]).code, Some(0));
    let expected = [
        "OWA NYSE USD",
        "OWB NASDAQ USD",
        "OWC NYSEARCA USD",
        "OWD NYSEAMER USD",
        "OWE NASDAQ GBX",
        "OWF NYSEARCA ZAC",
        "OWG NYSE ILA",
        "OWH BATS USD",
        "OWI FRANKFURT EUR",
    ];
    assert_eq!(database.texts(STOCKS).await, expected);
    for (row, message) in [
        (
            "OWH,Own H,OTC,USD",
            "column exchange: expected a known exchange (BATS, FRANKFURT, NASDAQ",
        ),
        ("OWH,Own H,OTC,USD", "or one that tickerd exchanges add has added, found \"OTC\""),
        ("OWH,Own H,XLON,GBP", "tickerd exchanges add XLON adds London Stock Exchange"),
        ("OWH,Own H,NYSE,GbP", "column currency: expected an ISO 4217 code such as USD, or a"),
    ] {
        let file = files.write("bad.csv", format!("{header}\n{row}\n"));
        let output = database.output(&["ingest", "stocks", &file]);
        assert!(output.code == Some(1) && output.stderr.contains(message), "{output:?}");
    }
}
