//! Types of splits and dividends: told apart, added up, and never counted twice.

use serde_json::{Value, json};

use crate::support::{App, CommandOutput, Database, Files};

const STOCKS: &str = "symbol,name,exchange,currency\nPAIR,Pair Motors,NYSE,USD\n";
const PRICES: &str = "symbol,date,open,high,low,close,volume\n\
                      PAIR,2024-05-09,21,21.6,20.8,21.5,800\n\
                      PAIR,2024-05-10,20.1,20.4,19.9,20.25,900\n";
const REGULAR: &str = "ticker,ex_dividend_date,cash_amount,dividend_type\n\
                       PAIR,2024-05-10,0.35,CD\n";
const SPECIAL: &str = "ticker,ex_dividend_date,cash_amount,dividend_type\n\
                       PAIR,2024-05-10,0.9,SC\n";

async fn pair() -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", STOCKS);
    database.load("prices", PRICES);
    database
}

fn ingest(database: &Database, kind: &str, text: &str) -> CommandOutput {
    let file = Files::new();
    let file_name = file.write("rows.csv", text);
    // The closes of these tests do not fall at splits.
    let raw = ["--prices-are", "raw"];
    database.output(&[&["ingest", kind, &file_name, "--json"], raw.as_slice()].concat())
}

/// The events of a stock as (date, type, splitFrom, splitTo, dividend), oldest first.
async fn events(app: &App, key: &str, symbol: &str) -> Vec<Value> {
    let path = format!("/api/stocks/{symbol}/events?order=asc");
    let (status, body) = app.json(key, &path).await;
    assert_eq!(status, 200, "{body}");
    let fields = ["date", "type", "splitFrom", "splitTo", "dividend"];
    let event = |event: &Value| json!(fields.map(|field| event[field].clone()));
    body["events"].as_array().unwrap().iter().map(event).collect()
}

async fn adjusted(database: &Database) -> Vec<String> {
    database.texts("SELECT adjusted_close::text FROM prices ORDER BY stock_id, date").await
}

#[tokio::test]
async fn two_dividends_of_one_day_both_count_from_one_file_or_from_two() {
    let both = format!("{REGULAR}{}", SPECIAL.lines().last().unwrap());
    for files in [vec![both.as_str()], vec![REGULAR, SPECIAL], vec![SPECIAL, REGULAR]] {
        let database = pair().await;
        for file in &files {
            assert_eq!(ingest(&database, "actions", file).code, Some(0));
        }
        // 21.5 * 20.25 / (20.25 + 0.35 + 0.9) = 20.25
        assert_eq!(adjusted(&database).await, ["20.25", "20.25"]);
        let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
        let expected = [
            json!(["2024-05-10", "cash", null, null, 0.35]),
            json!(["2024-05-10", "special", null, null, 0.9]),
        ];
        assert_eq!(events(&app, &key, "PAIR").await, expected);
        // The same files again change nothing, and a correction changes its own type alone.
        for file in &files {
            let report = ingest(&database, "actions", file).json();
            assert_eq!((&report["added"], &report["changed"]), (&0.into(), &0.into()));
        }
        let corrected = SPECIAL.replace("0.9,", "1.15,");
        assert_eq!(ingest(&database, "actions", &corrected).json()["changed"], 1);
        // 21.5 * 20.25 / (20.25 + 0.35 + 1.15)
        assert_eq!(adjusted(&database).await, ["20.01724138", "20.25"]);
    }
}

#[tokio::test]
async fn a_row_that_may_be_a_stored_event_of_another_type_is_refused() {
    for (first, second) in [
        // The same amount under another type: one event, which a vendor has given a type since.
        (REGULAR.replace("CD", ""), REGULAR.replace("CD", "SC")),
        (REGULAR.to_owned(), REGULAR.replace("CD", "ROC")),
        // A row without a type may be the sum of the day.
        (SPECIAL.to_owned(), REGULAR.replace("0.35,CD", "1.25,")),
        (
            "symbol,ex_date,split_from,split_to\nPAIR,2024-05-10,1000,1253\n".to_owned(),
            "symbol,ex_date,split_from,split_to,type\nPAIR,2024-05-10,1000,1253,split\n".to_owned(),
        ),
    ] {
        let database = pair().await;
        assert_eq!(ingest(&database, "actions", &first).code, Some(0));
        let before = adjusted(&database).await;
        let output = ingest(&database, "actions", &second);
        assert_eq!(output.code, Some(1), "{second}: {output:?}");
        let message = "line 2: PAIR has an event of the type";
        assert!(output.stderr.contains(message), "{output:?}");
        assert_eq!(adjusted(&database).await, before);
    }
}

#[tokio::test]
async fn a_dividend_in_another_currency_is_refused_by_line() {
    let database = pair().await;
    for (currency, is_loaded) in
        [("CAD", false), ("USd", false), ("USD", true), ("usd", true), ("", true)]
    {
        let rows = format!(
            "ex_dividend_date,ticker,cash_amount,currency\n2024-05-10,PAIR,0.35,{currency}\n"
        );
        let output = ingest(&database, "actions", &rows);
        assert_eq!(output.code == Some(0), is_loaded, "{currency}: {output:?}");
        if !is_loaded {
            let message = format!(
                "line 2, column currency: expected USD, the currency of PAIR, found \"{currency}\""
            );
            assert!(output.stderr.contains(&message), "{output:?}");
        }
    }
}

#[tokio::test]
async fn a_spin_off_adjusts_prices_and_no_volumes() {
    let spin_off = "symbol,ex_date,split_from,split_to\nPAIR,2024-05-10,1000,1062\n";
    let typed = "symbol,ex_date,split_from,split_to,type\nPAIR,2024-05-10,20,21,spin-off\n";
    for (file, close, assumed) in
        [(spin_off, 20.244_821_09, json!(1)), (typed, 20.476_190_48, Value::Null)]
    {
        let database = pair().await;
        assert_eq!(ingest(&database, "actions", file).json()["assumedSpinOffs"], assumed);
        let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
        let (_, quote) = app.json(&key, "/api/stocks/PAIR/quote").await;
        assert_eq!(quote["previousClose"], close);
        for adjust in ["splits", "all"] {
            let path =
                format!("/api/stocks/PAIR/prices?start=2024-05-09&order=asc&adjust={adjust}");
            let bar = app.json(&key, &path).await.1["prices"][0].clone();
            assert_eq!((&bar["close"], &bar["volume"]), (&close.into(), &800.into()), "{bar}");
        }
    }
}

#[tokio::test]
async fn an_announced_split_changes_no_number_and_two_splits_since_the_last_bar_both_count() {
    let database = pair().await;
    let splits = "symbol,ex_date,split_from,split_to\nPAIR,2024-05-13,1,2\nPAIR,2024-05-14,1,5\n";
    assert_eq!(ingest(&database, "actions", splits).code, Some(0));
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let closes = async |app: &App| {
        let path = "/api/stocks/PAIR/prices?start=2024-05-01&order=asc&adjust=splits";
        let rows = app.json(&key, path).await.1["prices"].as_array().unwrap().clone();
        rows.iter().map(|row| row["close"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(closes(&app).await, [21.5, 20.25]);
    let chart = app.get(&key, "/api/stocks/PAIR/chart.svg").await.text().await.unwrap();
    assert!(chart.contains("The last is 20.25 USD"), "{chart}");
    let (_, quote) = app.json(&key, "/api/stocks/PAIR/quote").await;
    assert_eq!((&quote["close"], &quote["previousClose"]), (&20.25.into(), &21.5.into()));
    drop(app);
    database
        .load("prices", "symbol,date,open,high,low,close,volume\nPAIR,2024-05-15,2,2.1,2,2.1,9\n");
    let app = App::without_redis(&database).await;
    let (_, quote) = app.json(&key, "/api/stocks/PAIR/quote").await;
    // 20.25 / 10
    assert_eq!((&quote["previousClose"], &quote["change"]), (&2.025.into(), &0.075.into()));
    assert_eq!(closes(&app).await, [2.15, 2.025, 2.1]);
    assert_eq!(adjusted(&database).await, ["2.15", "2.025", "2.1"]);
}

#[tokio::test]
async fn the_files_of_vendors_become_the_events_they_tell() {
    let split = |from: f64, to: f64| json!(["2024-05-10", "split", from, to, null]);
    let cash = |amount: f64| json!(["2024-05-10", "cash", null, null, amount]);
    for (vendor, file, expected) in [
        (
            "yfinance: a row with both, and rows with one",
            "Date,Dividends,Stock Splits\n2024-05-09,0.0,0.0\n2024-05-10,0.205,4.0\n",
            vec![cash(0.205), split(1.0, 4.0)],
        ),
        ("Yahoo's download", "Date,Stock Splits\n2024-05-10,3:2\n", vec![split(2.0, 3.0)]),
        ("EODHD", "Date,Stock Splits\n2024-05-10,4.000000/1.000000\n", vec![split(1.0, 4.0)]),
        (
            "FMP",
            "date,symbol,numerator,denominator\n2024-05-10,PAIR,1,10\n",
            vec![split(10.0, 1.0)],
        ),
        ("Alpaca", "ex_date,old_rate,new_rate\n2024-05-10,1,3\n", vec![split(1.0, 3.0)]),
        (
            "Massive",
            "execution_date,split_from,split_to,ticker\n2024-05-10,1,3,PAIR\n",
            vec![split(1.0, 3.0)],
        ),
        (
            "Quandl WIKI: a history of prices",
            "ticker,date,open,close,ex-dividend,split_ratio,adj_close\n\
             PAIR,2024-05-09,21,21.5,0.0,1.0,9\nPAIR,2024-05-10,20,20.25,0.35,7.0,9\n",
            vec![cash(0.35), split(1.0, 7.0)],
        ),
        (
            "Tiingo: a history of prices",
            "date,close,adjClose,divCash,splitFactor\n2024-05-09,21.5,9,0.0,1.0\n\
             2024-05-10,20.25,9,0.0,0.3333333\n",
            vec![split(3.0, 1.0)],
        ),
        (
            "Alpha Vantage: a history of prices",
            "timestamp,close,dividend_amount,split_coefficient,ex_date\n\
             1,1,0.0000,1.0,2024-05-09\n2,1,0.3500,1.5,2024-05-10\n",
            vec![cash(0.35), split(2.0, 3.0)],
        ),
        (
            "its own columns",
            "symbol,ex_date,split_from,split_to,dividend\nPAIR,2024-05-10,1,2,0.30\n",
            vec![cash(0.3), split(1.0, 2.0)],
        ),
    ] {
        let (database, files) = (pair().await, Files::new());
        let file_name = files.write("actions.csv", file);
        let mut arguments =
            vec!["ingest", "actions", file_name.as_str(), "--json", "--prices-are", "raw"];
        if !file.contains("PAIR") {
            arguments.extend(["--symbol", "PAIR"]);
        }
        let output = database.output(&arguments);
        assert_eq!(output.code, Some(0), "{vendor}: {output:?}");
        let report = output.json();
        assert_eq!(report["added"], expected.len(), "{vendor}");
        let without = if file.contains("2024-05-09") { json!(1) } else { Value::Null };
        assert_eq!(report["rowsWithoutActions"], without, "{vendor}");
        let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
        assert_eq!(events(&app, &key, "PAIR").await, expected, "{vendor}");
    }
}

#[tokio::test]
async fn a_file_whose_splits_or_dividends_would_be_overlooked_is_refused() {
    let database = pair().await;
    for (file, message) in [
        ("symbol,ex_date,value\nPAIR,2024-05-10,2\n", "expected a column with dividends or splits"),
        (
            "symbol,date,from_factor,to_factor\nPAIR,2024-05-10,4,1\n",
            "line 2, column from_factor: expected split_from and split_to instead",
        ),
        ("symbol,date,ratio\nPAIR,2024-05-10,0.25\n", "column ratio: expected split_from"),
        ("symbol,date,split\nPAIR,2024-05-10,four\n", "line 2, column split: expected the ratio"),
        ("symbol,date,dividend\nPAIR,2024-05-10,-1\n", "expected a dividend above 0"),
        ("symbol,date,split_from,split_to\nPAIR,2024-05-10,,2\n", "both above 0"),
        (
            "symbol,date,dividend,type\nPAIR,2024-05-10,0.05,stock\n",
            "column split_to: expected a ratio other than 1 to 1, as the row is of a split",
        ),
        ("symbol,date,dividend,type\nPAIR,2024-05-10,0.05,odd\n", "column type: expected cash,"),
        ("symbol,date,dividend,kind\nPAIR,2024-05-10,,dividend\n", "expected an amount above 0"),
        (
            "symbol,date,dividend,frequency\nPAIR,2024-05-10,1,often\n",
            "column frequency: expected payments a year, as 4 or quarterly",
        ),
        (
            "symbol,date,split_from,split_to,split\nPAIR,2024-05-10,1,2,0.5\n",
            "expected the ratio of split_to to split_from",
        ),
        (
            "symbol,date,dividend\nPAIR,2024-05-10,1\nPAIR,2024-05-10,2\n",
            "expected one row for each",
        ),
    ] {
        let output = ingest(&database, "actions", file);
        assert_eq!(output.code, Some(1), "{file}: {output:?}");
        assert!(output.stderr.contains(message), "{file}: {output:?}");
    }
    assert_eq!(database.texts("SELECT kind FROM corporate_actions").await, [""; 0]);
}

#[tokio::test]
async fn dates_and_frequency_of_a_dividend_are_served_and_kept_by_a_file_without_them() {
    let database = pair().await;
    let rows = "cash_amount,currency,declaration_date,dividend_type,ex_dividend_date,frequency,\
                pay_date,record_date,ticker\n\
                0.35,USD,2024-04-25,CD,2024-05-10,4,2024-05-16,2024-05-13,PAIR\n";
    assert_eq!(ingest(&database, "actions", rows).code, Some(0));
    assert_eq!(ingest(&database, "actions", REGULAR).json()["unchanged"], 1);
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (_, body) = app.json(&key, "/api/stocks/PAIR/events").await;
    let expected = json!({
        "date": "2024-05-10", "kind": "dividend", "type": "cash", "splitFrom": null,
        "splitTo": null, "dividend": 0.35, "declarationDate": "2024-04-25",
        "recordDate": "2024-05-13", "payDate": "2024-05-16", "frequency": 4
    });
    assert_eq!(body["events"], json!([expected]));
    let (_, market) = app.json(&key, "/api/events?start=2024-01-01&exchange=NYSE").await;
    assert_eq!(market["events"][0]["payDate"], "2024-05-16");
}

#[tokio::test]
async fn pages_list_the_dividends_of_one_day_once_also_from_cursors_without_a_type() {
    let database = pair().await;
    let rows = "symbol,ex_date,split_from,split_to,dividend,type\n\
                PAIR,2024-05-10,,,0.1,cash\nPAIR,2024-05-10,,,0.2,special\n\
                PAIR,2024-05-10,,,0.3,return_of_capital\nPAIR,2024-05-10,1,2,,split\n\
                PAIR,2024-05-10,10,11,,spin_off\n";
    assert_eq!(ingest(&database, "actions", rows).code, Some(0));
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (order, kinds) in [("asc", 2), ("desc", 3)] {
        for of in [
            "stocks/PAIR/events?",
            "events?start=2024-01-01&",
            "events?start=2024-01-01&exchange=NYSE&",
        ] {
            let mut path = format!("/api/{of}limit=1&order={order}");
            let mut types = Vec::new();
            loop {
                let (_, body) = app.json(&key, &path).await;
                types.push(body["events"][0]["type"].as_str().unwrap().to_owned());
                let Some(next) = body["next"].as_str() else { break };
                path = next.to_owned();
            }
            let mut all = ["cash", "return_of_capital", "special", "spin_off", "split"];
            if order == "desc" {
                all.reverse();
            }
            assert_eq!(types, all, "{of}");
        }
        // A cursor of the release before is behind all types of its kind.
        let kind = if order == "asc" { "dividend" } else { "split" };
        let cursor = base64(&format!("1:2024-05-10/1/{kind}"));
        let path = format!("/api/stocks/PAIR/events?order={order}&cursor={cursor}");
        let (status, body) = app.json(&key, &path).await;
        assert_eq!((status, &body["count"]), (200, &kinds.into()), "{body}");
    }
}

/// Rows of the release before get the type that a load of their file gives them now.
#[tokio::test]
async fn the_migration_types_what_is_stored_and_rounds_what_was_computed() {
    let database = Database::empty().await;
    let client = database.connect().await;
    let mut files: Vec<_> =
        std::fs::read_dir("migrations").unwrap().map(|entry| entry.unwrap().path()).collect();
    let version = |path: &std::path::PathBuf| -> u32 {
        let name = path.file_name().unwrap().to_str().unwrap();
        name[1..].split("__").next().unwrap().parse().unwrap()
    };
    files.sort_by_key(version);
    let old = "INSERT INTO stocks (symbol, name, exchange, currency, data_version,
                                   computes_adjusted_close)
               VALUES ('COMP', 'Computed', 'NYSE', 'USD', 7, true),
                      ('FEED', 'Feed', 'NYSE', 'USD', 7, false);
               INSERT INTO prices
               SELECT id, date '2024-05-09' + n, 9, 9999, 9,
                      CASE n WHEN 0 THEN 1007.37 ELSE 51.1 END,
                      CASE n WHEN 0 THEN 50.368500000000004 ELSE 51.1 END, 5
               FROM stocks, generate_series(0, 1) n;
               INSERT INTO corporate_actions (stock_id, ex_date, kind, split_from, split_to,
                                              dividend)
               SELECT id, date '2024-05-10' + n, kind, f, t, d FROM stocks, (VALUES
                   (0, 'split', 1, 20, NULL), (1, 'split', 1000, 1253, NULL),
                   (2, 'split', 1, 1.062, NULL), (3, 'split', 20, 21, NULL),
                   (4, 'split', 100, 1, NULL), (0, 'dividend', NULL, NULL, 0.5)
               ) a (n, kind, f, t, d)
               WHERE symbol = 'COMP'";
    for file in files.iter().filter(|file| version(file) <= 8) {
        if version(file) == 8 {
            client.batch_execute(old).await.unwrap();
        }
        client.batch_execute(&std::fs::read_to_string(file).unwrap()).await.unwrap();
    }
    let types = "SELECT type FROM corporate_actions ORDER BY kind, ex_date";
    let expected = ["cash", "split", "spin_off", "spin_off", "split", "split"];
    assert_eq!(database.texts(types).await, expected);
    let closes = "SELECT concat_ws(' ', symbol, adjusted_close, data_version > 7)
                  FROM prices JOIN stocks ON id = stock_id ORDER BY symbol, date";
    let expected = ["COMP 50.3685 t", "COMP 51.1 t", "FEED 50.368500000000004 f", "FEED 51.1 f"];
    assert_eq!(database.texts(closes).await, expected);
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}
