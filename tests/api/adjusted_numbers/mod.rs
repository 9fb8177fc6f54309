//! Every shape of an adjusted number is the exact one, rounded once.

mod exact;
mod history;
mod worked;

use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;

use self::exact::Fraction;
use self::history::{Effect, History, Of, RawBar, date};
use crate::support::{App, Database, Files};

const STOCKS: usize = 60;

/// Random histories, the same in each run.
fn histories() -> Vec<(String, History)> {
    let mut runner = TestRunner::deterministic();
    let strategy = history::history();
    let next = |n| (format!("R{n}"), strategy.new_tree(&mut runner).unwrap().current());
    (0..STOCKS).map(next).collect()
}

/// Loads the histories, with these kinds of files in this order.
async fn loaded(histories: &[(String, History)], order: [&str; 2]) -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let mut stocks = "symbol,name,exchange,currency\n".to_owned();
    let mut prices = "symbol,date,open,high,low,close,volume\n".to_owned();
    let mut actions = "symbol,ex_date,split_from,split_to,dividend,type\n".to_owned();
    for (symbol, history) in histories {
        stocks += &format!("{symbol},Random,NYSE,USD\n");
        for RawBar { day, prices: [open, high, low, close], volume } in &history.bars {
            let date = date(*day);
            prices += &format!("{symbol},{date},{open},{high},{low},{close},{volume}\n");
        }
        for action in &history.actions {
            let date = date(action.day);
            actions += &match &action.effect {
                Effect::Split { from, to } => format!("{symbol},{date},{from},{to},,split\n"),
                Effect::SpinOff { from, to } => format!("{symbol},{date},{from},{to},,spin_off\n"),
                Effect::Dividend { amount, kind } => format!("{symbol},{date},,,{amount},{kind}\n"),
            };
        }
    }
    database.load("stocks", &stocks);
    // Random prices do not fall at splits, and random days are no trading days.
    let files = Files::new();
    let options = ["--closed-days", "keep", "--prices-are", "raw"];
    for kind in order {
        let file = files.write(kind, if kind == "prices" { &prices } else { &actions });
        let output = database.output(&[&["ingest", kind, &file], options.as_slice()].concat());
        assert_eq!(output.code, Some(0), "{output:?}");
    }
    database
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The significant digits of a number as the response writes it.
fn digits(value: &Value) -> usize {
    let text = value.to_string();
    let (mantissa, _) = text.split_once('e').unwrap_or((&text, ""));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').trim_end_matches('0').len()
}

fn prices_of(row: &Value) -> [f64; 4] {
    ["open", "high", "low", "close"].map(|name| number(&row[name]))
}

async fn rows(app: &App, key: &str, symbol: &str, query: &str) -> Vec<Value> {
    let start = if query.contains("start=") { "" } else { "start=2020-01-01&" };
    let path = format!("/api/stocks/{symbol}/prices?{start}order=asc&{query}");
    let (status, body) = app.json(key, &path).await;
    assert_eq!(status, 200, "{path}: {body}");
    body["prices"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_shape_of_a_price_is_the_exact_number_rounded_once() {
    let histories = histories();
    let database = loaded(&histories, ["prices", "actions"]).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("enterprise"));
    let mut adjusted = 0;
    for (symbol, history) in &histories {
        let daily = check_prices(&app, &key, symbol, history, "").await;
        adjusted += daily[0].iter().zip(&daily[2]).filter(|(none, all)| none != all).count();
        check_quote(&app, &key, symbol, history, "").await;
        for (adjust, daily) in [("splits", &daily[1]), ("all", &daily[2])] {
            let months = format!("adjust={adjust}&interval=1mo");
            check_months(&rows(&app, &key, symbol, &months).await, daily);
            check_chart(&app, &key, symbol, adjust, daily).await;
        }
    }
    assert!(adjusted > 400, "{adjusted}");
    let of = |(_, history): &(_, History)| history.dividends_before_a_split_without_a_bar();
    let between_bars = histories.iter().map(of).sum::<usize>();
    assert!(between_bars > 20, "{between_bars}");
}

/// The numbers of an earlier time follow from the bars and actions of then.
#[tokio::test]
async fn prices_as_of_an_earlier_time_are_the_exact_numbers_of_then() {
    let histories = histories();
    let database = loaded(&histories, ["prices", "actions"]).await;
    let sql = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC',
                              'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    let asof = format!("&asof={}", database.texts(sql).await[0]);
    let client = database.connect().await;
    let changes = "DELETE FROM corporate_actions WHERE ex_date < '2020-01-20';
                   UPDATE corporate_actions SET dividend = dividend * 2 WHERE dividend IS NOT NULL;
                   UPDATE prices SET close = low, volume = volume / 2;
                   UPDATE stocks SET data_version = next_revision()";
    client.batch_execute(&format!("BEGIN; {changes}; COMMIT")).await.unwrap();
    let (app, key) = (App::without_redis(&database).await, database.issue("enterprise"));
    for (symbol, history) in &histories {
        check_prices(&app, &key, symbol, history, &asof).await;
        check_quote(&app, &key, symbol, history, &asof).await;
    }
}

/// Checks the prices of a stock: not adjusted, for splits, and for all. Returns them.
async fn check_prices(
    app: &App,
    key: &str,
    symbol: &str,
    history: &History,
    asof: &str,
) -> [Vec<Value>; 3] {
    let [none, splits, all] = [
        rows(app, key, symbol, &format!("adjust=none{asof}")).await,
        rows(app, key, symbol, &format!("adjust=splits{asof}")).await,
        rows(app, key, symbol, &format!("adjust=all{asof}")).await,
    ];
    assert_eq!(none.len(), history.bars.len(), "{symbol}");
    for (n, bar) in history.bars.iter().enumerate() {
        let day = format!("{symbol} {}", date(bar.day));
        let raw = bar.prices.clone().map(|text| text.parse::<f64>().unwrap());
        let expected = [Of::Splits, Of::All].map(|of| history.prices(bar, of));
        assert_eq!(prices_of(&none[n]), raw, "{day}");
        assert_eq!(prices_of(&splits[n]), expected[0], "{day}");
        assert_eq!(prices_of(&all[n]), expected[1], "{day}");
        for rows in [&none, &splits, &all] {
            assert_eq!(number(&rows[n]["adjustedClose"]), expected[1][3], "{day}");
        }
        for rows in [&splits, &all] {
            assert_eq!(rows[n]["volume"], history.volume(bar), "{day}");
            for name in ["open", "high", "low", "close", "adjustedClose"] {
                assert!(digits(&rows[n][name]) <= 10, "{day}: {}", rows[n][name]);
            }
        }
    }
    [none, splits, all]
}

/// Prices that are loaded after the actions are adjusted by the load, not by an update of stored
/// ones.
#[tokio::test]
async fn adjusted_closes_of_prices_loaded_after_actions_are_exact() {
    let histories = histories();
    let database = loaded(&histories, ["actions", "prices"]).await;
    let sql = "SELECT symbol || ' ' || date || ' ' || adjusted_close
               FROM prices JOIN stocks ON id = stock_id";
    let found: BTreeSet<_> = database.texts(sql).await.into_iter().collect();
    let mut expected = 0;
    for (symbol, history) in &histories {
        for bar in &history.bars {
            let close = history.prices(bar, Of::All)[3];
            let row = format!("{symbol} {} {close}", date(bar.day));
            assert!(found.contains(&row), "{row}");
            expected += 1;
        }
    }
    assert_eq!(found.len(), expected);
}

/// With the adjusted closes of a feed, prices move as these do, which come back as loaded.
#[tokio::test]
async fn prices_adjusted_as_a_feeds_adjusted_close_are_exact() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("enterprise"));
    for symbol in ["AAPL", "IBM", "MSFT"] {
        let query = "start=2000-01-01&limit=1000";
        let [none, all] = [
            rows(&app, &key, symbol, query).await,
            rows(&app, &key, symbol, &format!("{query}&adjust=all")).await,
        ];
        for (none, all) in none.iter().zip(&all) {
            let decimal = |name: &str| Fraction::of(&plain(number(&none[name])));
            let factor = decimal("adjustedClose").over(&decimal("close"));
            for name in ["open", "high", "low"] {
                let price = decimal(name).times(&factor).with_ten_digits();
                let (shown, close) = (number(&all[name]), number(&all["close"]));
                assert!(digits(&all[name]) <= 10, "{symbol} {name}: {all}");
                // A high or low that equals the close is at most the next number beyond it.
                let is_beyond = match name {
                    "high" => shown >= close,
                    "low" => shown <= close,
                    _ => false,
                };
                let is_next = is_beyond && (shown / close - 1.0).abs() < 1e-9;
                let is_right = shown == price || (none[name] == none["close"] && is_next);
                assert!(is_right, "{symbol} {name}: {all} of {none}");
            }
            assert_eq!(all["close"], none["adjustedClose"]);
            assert_eq!(all["adjustedClose"], none["adjustedClose"]);
        }
    }
}

async fn check_quote(app: &App, key: &str, symbol: &str, history: &History, asof: &str) {
    let query = asof.replacen('&', "?", 1);
    let (_, quote) = app.json(key, &format!("/api/stocks/{symbol}/quote{query}")).await;
    let [before, latest] = history.bars.last_chunk().unwrap();
    let factor = history.factor(before.day, latest.day, Of::Splits);
    let previous = match factor.is_one() {
        true => before.prices[3].parse().unwrap(),
        false => before.close().times(&factor).with_ten_digits(),
    };
    assert_eq!(number(&quote["previousClose"]), previous, "{symbol}");
    assert_eq!(number(&quote["close"]), latest.prices[3].parse::<f64>().unwrap(), "{symbol}");
    assert!(digits(&quote["previousClose"]) <= 10, "{quote}");
    // As shown, the numbers add up: previousClose + change = close.
    let shown = |name: &str| Fraction::of(&plain(number(&quote[name]).abs()));
    let (close, previous, change) = (shown("close"), shown("previousClose"), shown("change"));
    let is_down = number(&quote["change"]) < 0.0;
    let sum = if is_down { close.plus(&change) } else { previous.plus(&change) };
    let whole = if is_down { &previous } else { &close };
    assert!(sum.over(whole).is_one(), "{quote}");
    let percent = change.times(&Fraction::of("100")).over(&previous).with_decimals(4);
    assert_eq!(number(&quote["changePercent"]).abs(), percent, "{quote}");
}

/// A number in full, without an exponent.
fn plain(number: f64) -> String {
    format!("{number}")
}

/// Months consist of the adjusted days as they are shown.
fn check_months(months: &[Value], daily: &[Value]) {
    let month = |row: &Value| row["date"].as_str().unwrap()[..7].to_owned();
    let groups: Vec<_> = daily.chunk_by(|a, b| month(a) == month(b)).collect();
    assert_eq!(months.len(), groups.len());
    for (row, days) in months.iter().zip(groups) {
        let of = |name: &str| days.iter().map(|day| number(&day[name])).collect::<Vec<_>>();
        let last = days.last().unwrap();
        let high = of("high").into_iter().fold(f64::MIN, f64::max);
        let low = of("low").into_iter().fold(f64::MAX, f64::min);
        assert_eq!(prices_of(row), [of("open")[0], high, low, number(&last["close"])], "{row}");
        assert_eq!(row["adjustedClose"], last["adjustedClose"]);
        let volume: u64 = days.iter().map(|day| day["volume"].as_u64().unwrap()).sum();
        assert_eq!(row["volume"], volume, "{row}");
    }
}

/// The figures of a chart are those of the adjusted closes.
async fn check_chart(app: &App, key: &str, symbol: &str, adjust: &str, daily: &[Value]) {
    let path = format!("/api/stocks/{symbol}/chart.svg?start=2020-01-01&adjust={adjust}");
    let image = app.get(key, &path).await.text().await.unwrap();
    let [first, last] = [daily.first(), daily.last()].map(|row| number(&row.unwrap()["close"]));
    let percent = (last / first - 1.0) * 100.0;
    let sign = if percent >= 0.0 { '+' } else { '\u{2212}' };
    let decimals = if last < 1.0 { 4 } else { 2 };
    let expected = format!("The last is {last:.decimals$} USD, {sign}{:.2} % since", percent.abs());
    assert!(image.contains(&expected), "{symbol} {adjust}: {expected} is not in {image}");
}
