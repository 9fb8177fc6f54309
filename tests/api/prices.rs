//! Prices in the requested form: order, pages, adjustment, periods, columns, formats.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{App, Database, Files, header, optional_header};

const ALL: &str = "/api/stocks/AAPL/prices?start=2000-01-01";

async fn rows(app: &App, key: &str, path: &str) -> Vec<Value> {
    let (status, body) = app.json(key, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    body["prices"].as_array().unwrap().clone()
}

/// Every row of a response and of the pages after it, by following `next`.
async fn all_pages(app: &App, key: &str, path: &str) -> (Vec<Value>, usize) {
    let (mut path, mut rows, mut pages) = (path.to_owned(), Vec::new(), 0);
    loop {
        let answer = app.get(key, &path).await;
        let link = optional_header(&answer, "link").map(str::to_owned);
        let body: Value = answer.json().await.unwrap();
        rows.extend(
            body["prices"].as_array().unwrap_or_else(|| panic!("{path}: {body}")).iter().cloned(),
        );
        pages += 1;
        let Some(next) = body["next"].as_str() else {
            assert_eq!((&body["next"], link), (&Value::Null, None));
            return (rows, pages);
        };
        assert_eq!(link.as_deref(), Some(format!("<{next}>; rel=\"next\"").as_str()));
        next.clone_into(&mut path);
    }
}

fn dates(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["date"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_may_be_repeated_instead_of_separated_by_commas() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let get = async |query: &str| {
        let answer = app.get(&key, &format!("/api/prices?start=2012-12-24&{query}")).await;
        (header(&answer, "x-ratelimit-cost").to_owned(), answer.text().await.unwrap())
    };
    let (cost, commas) = get("symbols=AAPL,MSFT,IBM&columns=symbol,close").await;
    let repeated = "symbols=AAPL&columns=symbol&symbols=MSFT,IBM&columns=close";
    assert_eq!(get(repeated).await, (cost.clone(), commas));
    assert_eq!(cost, "3");
    let (_, twice) = get("symbols=AAPL&limit=1&limit=2").await;
    assert!(twice.contains("limit is given twice"), "{twice}");
}

#[tokio::test]
async fn pages_show_every_row_once_in_either_order_from_the_cache_too() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for cached in ["MISS", "HIT"] {
        let first = app.get(&key, &format!("{ALL}&limit=1000&order=desc")).await;
        assert_eq!(header(&first, "x-cache"), cached);
        let (newest_first, pages) = all_pages(&app, &key, &format!("{ALL}&limit=1000")).await;
        assert_eq!((newest_first.len(), pages), (3270, 4));
        let (mut oldest_first, pages) =
            all_pages(&app, &key, &format!("{ALL}&limit=999&order=asc")).await;
        assert_eq!((oldest_first.len(), pages), (3270, 4));
        assert_eq!(dates(&oldest_first)[0], "2000-03-01");
        oldest_first.reverse();
        assert_eq!(newest_first, oldest_first);
    }
    // A page that ends with the last row has no `next`.
    let (_, pages) = all_pages(&app, &key, &format!("{ALL}&end=2000-12-31&limit=70")).await;
    let (rows, _) = all_pages(&app, &key, &format!("{ALL}&end=2000-12-31&limit=70")).await;
    assert_eq!((rows.len(), pages), (212, 4));
}

#[tokio::test]
async fn a_load_between_two_pages_neither_hides_nor_repeats_a_row() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (_, first) = app.json(&key, &format!("{ALL}&limit=3")).await;
    let header_line = "symbol,date,open,high,low,close,volume,adjusted_close";
    database.load(
        "prices",
        &format!("{header_line}\nAAPL,2013-03-04,427.8,428.2,419,420.05,20812700,54.9\n"),
    );
    let (_, second) = app.json(&key, first["next"].as_str().unwrap()).await;
    let first = dates(first["prices"].as_array().unwrap()).join(" ");
    let second = dates(second["prices"].as_array().unwrap()).join(" ");
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("2013-03-01 2013-02-28 2013-02-27", "2013-02-26 2013-02-25 2013-02-22")
    );
}

#[tokio::test]
async fn ndjson_and_csv_have_all_rows_of_the_pages() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (pages, _) = all_pages(&app, &key, &format!("{ALL}&limit=1000")).await;
    let ndjson = app.get(&key, &format!("{ALL}&format=ndjson")).await;
    assert_eq!(
        (header(&ndjson, "content-type"), optional_header(&ndjson, "content-length")),
        ("application/x-ndjson", None)
    );
    let lines: Vec<Value> = ndjson
        .text()
        .await
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, pages);
    let csv = app
        .request("GET", ALL)
        .header("x-api-key", &key)
        .header("accept", "text/csv")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&csv, "content-type"), "text/csv; charset=utf-8");
    let csv = csv.text().await.unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names = reader.headers().unwrap().clone();
    assert_eq!(
        names.iter().collect::<Vec<_>>(),
        ["date", "open", "high", "low", "close", "adjustedClose", "volume"]
    );
    let records: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(records.len(), 3270);
    for (record, row) in records.iter().zip(&pages) {
        let text =
            |name: &str| row[name].as_str().map_or_else(|| row[name].to_string(), str::to_owned);
        assert!(record.iter().all(|(name, value)| *value == text(name)), "{record:?} {row}");
    }
}

#[tokio::test]
async fn a_stream_is_gzipped_for_clients_that_accept_it_and_head_reads_no_rows() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("USAGE_FLUSH_MS", "50")]).await;
    let (key, path) = (database.issue("pro"), format!("{ALL}&format=csv"));
    let head = app.request("HEAD", &path).header("x-api-key", &key).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), header(&head, "content-type")),
        (200, "text/csv; charset=utf-8")
    );
    let packed =
        app.request("GET", &path).header("x-api-key", &key).header("accept-encoding", "gzip");
    let packed = packed.send().await.unwrap();
    assert_eq!((header(&packed, "content-encoding"), header(&packed, "x-cache")), ("gzip", ""));
    let packed = packed.bytes().await.unwrap();
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).unwrap();
    assert!(packed.len() * 2 < unpacked.len(), "{} of {}", packed.len(), unpacked.len());
    crate::support::eventually(
        "usage counts only the bytes sent",
        Duration::from_secs(10),
        async || {
            database.output(&["usage", "--by", "key", "--json"]).json()[0]["bytes"] == packed.len()
        },
    )
    .await;
    assert_eq!(unpacked, app.get(&key, &path).await.text().await.unwrap());
}

#[tokio::test]
async fn few_periods_in_lines_are_cached_however_many_days_they_cover() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for cached in ["MISS", "HIT"] {
        let years = app.get(&key, &format!("{ALL}&format=csv&interval=1y")).await;
        assert_eq!(header(&years, "x-cache"), cached);
        assert_eq!(years.text().await.unwrap().lines().count(), 15);
    }
}

#[tokio::test]
async fn a_stock_that_is_renamed_between_two_pages_of_many_is_shown_once() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let path = "/api/prices?symbols=AAPL,IBM,MSFT&start=2013-02-26&limit=5";
    let (_, first) = app.json(&key, path).await;
    for (symbol, new) in [("MSFT", "AAB"), ("AAPL", "ZZZ")] {
        let renamed = database.output(&["stocks", "rename", symbol, new, "--from", "2013-03-04"]);
        assert_eq!(renamed.code, Some(0), "{renamed:?}");
    }
    let next = first["next"].as_str().unwrap();
    crate::support::eventually("the new symbol is served", Duration::from_secs(5), async || {
        let (rest, _) = all_pages(&app, &key, next).await;
        let symbols: Vec<_> = rest.iter().map(|row| row["symbol"].as_str().unwrap()).collect();
        symbols == ["IBM", "IBM", "IBM", "AAB", "AAB", "AAB", "AAB"]
    })
    .await;
}

#[tokio::test]
async fn few_lines_are_cached_many_are_streamed_and_usage_counts_the_bytes_sent() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let few = format!("{ALL}&format=csv&end=2000-12-31");
    let read = async |path: &str| -> (Option<String>, usize) {
        let answer: Response = app.get(&key, path).await;
        let cache = optional_header(&answer, "x-cache").map(str::to_owned);
        (cache, answer.bytes().await.unwrap().len())
    };
    let (miss, few_bytes) = read(&few).await;
    assert_eq!(
        (miss.as_deref(), read(&few).await),
        (Some("MISS"), (Some("HIT".to_owned()), few_bytes))
    );
    let (streamed, many_bytes) = read(&format!("{ALL}&format=csv")).await;
    assert!(streamed.is_none() && many_bytes > 200_000, "{streamed:?} {many_bytes}");
    let (link, page) = {
        let answer = app.get(&key, &format!("{ALL}&format=csv&limit=2")).await;
        (header(&answer, "link").to_owned(), answer.text().await.unwrap())
    };
    let next = link.strip_prefix('<').unwrap().split('>').next().unwrap();
    assert_eq!(
        (page.lines().count(), app.get(&key, next).await.text().await.unwrap().lines().count()),
        (3, 3)
    );
    let bytes = few_bytes * 2 + many_bytes + page.len() * 2;
    crate::support::eventually("usage is stored", Duration::from_secs(20), async || {
        let (_, usage) = app.json(&key, "/api/usage").await;
        let prices = usage["usage"]
            .as_array()
            .unwrap()
            .iter()
            .find(|used| used["route"].as_str().unwrap().ends_with("prices"));
        prices.is_some_and(|used| used["bytes"].as_u64().unwrap().abs_diff(bytes as u64) < 40)
    })
    .await;
}

#[tokio::test]
async fn adjusted_prices_are_in_todays_shares() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    // Two for one on 2005-02-28.
    let range = "/api/stocks/AAPL/prices?start=2005-02-25&end=2005-02-28";
    let raw = rows(&app, &key, range).await;
    assert_eq!(raw, rows(&app, &key, &format!("{range}&adjust=none")).await);
    let splits = rows(&app, &key, &format!("{range}&adjust=splits")).await;
    assert_eq!(splits[0], raw[0]);
    for name in ["open", "high", "low", "close"] {
        assert_eq!(
            splits[1][name].as_f64().unwrap(),
            raw[1][name].as_f64().unwrap() / 2.0,
            "{name}"
        );
    }
    assert_eq!(splits[1]["volume"].as_i64().unwrap(), raw[1]["volume"].as_i64().unwrap() * 2);
    let all = rows(&app, &key, &format!("{range}&adjust=all")).await;
    for (all, raw) in all.iter().zip(&raw) {
        assert_eq!(
            (&all["close"], &all["adjustedClose"]),
            (&raw["adjustedClose"], &raw["adjustedClose"])
        );
        let ratio = |row: &Value| row["high"].as_f64().unwrap() / row["close"].as_f64().unwrap();
        assert!((ratio(all) / ratio(raw) - 1.0).abs() < 1e-9);
    }
}

#[tokio::test]
async fn a_correction_of_a_split_shows_at_once_in_adjusted_prices() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let path = "/api/stocks/MSFT/prices?start=2013-02-28&end=2013-02-28&adjust=splits";
    let before = rows(&app, &key, path).await[0]["close"].as_f64().unwrap();
    let files = Files::new();
    let split = files.write("s.csv", "symbol,ex_date,split_from,split_to\nMSFT,2013-03-01,1,4\n");
    let loaded = database.output(&["ingest", "actions", &split, "--prices-are", "raw"]);
    assert_eq!(loaded.code, Some(0), "{loaded:?}");
    crate::support::eventually("the split is served", Duration::from_secs(5), async || {
        rows(&app, &key, path).await[0]["close"].as_f64() == Some(before / 4.0)
    })
    .await;
}

#[tokio::test]
async fn periods_are_whole_labelled_by_their_last_trading_day_and_marked_while_unfinished() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    // March 2013 has one day so far. January is complete although the range begins within it.
    let months = rows(&app, &key, "/api/stocks/MSFT/prices?start=2013-01-15&interval=1mo").await;
    assert_eq!(dates(&months), ["2013-03-01", "2013-02-28", "2013-01-31"]);
    let marks: Vec<_> = months.iter().map(|row| row["unfinished"].as_bool().unwrap()).collect();
    assert_eq!(marks, [true, false, false]);
    let january = rows(&app, &key, "/api/stocks/MSFT/prices?start=2013-01-01&end=2013-01-31").await;
    let of = |name: &str| january.iter().map(|row| row[name].as_f64().unwrap()).collect::<Vec<_>>();
    let (month, last) = (&months[2], january.len() - 1);
    assert_eq!(month["open"], january[last]["open"]);
    assert_eq!(
        (&month["close"], &month["adjustedClose"]),
        (&january[0]["close"], &january[0]["adjustedClose"])
    );
    assert_eq!(month["high"], of("high").into_iter().reduce(f64::max).unwrap());
    assert_eq!(month["low"], of("low").into_iter().reduce(f64::min).unwrap());
    assert_eq!(month["volume"].as_f64().unwrap(), of("volume").iter().sum::<f64>());
    // A month whose last trading day lies after the range is left out.
    let path = "/api/stocks/MSFT/prices?start=2013-01-01&end=2013-02-27&interval=1mo";
    assert_eq!(dates(&rows(&app, &key, path).await), ["2013-01-31"]);
    let years =
        rows(&app, &key, "/api/stocks/AAPL/prices?start=2000-01-01&interval=1y&order=asc").await;
    assert_eq!(
        (years.len(), dates(&years)[0], dates(&years)[12]),
        (14, "2000-12-29", "2012-12-31")
    );
}

#[tokio::test]
async fn periods_are_paged_without_a_gap() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for order in ["desc", "asc"] {
        let path = format!("{ALL}&interval=1w&order={order}");
        let (paged, pages) = all_pages(&app, &key, &format!("{path}&limit=100")).await;
        let whole = rows(&app, &key, &format!("{path}&limit=1000")).await;
        assert_eq!((paged.len(), pages), (whole.len(), whole.len().div_ceil(100)), "{order}");
        assert_eq!(paged, whole, "{order}");
        let lines = app.get(&key, &format!("{path}&format=ndjson")).await.text().await.unwrap();
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, whole, "{order}");
    }
}

#[tokio::test]
async fn columns_are_sent_in_the_requested_order() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let day = "/api/stocks/MSFT/prices?start=2013-03-01";
    let csv = app
        .get(&key, &format!("{day}&format=csv&columns=close,date,symbol"))
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(csv, "close,date,symbol\r\n27.95,2013-03-01,MSFT\r\n");
    let body = app.get(&key, &format!("{day}&columns=close,date")).await.text().await.unwrap();
    let expected = "{\"symbol\":\"MSFT\",\"count\":1,\"prices\":[\
                    {\"close\":27.95,\"date\":\"2013-03-01\"}],\"next\":null}";
    assert_eq!(body, expected);
}

#[tokio::test]
async fn one_request_returns_many_stocks_and_lists_unknown_symbols() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let path = "/api/prices?symbols=msft,NOPE,AAPL,FB&start=2005-02-24&end=2005-02-25";
    for _ in 0..2 {
        let answer = app.get(&key, path).await;
        assert_eq!(header(&answer, "x-unknown-symbols"), "NOPE");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            (&body["unknown"], &body["noData"]),
            (&serde_json::json!(["NOPE"]), &serde_json::json!(["FB"]))
        );
        let rows = body["prices"].as_array().unwrap();
        let keys: Vec<_> = rows
            .iter()
            .map(|row| format!("{} {}", row["symbol"], row["date"]).replace('"', ""))
            .collect();
        assert_eq!(
            keys,
            ["AAPL 2005-02-25", "AAPL 2005-02-24", "MSFT 2005-02-25", "MSFT 2005-02-24"]
        );
    }
    let one =
        rows(&app, &key, "/api/stocks/MSFT/prices?start=2013-02-01&interval=1w&adjust=all").await;
    let of_many =
        rows(&app, &key, "/api/prices?symbols=MSFT,AAPL&start=2013-02-01&interval=1w&adjust=all")
            .await;
    let mut msft: Vec<Value> = of_many.into_iter().filter(|row| row["symbol"] == "MSFT").collect();
    msft.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("symbol")));
    assert_eq!(msft, one);
}

#[tokio::test]
async fn pages_of_many_stocks_continue_with_the_next_stock() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let path = "/api/prices?symbols=AAPL,FB,GOOG,IBM,MSFT&start=2012-01-01";
    for extra in ["", "&order=asc", "&interval=1w", "&interval=1mo&order=asc&adjust=all"] {
        let (paged, _) = all_pages(&app, &key, &format!("{path}{extra}&limit=97")).await;
        let lines =
            app.get(&key, &format!("{path}{extra}&format=ndjson")).await.text().await.unwrap();
        let mut lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            // JSON says beside the rows what they are adjusted for.
            let adjust = line.as_object_mut().unwrap().remove("adjust");
            assert_eq!(adjust.is_some(), extra.contains("adjust"), "{extra}");
        }
        assert_eq!(paged, lines, "{extra}");
        assert!(paged.len() > 60, "{extra}");
    }
}

#[tokio::test]
async fn the_whole_market_of_a_day_is_paged_by_symbol() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let symbols = |rows: &[Value]| {
        rows.iter().map(|row| row["symbol"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let day = "/api/prices/daily/2013-03-01";
    let (all, pages) = all_pages(&app, &key, &format!("{day}?limit=2")).await;
    assert_eq!(
        (symbols(&all), pages),
        (["AAPL", "FB", "GOOG", "IBM", "MSFT"].map(str::to_owned).to_vec(), 3)
    );
    assert_eq!(symbols(&rows(&app, &key, &format!("{day}?exchange=nyse")).await), ["IBM"]);
    let csv = app
        .get(&key, &format!("{day}?format=csv&columns=symbol,close&exchange=NYSE"))
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(csv, "symbol,close\r\nIBM,202.91\r\n");
    let next = app.json(&key, &format!("{day}?limit=2")).await.1["next"].clone();
    assert!(next.as_str().unwrap().starts_with(&format!("{day}?limit=2&cursor=")), "{next}");
    let next =
        app.json(&key, &format!("{day}?limit=2&exchange=nasdaq&columns=close")).await.1["next"]
            .clone();
    let expected = format!("{day}?limit=2&exchange=NASDAQ&columns=close&cursor=");
    assert!(next.as_str().unwrap().starts_with(&expected), "{next}");
}

#[tokio::test]
async fn a_day_without_prices_is_explained_if_the_exchange_has_a_calendar() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (query, message) in [
        ("2013-03-02", "2013-03-02: US exchanges were closed (weekend)"),
        ("2013-03-04", "2013-03-04"),
        (
            "2012-10-29?exchange=nyse",
            "2012-10-29 at the exchange \"NYSE\": it was closed (Hurricane Sandy)",
        ),
        ("2013-03-01?exchange=bats", "2013-03-01 at the exchange \"BATS\""),
    ] {
        let (status, problem) = app.json(&key, &format!("/api/prices/daily/{query}")).await;
        assert_eq!((status, &problem["code"]), (404, &"no_data".into()), "{query}");
        assert_eq!(problem["detail"], format!("there are no prices of {message}"), "{query}");
    }
}

#[tokio::test]
async fn an_invalid_request_for_prices_says_what_was_expected() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (query, detail) in [
        ("order=newest", "order is not valid: expected desc (newest first) or asc"),
        ("adjust=dividends", "adjust is not valid: expected none, splits or all"),
        ("interval=1m", "interval is not valid: expected 1d, 1w, 1mo or 1y"),
        ("format=xml", "format is not valid: expected json, csv or ndjson"),
        ("limit=all", "limit is not valid: expected a whole number from 1 to 1000"),
        (
            "limit=10001&format=csv",
            "limit is not valid: expected a whole number from 1 to 10000, or all",
        ),
        ("cursor=abc", "cursor is not valid: expected the cursor in `next` of an earlier response"),
        ("columns=close,close", "columns is not valid: close is given twice: expected it once"),
    ] {
        let (status, problem) = app.json(&key, &format!("{ALL}&{query}")).await;
        assert_eq!((status, problem["detail"].as_str().unwrap()), (400, detail));
    }
    for (path, code) in [
        ("/api/prices?start=2012-01-01", "missing_parameter"),
        ("/api/prices?symbols=&start=2012-01-01", "invalid_parameter"),
        ("/api/prices?symbols=AAPL", "missing_parameter"),
        ("/api/prices/daily/today", "invalid_parameter"),
    ] {
        assert_eq!(app.json(&key, path).await.1["code"], code, "{path}");
    }
}

/// The sample with 90,000 more days of a stock: a response larger than all buffers between client
/// and server.
async fn long_history() -> Database {
    let database = Database::sample().await;
    let sql = "INSERT INTO prices (stock_id, date, open, high, low, close, adjusted_close, volume)
               SELECT id, date '1750-01-01' + day, 1.5, 2.5, 1.25, 1.75, 1.75, day
               FROM stocks, generate_series(1, 90000) AS day WHERE symbol = 'MSFT'";
    database.connect().await.batch_execute(sql).await.unwrap();
    database
}

/// Requests that history, about 12 MB, and reads only the beginning of the response.
async fn slow_reader(app: &App, key: &str) -> tokio::net::TcpStream {
    let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    let path = "/api/stocks/MSFT/prices?start=1750-01-01&format=ndjson";
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nx-api-key: {key}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut beginning = [0; 1000];
    stream.read_exact(&mut beginning).await.unwrap();
    assert!(beginning.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&beginning));
    stream
}

async fn rest(mut stream: tokio::net::TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut rest));
    // A connection that is cut off may fail or just end.
    let _ = read.await.expect("the answer ends");
    rest
}

const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

#[tokio::test]
async fn a_slow_reader_gets_everything_and_holds_no_connection_to_postgres() {
    let database = long_history().await;
    let app = App::with(
        &database,
        &[("DATABASE_CONNECTIONS_MAX", "1"), ("DATABASE_WAIT_TIMEOUT_MS", "2000")],
    )
    .await;
    let key = database.issue("pro");
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(slow_reader(&app, &key).await);
    }
    for symbol in ["AAPL", "MSFT", "IBM"] {
        assert_eq!(
            rows(&app, &key, &format!("/api/stocks/{symbol}/prices?start=2013-03-01")).await.len(),
            1
        );
    }
    for reader in readers {
        let rest = rest(reader).await;
        assert!(rest.ends_with(LAST_CHUNK), "{} bytes", rest.len());
    }
}

#[tokio::test]
async fn a_stream_is_cut_off_when_its_stock_is_restated() {
    let database = long_history().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let reader = slow_reader(&app, &key).await;
    let header_line = "symbol,date,open,high,low,close,volume,adjusted_close";
    database.load("prices", &format!("{header_line}\nMSFT,2000-03-01,1,2,1,2,1,2\n"));
    let rest = rest(reader).await;
    assert!(!rest.ends_with(LAST_CHUNK), "{} bytes", rest.len());
    let is_logged =
        |line: &String| line.contains("a stream was cut off") && line.contains("restated");
    let logged = async || app.log().iter().any(is_logged);
    crate::support::eventually("the error is logged", Duration::from_secs(5), logged).await;
}
