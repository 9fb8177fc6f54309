//! Two dividends of one stock, day and type are refused with what to write, or added on request.

use crate::support::{CommandOutput, Database, Files};

async fn with_stock() -> (Database, Files) {
    let (database, files) = (Database::empty().await, Files::new());
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", "symbol,name,exchange,currency\nWIDG,Widget Corp,NYSE,USD\n");
    (database, files)
}

const ADD: [&str; 2] = ["--same-day-dividends", "add"];

fn load(database: &Database, file: &str, options: &[&str]) -> CommandOutput {
    database.output(&[&["ingest", "actions", file], options].concat())
}

async fn stored(database: &Database) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', ex_date, type, dividend, pay_date, frequency, is_type_stated)
               FROM corporate_actions ORDER BY ex_date, type";
    database.texts(sql).await
}

#[tokio::test]
async fn two_amounts_of_one_day_and_type_are_refused_with_what_to_write_and_added_on_request() {
    let (database, files) = (with_stock().await.0, Files::new());
    let rows = "symbol,ex_date,dividend\nWIDG,2024-01-04,0.1\nWIDG,2024-01-04,0.2\n\
                WIDG,2024-01-04,0.1\nWIDG,2024-04-04,0.3\nWIDG,2024-04-04,0.30\n";
    let file = files.write("dividends.csv", rows);
    let refused = load(&database, &file, &[]);
    let expected = "line 3: expected one row for each symbol, ex_date and type of action, found a \
                    duplicate of line 2; if both were paid, give one of them another type, or \
                    write their sum (--same-day-dividends add)";
    assert!(refused.code == Some(1) && refused.stderr.contains(expected), "{refused:?}");
    // The sum is exact, and a row that repeats another one counts once.
    for (added, unchanged) in [(2, 0), (0, 2)] {
        let report = load(&database, &file, &[&ADD[..], &["--json"]].concat()).json();
        for (field, count) in [
            ("added", added),
            ("unchanged", unchanged),
            ("summedDividends", 1),
            ("identicalRows", 2),
        ] {
            assert_eq!(report[field], count, "{field}: {report}");
        }
        assert_eq!(stored(&database).await, ["2024-01-04 cash 0.3 f", "2024-04-04 cash 0.3 f"]);
    }
    let said = load(&database, &file, &ADD).stderr;
    assert!(said.contains("1 dividends are the sums of several rows of a day and type"), "{said}");
}

#[tokio::test]
async fn dividends_that_differ_in_more_than_the_amount_are_added_with_what_they_share() {
    let (database, files) = with_stock().await;
    let rows = "symbol,ex_date,dividend,type,pay_date,frequency,split\n\
                WIDG,2024-01-04,0.5,cash,2024-02-01,4,\nWIDG,2024-01-04,1,special,2024-02-01,,\n\
                WIDG,2024-01-04,0.25,cash,2024-02-02,4,2:1\n";
    let file = files.write("dividends.csv", rows);
    assert_eq!(load(&database, &file, &ADD).code, Some(0));
    let expected = [
        "2024-01-04 cash 0.75 4 t",
        "2024-01-04 special 1 2024-02-01 t",
        "2024-01-04 split 2024-02-02 4 f",
    ];
    assert_eq!(stored(&database).await, expected);
}

#[tokio::test]
async fn one_amount_with_two_pay_dates_may_be_one_dividend_and_is_never_added() {
    let (database, files) = with_stock().await;
    let rows = "symbol,ex_date,dividend,pay_date\nWIDG,2024-01-04,0.5,\n\
                WIDG,2024-01-04,0.5,2024-02-01\n";
    let file = files.write("dividends.csv", rows);
    let refused = load(&database, &file, &ADD);
    assert!(refused.code == Some(1) && refused.stderr.contains("line 3: "), "{refused:?}");
    // Splits are never added.
    let rows = "symbol,ex_date,split\nWIDG,2024-01-04,2:1\nWIDG,2024-01-04,3:1\n";
    let refused = load(&database, &files.write("splits.csv", rows), &ADD);
    assert!(refused.code == Some(1) && !refused.stderr.contains("same-day"), "{refused:?}");
    assert_eq!(stored(&database).await, [""; 0]);
    let usage = database.output(&[&["ingest", "prices", &file], &ADD[..]].concat());
    assert_eq!(usage.code, Some(2), "{usage:?}");
}
