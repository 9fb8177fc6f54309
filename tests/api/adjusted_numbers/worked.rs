//! The examples of docs/adjusted-prices.md.

use crate::documents::read;
use crate::support::{App, Database};

const PAGE: &str = "docs/adjusted-prices.md";

/// A database with the prices and the actions of the page.
async fn database(page: &str) -> Database {
    let blocks = blocks(page);
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let stocks = ["SPLIT", "DIVI", "BOTH", "SPECIAL"]
        .map(|symbol| format!("{symbol},An example,NYSE,USD\n"));
    database.load("stocks", &format!("symbol,name,exchange,currency\n{}", stocks.concat()));
    database.load("prices", blocks[0]);
    database.load("actions", blocks[1]);
    database
}

/// The CSV blocks of the page: prices, actions and the answer.
fn blocks(page: &str) -> [&str; 3] {
    let blocks: Vec<_> = page.split("```csv\n").skip(1).collect();
    let blocks: Vec<_> = blocks.iter().map(|block| block.split("```").next().unwrap()).collect();
    blocks.try_into().expect("three blocks")
}

#[tokio::test]
async fn the_examples_worked_by_hand_are_what_the_server_answers() {
    let page = read(PAGE);
    let database = database(&page).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (_, request) = page.split_once("`GET /api/prices").expect("a request");
    let path = format!("/api/prices{}", request.split('`').next().unwrap());
    let answer = app.get(&key, &path).await.text().await.unwrap().replace("\r\n", "\n");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, page.replace(blocks(&page)[2], &answer)).unwrap();
    }
    assert_eq!(answer, blocks(&read(PAGE))[2]);
    // The table of factors ends in the same closes.
    for row in answer.lines().skip(1) {
        let fields: Vec<_> = row.split(',').collect();
        let line = page.lines().find(|line| line.starts_with(&format!("| {} |", fields[0])));
        let by_hand = line.unwrap().trim_end_matches(" |").rsplit(' ').next().unwrap();
        assert_eq!((fields[5], fields[6]), (by_hand, by_hand), "{row}");
    }
}

#[tokio::test]
async fn the_quote_worked_by_hand_is_what_the_server_answers() {
    let page = read(PAGE);
    let database = database(&page).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (_, quote) = app.json(&key, "/api/stocks/SPLIT/quote").await;
    let sentence = page.split("/api/stocks/SPLIT/quote` answers").nth(1).expect("a sentence");
    let words: Vec<_> = sentence.split([' ', '\n']).collect();
    for (name, value) in [("previousClose", 50.3685), ("change", 0.7315), ("changePercent", 1.4523)]
    {
        assert_eq!(quote[name], value, "{quote}");
        assert!(words.iter().any(|word| word.trim_end_matches(['.', ',']) == value.to_string()));
    }
}
