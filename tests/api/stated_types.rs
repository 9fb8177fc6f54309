//! A dividend without a type may be the sum of its day. It is told apart from one whose type a file
//! has stated, so that no part of it is counted twice.

use crate::support::{CommandOutput, Database, Files};

const UNTYPED: &str = "symbol,ex_date,dividend\nPAIR,2024-05-10,1.25\n";
const REGULAR: &str = "symbol,ex_date,dividend,type\nPAIR,2024-05-10,0.35,cash\n";
const SPECIAL: &str = "symbol,ex_date,dividend,type\nPAIR,2024-05-10,0.9,special\n";
/// 21.5 * 20.25 / (20.25 + 1.25), of the sum or of both.
const OF_BOTH: [&str; 2] = ["20.25", "20.25"];

async fn pair() -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", "symbol,name,exchange,currency\nPAIR,Pair Motors,NYSE,USD\n");
    let prices = "symbol,date,open,high,low,close,volume\nPAIR,2024-05-09,21,21.6,20.8,21.5,800\n\
                  PAIR,2024-05-10,20.1,20.4,19.9,20.25,900\n";
    database.load("prices", prices);
    database
}

fn ingest(database: &Database, text: &str) -> CommandOutput {
    let file = Files::new();
    let file_name = file.write("rows.csv", text);
    database.output(&["ingest", "actions", &file_name, "--json", "--prices-are", "raw"])
}

async fn adjusted(database: &Database) -> Vec<String> {
    database.texts("SELECT adjusted_close::text FROM prices ORDER BY stock_id, date").await
}

/// The stored actions as `type value stated`, with `?` where it is not known.
async fn stored(database: &Database) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', type, coalesce(dividend, split_to / split_from),
                                coalesce(is_type_stated::text, '?'))
               FROM corporate_actions ORDER BY ex_date, type";
    database.texts(sql).await
}

#[tokio::test]
async fn a_dividend_of_another_type_beside_one_without_a_type_is_refused_and_never_added_to_it() {
    let both = format!("{REGULAR}{}", SPECIAL.lines().last().unwrap());
    let delete = ["actions", "delete", "--symbol", "PAIR", "--from", "2024-05-10", "--yes"];
    for files in [vec![both.as_str()], vec![REGULAR, SPECIAL], vec!["delete", SPECIAL, REGULAR]] {
        let database = pair().await;
        assert_eq!(ingest(&database, UNTYPED).code, Some(0));
        assert_eq!(adjusted(&database).await, OF_BOTH);
        let refused = ingest(&database, SPECIAL);
        let message = "line 2: PAIR has a dividend of 1.25 on 2024-05-10 whose type is not known, \
                       and which may include this one of the type special; load a row that states \
                       the type cash for that day, before or in the same file, or take the stored \
                       one back (tickerd actions delete --symbol PAIR --from 2024-05-10 --kind \
                       dividend)";
        assert!(refused.code == Some(1) && refused.stderr.contains(message), "{refused:?}");
        assert_eq!(adjusted(&database).await, OF_BOTH);
        // Each way that the message names.
        for file in files {
            let loaded = match file {
                "delete" => database.output(&[&delete[..], &["--kind", "dividend"]].concat()),
                rows => ingest(&database, rows),
            };
            assert_eq!(loaded.code, Some(0), "{loaded:?}");
        }
        assert_eq!(stored(&database).await, ["cash 0.35 true", "special 0.9 true"]);
        assert_eq!(adjusted(&database).await, OF_BOTH);
    }
}

#[tokio::test]
async fn a_type_that_is_stated_for_the_stored_amount_changes_nothing_that_is_served() {
    let database = pair().await;
    let same = UNTYPED.replace("1.25", "0.35");
    for (file, is_stated) in [(same.as_str(), false), (REGULAR, true), (&same, true)] {
        let report = ingest(&database, file).json();
        let added = i32::from(!is_stated);
        assert_eq!((&report["added"], &report["changed"]), (&added.into(), &0.into()), "{report}");
        assert_eq!(stored(&database).await, [format!("cash 0.35 {is_stated}")]);
    }
    assert_eq!(ingest(&database, SPECIAL).code, Some(0));
    // Another amount without a type may be the sum again.
    let database = pair().await;
    for file in [REGULAR, UNTYPED] {
        assert_eq!(ingest(&database, file).code, Some(0));
    }
    assert_eq!(stored(&database).await, ["cash 1.25 false"]);
    assert_eq!(ingest(&database, SPECIAL).code, Some(1));
}

/// Rows of the release before, which goes on writing while instances are replaced.
#[tokio::test]
async fn a_type_of_the_release_before_is_not_known_until_a_file_states_it() {
    let database = pair().await;
    let insert = "INSERT INTO corporate_actions (stock_id, ex_date, kind, type, dividend)
                  SELECT id, '2024-05-10', 'dividend', 'cash', 0.35 FROM stocks";
    database.connect().await.batch_execute(insert).await.unwrap();
    assert_eq!(stored(&database).await, ["cash 0.35 ?"]);
    let same = UNTYPED.replace("1.25", "0.35");
    assert_eq!(ingest(&database, &same).json()["unchanged"], 1);
    let refused = ingest(&database, SPECIAL);
    assert!(refused.code == Some(1) && refused.stderr.contains("is not known"), "{refused:?}");
    assert_eq!(ingest(&database, REGULAR).json()["unchanged"], 1);
    assert_eq!(ingest(&database, SPECIAL).json()["added"], 1);
}

#[tokio::test]
async fn a_correction_of_a_stored_dividend_passes_beside_one_without_a_type() {
    let database = pair().await;
    let mixed =
        "symbol,ex_date,dividend,type\nPAIR,2024-05-10,0.35,\nPAIR,2024-05-10,0.9,special\n";
    assert_eq!(ingest(&database, mixed).code, Some(0));
    assert_eq!(ingest(&database, &SPECIAL.replace("0.9", "1.15")).json()["changed"], 1);
    assert_eq!(stored(&database).await, ["cash 0.35 false", "special 1.15 true"]);
}

#[tokio::test]
async fn a_spin_off_beside_a_split_without_a_type_is_refused() {
    let database = pair().await;
    let split = "symbol,ex_date,split_from,split_to\nPAIR,2024-05-10,1,2\n";
    assert_eq!(ingest(&database, split).code, Some(0));
    let spin_off = "symbol,ex_date,split_from,split_to,type\nPAIR,2024-05-10,20,21,spin_off\n";
    let refused = ingest(&database, spin_off);
    let message = "line 2: PAIR has a split of 1 to 2 on 2024-05-10 whose type is not known";
    assert!(refused.code == Some(1) && refused.stderr.contains(message), "{refused:?}");
    assert_eq!(
        ingest(&database, &split.replace("to\n", "to,type\n").replace(",2\n", ",2,split\n")).code,
        Some(0)
    );
    assert_eq!(ingest(&database, spin_off).code, Some(0));
}

#[tokio::test]
async fn a_dividend_that_is_converted_is_compared_as_paid() {
    let database = pair().await;
    let known = "symbol,ex_date,split_from,split_to,dividend,type\nPAIR,2024-06-10,1,2,,split\n\
                 PAIR,2024-05-10,,,0.35,cash\n";
    assert_eq!(ingest(&database, known).code, Some(0));
    let files = Files::new();
    let same = files.write("same.csv", SPECIAL.replace("0.9", "0.175"));
    let load = ["ingest", "actions", &same, "--dividends-are", "split-adjusted"];
    let refused = database.output(&load);
    let message = "line 2: PAIR has an event of the type cash on 2024-05-10";
    assert!(refused.code == Some(1) && refused.stderr.contains(message), "{refused:?}");
}
