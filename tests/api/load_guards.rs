//! Loads refuse prices that contradict what is known: prices of days without trading, and prices
//! that are adjusted for a split already. The operator can say otherwise.

use crate::support::{CommandOutput, Database, Files};

const HEADER: &str = "date,open,high,low,close,volume";

/// A database with one stock, WIDG on NYSE.
async fn one_stock() -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", "symbol,name,exchange,currency\nWIDG,Widget Corp,NYSE,USD\n");
    database
}

/// Daily rows whose open, high, low and close are the same.
fn flat_rows(rows: &[(&str, f64, u64)]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|(date, price, volume)| format!("{date},{price},{price},{price},{price},{volume}"))
        .collect();
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn ingest(database: &Database, kind: &str, file: &str, options: &[&str]) -> CommandOutput {
    database.output(&[&["ingest", kind, file, "--symbol", "WIDG"], options].concat())
}

/// The stored bars as `date open close volume`.
async fn bars(database: &Database) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', date, open, close, volume) FROM prices ORDER BY date";
    database.texts(sql).await
}

/// A 20-for-1 split on 2023-06-05, in prices that its vendor has adjusted for it. As traded, the
/// volume of the second day is 100000.5, which is rounded to the even number.
const ADJUSTED: [(&str, f64, u64); 4] = [
    ("2023-06-01", 50.125, 2_000_000),
    ("2023-06-02", 50.368_500_000_000_004, 2_000_010),
    ("2023-06-05", 51.1, 900_000),
    ("2023-06-06", 50.8, 800_000),
];
const AS_TRADED: [&str; 4] = [
    "2023-06-01 1002.5 1002.5 100000",
    "2023-06-02 1007.37 1007.37 100000",
    "2023-06-05 51.1 51.1 900000",
    "2023-06-06 50.8 50.8 800000",
];
const SPLIT: &str = "ex_date,split_from,split_to\n2023-06-05,1,20\n";

#[tokio::test]
async fn rows_of_closed_days_are_refused_unless_they_are_to_be_kept() {
    let (database, files) = (one_stock().await, Files::new());
    let rows = [
        ("2024-07-03", 10.0, 5),
        ("2024-07-04", 10.0, 0),
        ("2024-07-05", 11.0, 5),
        ("2024-07-06", 11.0, 0),
    ];
    let file = files.write("closed.csv", flat_rows(&rows));
    let refused = ingest(&database, "prices", &file, &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for (line, reason) in [(3, "Independence Day"), (5, "weekend")] {
        let expected = format!(
            "line {line}, column date: expected a trading day, but the exchange was closed \
             ({reason}); --closed-days keep loads the row"
        );
        assert!(refused.stderr.contains(&expected), "{refused:?}");
    }
    assert_eq!(bars(&database).await, Vec::<String>::new());
    let kept = ingest(&database, "prices", &file, &["--closed-days", "keep"]);
    assert_eq!((kept.code, bars(&database).await.len()), (Some(0), 4), "{kept:?}");
    assert!(
        kept.stderr.contains("2 rows are of days on which the exchange was closed"),
        "{kept:?}"
    );
}

#[tokio::test]
async fn ex_dates_of_closed_days_are_refused_unless_they_are_to_be_kept() {
    let (database, files) = (one_stock().await, Files::new());
    // The last is in the future, and the first is out of the calendar.
    let fine = "ex_date,dividend\n1997-07-04,1\n2024-07-05,1\n2034-06-02,1\n";
    let fine = files.write("fine.csv", fine);
    assert_eq!(ingest(&database, "actions", &fine, &[]).code, Some(0));
    let rows =
        "ex_date,dividend,split\n2024-07-04,1,\n2024-07-06,,2\n2034-06-04,1,\n2024-07-07,0,1\n";
    let file = files.write("closed.csv", rows);
    let refused = ingest(&database, "actions", &file, &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for (line, reason) in [(2, "Independence Day"), (3, "weekend"), (4, "weekend")] {
        let expected = format!(
            "line {line}, column ex_date: expected a trading day, but the exchange was closed \
             ({reason}); --closed-days keep loads the row"
        );
        assert!(refused.stderr.contains(&expected), "{refused:?}");
    }
    // A row of a history without an event is no action.
    assert!(!refused.stderr.contains("line 5"), "{refused:?}");
    let kept = ingest(&database, "actions", &file, &["--closed-days", "keep"]);
    let text = "3 rows are of days on which the exchange was closed";
    assert!(kept.code == Some(0) && kept.stderr.contains(text), "{kept:?}");
    let stocks = ["ingest", "stocks", &file, "--closed-days", "keep"];
    assert_eq!(database.output(&stocks).code, Some(2));
}

#[tokio::test]
async fn an_ex_date_after_the_delisting_is_refused() {
    let (database, files) = (one_stock().await, Files::new());
    let delist = ["stocks", "delist", "WIDG", "--on", "2024-07-05"];
    assert_eq!(database.output(&delist).code, Some(0));
    let last = files.write("last.csv", "ex_date,dividend\n2024-07-05,1\n");
    assert_eq!(ingest(&database, "actions", &last, &[]).code, Some(0));
    let later = files.write("later.csv", "ex_date,dividend\n2024-07-08,1\n");
    let refused = ingest(&database, "actions", &later, &["--closed-days", "keep"]);
    let message = "line 2, column ex_date: expected no day after 2024-07-05, on which WIDG was \
                   delisted (tickerd stocks relist)";
    assert!(refused.code == Some(1) && refused.stderr.contains(message), "{refused:?}");
}

#[tokio::test]
async fn days_of_an_exchange_without_a_known_calendar_are_not_judged() {
    let (database, files) = (Database::empty().await, Files::new());
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let exchange = "INSERT INTO exchanges (code, name, time_zone, closes_at)
                    VALUES ('TADAWUL', 'Saudi Exchange', 'Asia/Riyadh', '15:00')";
    database.connect().await.batch_execute(exchange).await.unwrap();
    database.load("stocks", "symbol,name,exchange,currency\nWIDG,Widget,TADAWUL,SAR\n");
    // A Sunday, on which that exchange trades.
    let file = files.write("sunday.csv", flat_rows(&[("2024-07-07", 10.0, 5)]));
    let named = "1 rows are on a Saturday or Sunday, of which no calendar is known";
    let said = ingest(&database, "prices", &file, &[]);
    assert!(said.code == Some(0) && said.stderr.contains(named), "{said:?}");
    let file = files.write("actions.csv", "ex_date,dividend\n2024-07-07,1\n");
    let said = ingest(&database, "actions", &file, &[]);
    assert!(said.code == Some(0) && said.stderr.contains(named), "{said:?}");
}

#[tokio::test]
async fn weekends_before_the_calendar_of_an_exchange_are_named() {
    let (database, files) = (one_stock().await, Files::new());
    let rows = [("1995-06-02", 10.0, 5), ("1995-06-03", 10.0, 5), ("1995-06-04", 10.0, 5)];
    let file = files.write("weekend.csv", flat_rows(&rows));
    let report = ingest(&database, "prices", &file, &["--json"]).json();
    assert_eq!((&report["added"], &report["rowsOfUnknownWeekends"]), (&3.into(), &2.into()));
    // Of these days, the calendar is known.
    let file = files.write("known.csv", flat_rows(&[("2024-07-05", 10.0, 5)]));
    let report = ingest(&database, "prices", &file, &["--json"]).json();
    assert_eq!(report["rowsOfUnknownWeekends"], serde_json::Value::Null);
}

#[tokio::test]
async fn split_adjusted_prices_beside_the_split_are_refused_and_converted_on_request() {
    let (database, files) = (one_stock().await, Files::new());
    let prices = files.write("adjusted.csv", flat_rows(&ADJUSTED));
    let split = files.write("split.csv", SPLIT);
    assert_eq!(ingest(&database, "actions", &split, &[]).code, Some(0));
    let refused = ingest(&database, "prices", &prices, &[]);
    let expected = "WIDG: at the split of 2023-06-05 the close moved by +1.5 %, from \
                    50.368500000000004 to 51.1; as traded it would move by about -95 %\n\
                    --prices-are split-adjusted converts adjusted prices, --prices-are raw loads \
                    all as it is";
    assert!(refused.code == Some(1) && refused.stderr.contains(expected), "{refused:?}");
    assert_eq!(bars(&database).await, Vec::<String>::new());
    let converted = ingest(&database, "prices", &prices, &["--prices-are", "split-adjusted"]);
    assert_eq!(converted.code, Some(0), "{converted:?}");
    assert!(
        converted.stderr.contains("2 rows converted from split-adjusted to as traded"),
        "{converted:?}"
    );
    assert_eq!(bars(&database).await, AS_TRADED);
    // The same file again changes nothing.
    let again = ["--prices-are", "split-adjusted", "--json"];
    let report = ingest(&database, "prices", &prices, &again).json();
    let counts = ["added", "changed", "unchanged", "converted", "stocksTouched"];
    assert_eq!(counts.map(|count| report[count].as_i64().unwrap()), [0, 0, 4, 2, 0], "{report}");
    assert_eq!(bars(&database).await, AS_TRADED);
}

#[tokio::test]
async fn a_split_that_stored_prices_already_contain_is_refused_and_they_are_converted_on_request() {
    let (database, files) = (one_stock().await, Files::new());
    let prices = files.write("adjusted.csv", flat_rows(&ADJUSTED));
    let split = files.write("split.csv", SPLIT);
    assert_eq!(ingest(&database, "prices", &prices, &[]).code, Some(0));
    let before = bars(&database).await;
    let refused = ingest(&database, "actions", &split, &[]);
    assert!(refused.code == Some(1), "{refused:?}");
    assert!(refused.stderr.contains("WIDG: at the split of 2023-06-05"), "{refused:?}");
    assert_eq!(bars(&database).await, before);
    let convert = ["--prices-are", "split-adjusted"];
    for report in ["1 added", "0 added, 0 changed, 1 unchanged; 0 stocks touched"] {
        let loaded = ingest(&database, "actions", &split, &convert);
        assert!(loaded.code == Some(0) && loaded.stderr.contains(report), "{loaded:?}");
        assert_eq!(bars(&database).await, AS_TRADED);
    }
    // The adjusted closes are computed from the converted prices.
    let adjusted = "SELECT round(adjusted_close::numeric, 4)::text FROM prices ORDER BY date";
    assert_eq!(database.texts(adjusted).await[..2], ["50.1250", "50.3685"]);
}

#[tokio::test]
async fn the_operator_can_insist_that_prices_are_raw() {
    let (database, files) = (one_stock().await, Files::new());
    let prices = files.write("odd.csv", flat_rows(&ADJUSTED));
    let split = files.write("split.csv", SPLIT);
    assert_eq!(ingest(&database, "prices", &prices, &[]).code, Some(0));
    let before = bars(&database).await;
    let insisted = ingest(&database, "actions", &split, &["--prices-are", "raw"]);
    assert_eq!((insisted.code, bars(&database).await), (Some(0), before), "{insisted:?}");
    // One decision is enough: what is loaded again, and new bars, are not asked about.
    for (kind, file) in [("actions", &split), ("prices", &prices)] {
        assert_eq!(ingest(&database, kind, file, &[]).code, Some(0), "{kind}");
    }
    let next = files.write("next.csv", flat_rows(&[("2023-06-07", 50.9, 5)]));
    assert_eq!(ingest(&database, "prices", &next, &[]).code, Some(0));
}

#[tokio::test]
async fn prices_as_traded_are_never_converted() {
    let (database, files) = (one_stock().await, Files::new());
    database.load("stocks", "symbol,name,exchange,currency\nRAWC,Raw Corp,NYSE,USD\n");
    let raw = "symbol,date,open,high,low,close,volume\n\
               RAWC,2023-06-02,1000,1000,1000,1000,5\nRAWC,2023-06-05,51,51,51,51,100\n";
    let adjusted =
        flat_rows(&ADJUSTED).replace("\n20", "\nWIDG,20").replacen("date", "symbol,date", 1);
    database.load("prices", raw);
    database.load("prices", &adjusted);
    // Of two stocks in one file of splits, only the one with adjusted prices is converted.
    let splits = "symbol,ex_date,split_from,split_to\nWIDG,2023-06-05,1,20\nRAWC,2023-06-05,1,20\n";
    let splits = files.write("splits.csv", splits);
    let convert = ["--prices-are", "split-adjusted"];
    let loaded = database.output(&[["ingest", "actions", &splits].as_slice(), &convert].concat());
    assert!(loaded.code == Some(0), "{loaded:?}");
    let closes = "SELECT concat_ws(' ', symbol, date, close) FROM prices
                  JOIN stocks ON id = stock_id WHERE date < '2023-06-05' ORDER BY symbol, date";
    let expected = ["RAWC 2023-06-02 1000", "WIDG 2023-06-01 1002.5", "WIDG 2023-06-02 1007.37"];
    assert_eq!(database.texts(closes).await, expected);
    // A file that is said to be adjusted and is not would be converted twice.
    let raw = files.write("raw.csv", raw);
    let refused = database.output(&[["ingest", "prices", &raw].as_slice(), &convert].concat());
    let message = "some prices would be converted that are not split-adjusted:\n  RAWC: at the \
                   split of 2023-06-05 the close moved by -99.7 %";
    assert!(refused.code == Some(1) && refused.stderr.contains(message), "{refused:?}");
    assert_eq!(database.texts(closes).await, expected);
}

#[tokio::test]
async fn a_split_that_is_turned_round_is_refused() {
    let (database, files) = (one_stock().await, Files::new());
    let rows = [("2023-06-02", 1007.37, 100), ("2023-06-05", 51.1, 2000)];
    let prices = files.write("p.csv", flat_rows(&rows));
    assert_eq!(ingest(&database, "prices", &prices, &[]).code, Some(0));
    let wrong = files.write("s.csv", "ex_date,split_from,split_to\n2023-06-05,20,1\n");
    let refused = ingest(&database, "actions", &wrong, &[]);
    let message = "a split is turned round:\n  WIDG: at the split of 2023-06-05 the close moved by \
                   -94.9 %, from 1007.37 to 51.1; as traded it would move by about +1900 %";
    assert!(refused.code == Some(1) && refused.stderr.contains(message), "{refused:?}");
    assert_eq!(ingest(&database, "actions", &files.write("s.csv", SPLIT), &[]).code, Some(0));
}

#[tokio::test]
async fn dividends_that_are_divided_by_later_splits_are_converted_on_request() {
    let (database, files) = (one_stock().await, Files::new());
    // As yfinance writes them: 0.25 was paid before the two splits, 0.5 between them.
    let actions = "date,dividends,stock splits\n2020-02-07,0.0125,0\n2020-08-31,0,4\n\
                   2021-02-05,0.1,0\n2023-06-05,0,5\n2023-08-04,0.3,0\n";
    let file = files.write("actions.csv", actions);
    let convert = ["--dividends-are", "split-adjusted"];
    for added in [5, 0] {
        let report =
            ingest(&database, "actions", &file, &[&convert[..], &["--json"]].concat()).json();
        assert_eq!(
            (&report["added"], &report["converted"]),
            (&added.into(), &2.into()),
            "{report}"
        );
        let dividends = "SELECT dividend::text FROM corporate_actions WHERE kind = 'dividend'
                         ORDER BY ex_date";
        assert_eq!(database.texts(dividends).await, ["0.25", "0.5", "0.3"]);
    }
}

#[tokio::test]
async fn converted_numbers_are_the_exact_ones_and_a_tie_is_rounded_to_the_even_digit() {
    // Times 5 / 3 * 6, times 6, and as it is. Of the ends 05, 15 and 105, the 5 is the tie.
    let splits = "ex_date,split_from,split_to\n2023-06-05,3,5\n2023-06-06,1,6\n";
    let rows = "2023-06-02,0.20000000015,0.20000000015,0.2,0.20000000005,25\n\
                2023-06-05,0.20000000175,0.20000000175,0.2,0.2,15\n2023-06-06,0.2,0.2,0.2,0.2,9\n";
    let dividends = "ex_date,dividend\n2023-06-02,0.20000000005\n2023-06-05,0.20000000175\n";
    let (database, files) = (one_stock().await, Files::new());
    let splits = files.write("splits.csv", splits);
    let dividends = files.write("dividends.csv", dividends);
    let prices = files.write("prices.csv", format!("{HEADER}\n{rows}"));
    assert_eq!(ingest(&database, "actions", &splits, &[]).code, Some(0));
    let convert = ["--prices-are", "split-adjusted"];
    let loaded = ingest(&database, "prices", &prices, &convert);
    assert_eq!(loaded.code, Some(0), "{loaded:?}");
    let loaded = ingest(&database, "actions", &dividends, &["--dividends-are", "split-adjusted"]);
    assert_eq!(loaded.code, Some(0), "{loaded:?}");
    let sql = "SELECT concat_ws(' ', open, low, close, volume) FROM prices ORDER BY date";
    let expected = ["2.000000002 2 2 2", "1.20000001 1.2 1.2 2", "0.2 0.2 0.2 9"];
    assert_eq!(database.texts(sql).await, expected);
    let sql = "SELECT dividend::text FROM corporate_actions WHERE kind = 'dividend'
               ORDER BY ex_date";
    assert_eq!(database.texts(sql).await, ["2", "1.20000001"]);
}

#[tokio::test]
async fn prices_in_another_currency_than_the_stocks_are_refused() {
    let (database, files) = (one_stock().await, Files::new());
    let rows = |currency: &str| format!("{HEADER},currency\n2024-07-05,10,10,10,10,5,{currency}\n");
    for other in ["GBp", "EUR", "dollars"] {
        let refused = ingest(&database, "prices", &files.write("p.csv", rows(other)), &[]);
        let message = "line 2, column currency: expected USD, the currency of WIDG";
        assert!(refused.code == Some(1) && refused.stderr.contains(message), "{refused:?}");
    }
    for same in ["USD", "usd", ""] {
        let loaded = ingest(&database, "prices", &files.write("p.csv", rows(same)), &[]);
        assert_eq!(loaded.code, Some(0), "{loaded:?}");
    }
}

#[tokio::test]
async fn a_split_without_a_bar_after_it_converts_nothing_yet() {
    let (database, files) = (one_stock().await, Files::new());
    let prices = files.write("p.csv", flat_rows(&ADJUSTED[..2]));
    assert_eq!(ingest(&database, "prices", &prices, &[]).code, Some(0));
    let before = bars(&database).await;
    let split = files.write("split.csv", SPLIT);
    let convert = ["--prices-are", "split-adjusted"];
    for (kind, file) in [("actions", &split), ("prices", &prices)] {
        let loaded = ingest(&database, kind, file, &convert);
        assert_eq!((loaded.code, bars(&database).await), (Some(0), before.clone()), "{loaded:?}");
    }
}

#[tokio::test]
async fn prices_as_traded_pass_at_splits_of_any_ratio_and_over_gaps() {
    let (database, files) = (one_stock().await, Files::new());
    let splits = "ex_date,split_from,split_to\n2023-06-05,1,20\n2023-07-03,10,1\n2023-08-01,20,21\n\
                  2024-03-01,1,2\n";
    assert_eq!(ingest(&database, "actions", &files.write("s.csv", splits), &[]).code, Some(0));
    let rows = [
        ("2023-06-02", 1000.0, 10),
        ("2023-06-05", 51.0, 10),
        ("2023-06-30", 50.0, 10),
        ("2023-07-03", 490.0, 10),
        ("2023-07-31", 490.0, 10),
        ("2023-08-01", 489.0, 10),
        // Half a year without bars: the price may have doubled since.
        ("2024-03-04", 480.0, 10),
    ];
    let loaded = ingest(&database, "prices", &files.write("p.csv", flat_rows(&rows)), &[]);
    assert_eq!(loaded.code, Some(0), "{loaded:?}");
}
