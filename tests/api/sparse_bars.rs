//! Bars of weeks or months are refused, and those of stocks that trade seldom are loaded.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use rand::{RngExt, SeedableRng};
use tickerd::market::{Calendar, parse_date};

use crate::support::{Database, Files};

/// A database with the stocks S0, S1, ...
async fn with_stocks(count: usize) -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let rows = (0..count).map(|at| format!("S{at},Stock {at},NYSE,USD\n"));
    database.load("stocks", &("symbol,name,exchange,currency\n".to_owned() + &join(rows)));
    database
}

fn join(rows: impl Iterator<Item = String>) -> String {
    rows.collect()
}

fn trading_days(from: &str, to: &str) -> Vec<NaiveDate> {
    let day = |text| parse_date(text).unwrap();
    Calendar::US.trading_days(day(from), day(to)).collect()
}

fn bars(stocks: &[Vec<NaiveDate>]) -> String {
    let row = |at: usize, date: &NaiveDate| format!("S{at},{date},10,11,9,10,5\n");
    let stocks = stocks.iter().enumerate();
    let rows = stocks.flat_map(|(at, dates)| dates.iter().map(move |date| row(at, date)));
    "symbol,date,open,high,low,close,volume\n".to_owned() + &join(rows)
}

/// The first and the last trading days of all weeks or months.
fn edges<K: Ord>(days: &[NaiveDate], period: impl Fn(&NaiveDate) -> K) -> [Vec<NaiveDate>; 2] {
    let mut periods: BTreeMap<K, Vec<NaiveDate>> = BTreeMap::new();
    for day in days {
        periods.entry(period(day)).or_default().push(*day);
    }
    let first = periods.values().map(|days| days[0]).collect();
    [first, periods.values().map(|days| days[days.len() - 1]).collect()]
}

#[tokio::test]
async fn bars_of_weeks_or_months_on_their_first_or_last_days_are_refused_unless_kept() {
    let (database, files) = (with_stocks(1).await, Files::new());
    let days = trading_days("2014-01-01", "2023-12-31");
    let weeks = edges(&days, |day| (day.iso_week().year(), day.iso_week().week()));
    let months = edges(&days, |day| (day.year(), day.month()));
    // The newest bar may be of an unfinished week, and ten weeks are enough.
    let unfinished = [&weeks[0][..10], &[weeks[0][10] + chrono::TimeDelta::days(2)]].concat();
    let half_a_year = months[1][..7].to_vec();
    for (dates, period) in [
        (weeks[0].clone(), "one a week"),
        (weeks[1].clone(), "one a week"),
        (unfinished, "one a week"),
        (months[0].clone(), "one a month"),
        (months[1].clone(), "one a month"),
        (half_a_year, "one a month"),
    ] {
        let file = files.write("sparse.csv", bars(std::slice::from_ref(&dates)));
        let refused = database.output(&["ingest", "prices", &file]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let judged = &dates[..dates.len() - 1];
        let expected = format!(
            "S0: {} bars from {} to {}, {period}",
            judged.len(),
            judged[0],
            judged[judged.len() - 1]
        );
        assert!(refused.stderr.contains(&expected), "{expected}: {refused:?}");
        assert!(refused.stderr.contains("--sparse-bars keep"), "{refused:?}");
        assert_eq!(database.texts("SELECT count(*)::text FROM prices").await, ["0"]);
    }
    let file = files.write("sparse.csv", bars(&[weeks[1].clone()]));
    let kept = database.output(&["ingest", "prices", &file, "--sparse-bars", "keep", "--json"]);
    assert_eq!(kept.json()["added"], weeks[1].len(), "{kept:?}");
    assert_eq!(kept.json()["stocksWithSparseBars"], 1, "{kept:?}");
}

#[tokio::test]
async fn stocks_that_trade_seldom_are_loaded() {
    const STOCKS: usize = 600;
    let (database, files) = (with_stocks(STOCKS).await, Files::new());
    let days = trading_days("2021-01-01", "2023-12-31");
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    // From one bar a quarter to one every other day, and from a few bars to hundreds.
    let stocks: Vec<_> = (0..STOCKS)
        .map(|_| {
            let share = 0.5_f64.powf(random.random_range(1.0..6.0));
            let first = random.random_range(0..days.len() - 20);
            let traded = days[first..].iter().filter(|_| random.random_bool(share));
            traded.copied().collect::<Vec<_>>()
        })
        .collect();
    let file = files.write("thin.csv", bars(&stocks));
    let report = database.output(&["ingest", "prices", &file, "--json"]).json();
    assert_eq!(report["added"], stocks.iter().map(Vec::len).sum::<usize>(), "{report}");
    // One bar every other week, on one weekday.
    let fridays = days.iter().filter(|day| day.weekday() == chrono::Weekday::Fri);
    let every_other: Vec<_> = fridays.step_by(2).copied().collect();
    let file = files.write("every_other.csv", bars(&[every_other]));
    assert_eq!(database.output(&["ingest", "prices", &file]).code, Some(0));
}

#[tokio::test]
async fn the_option_is_refused_for_other_files() {
    let database = with_stocks(1).await;
    let output = database.output(&["ingest", "actions", "a.csv", "--sparse-bars", "keep"]);
    assert_eq!(output.code, Some(2), "{output:?}");
}
