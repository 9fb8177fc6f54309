//! The web page, in a real browser.

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::support::{App, Browser, Database, Viewport, browse, header};

/// The rows of the table, with every digit: lists of column values.
const ROWS: &str = "return [...document.querySelectorAll('#rows-body tr')].map((row) => [
    row.querySelector('time').dateTime,
    ...[...row.querySelectorAll('data')].map((cell) => Number(cell.value))])";
/// The number of colours in the chart.
const COLOURS: &str = "const pixels = (canvas) => new Uint32Array(
        canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    const canvases = [...document.querySelectorAll('#chart canvas')];
    return new Set(canvases.flatMap((canvas) => [...pixels(canvas)])).size";

/// The most frequent opaque colour of the chart: that of its grid or its candles.
const MOST_COMMON_COLOUR: &str = "const counts = new Map();
    for (const canvas of document.querySelectorAll('#chart canvas')) {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        for (const pixel of new Uint32Array(data.buffer)) {
            if (pixel >>> 24 === 255) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
        }
    }
    return [...counts].sort((a, b) => b[1] - a[1])[0][0]";

async fn enter(browser: &Browser, key: &str) {
    browser.click("#key").await;
    browser.write(key).await;
    browser.press(Key::Enter).await;
}

/// Enters a key and chooses a stock from the suggestions.
async fn open_stock(browser: &Browser, key: &str, symbol: &str) {
    enter(browser, key).await;
    browser.wait_until("document.activeElement.id === 'search'").await;
    browser.write(symbol).await;
    browser
        .wait_until(&format!(
            "document.querySelector('#found [role=option] b')?.textContent === {symbol:?}"
        ))
        .await;
    browser.press(Key::Down).await;
    browser.press(Key::Enter).await;
    shown(browser).await;
}

async fn shown(browser: &Browser) {
    browser
        .wait_until(
            "document.querySelector('#stock').ariaBusy === 'false'
            && document.querySelector('#rows-body tr')
            && getComputedStyle(document.querySelector('#stock')).opacity === '1'",
        )
        .await;
}

/// The same rows, from the API.
async fn rows(app: &App, key: &str, query: &str) -> Vec<Value> {
    let (status, body) =
        app.json(key, &format!("/api/stocks/AAPL/prices?start=2012-03-01{query}")).await;
    assert_eq!(status, 200, "{body}");
    let fields = ["date", "open", "high", "low", "close", "adjustedClose", "volume"];
    let row =
        |bar: &Value| fields.iter().filter_map(|name| bar.get(name).cloned()).collect::<Vec<_>>();
    body["prices"].as_array().unwrap().iter().take(25).map(|bar| json!(row(bar))).collect()
}

fn as_numbers(rows: &Value) -> Vec<Value> {
    // 1.0 and 1 are one number in JavaScript.
    let number = |cell: &Value| cell.as_f64().map_or_else(|| cell.clone(), |number| json!(number));
    let row = |row: &Value| row.as_array().unwrap().iter().map(number).collect::<Vec<_>>();
    rows.as_array().unwrap().iter().map(|it| json!(row(it))).collect()
}

#[tokio::test]
async fn the_page_shows_the_apis_data_and_contacts_no_other_server() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    browse(&app, Viewport::DESKTOP, "/", async |browser| {
        browser.screenshot("page-first").await;
        open_stock(browser, &key, "AAPL").await;
        assert!(browser.run(COLOURS).await.as_u64().unwrap() > 5, "a chart is drawn");
        let traded = as_numbers(&browser.run(ROWS).await);
        assert_eq!(traded, as_numbers(&json!(rows(&app, &key, "").await)));
        let summary = browser.text("#summary").await;
        let expected = "251 daily bars from 1 Mar 2012 to 1 Mar 2013, as traded: ";
        assert!(summary.starts_with(expected), "{summary}");
        assert!(browser.text("#limit-text").await.contains("of 1,000 requests a minute are left"));
        let snippets = browser.text("#snippets").await;
        assert!(snippets.contains("YOUR_KEY") && !snippets.contains(&key), "{snippets}");
        browser.screenshot("page").await;
        browser.screenshot_for_docs("page", "#view").await;
        browser.click("#adjust [value=all]").await;
        browser
            .wait_until(
                "document.querySelector('#summary').textContent
                    .includes('adjusted for splits and dividends')",
            )
            .await;
        let adjusted = as_numbers(&browser.run(ROWS).await);
        assert_eq!(adjusted, as_numbers(&json!(rows(&app, &key, "&adjust=all").await)));
        assert_ne!(adjusted[0][1], traded[0][1]);
        browser.click("#with-key").await;
        assert!(browser.text("#snippets").await.contains(&key), "the option inserts the key");
        let url = browser.run("return location.href").await;
        assert!(!url.as_str().unwrap().contains(&key), "{url}");
        assert_eq!(
            browser
                .run("return [sessionStorage.length, localStorage.length, document.cookie]")
                .await,
            json!([0, 0, ""])
        );
        browser.assert_no_foreign_requests().await;
    })
    .await;
}

#[tokio::test]
async fn the_spreadsheet_snippet_is_shown_only_if_keys_in_urls_are_enabled() {
    let database = Database::sample().await;
    let (enabled, disabled) = (
        App::without_redis(&database).await,
        App::with(&database, &[("APIKEY_IN_QUERY", "false")]).await,
    );
    let key = database.issue("pro");
    for (app, is_shown) in [(enabled, true), (disabled, false)] {
        browse(&app, Viewport::DESKTOP, "/", async |browser| {
            open_stock(browser, &key, "AAPL").await;
            let snippets = browser.text("#snippets").await;
            assert!(snippets.contains("Python"), "{snippets}");
            assert_eq!(
                snippets.contains("Spreadsheet") || snippets.contains("IMPORTDATA"),
                is_shown,
                "{snippets}"
            );
        })
        .await;
    }
}

async fn summary_begins(browser: &Browser, text: &str) {
    browser
        .wait_until(&format!("document.querySelector('#summary').textContent.startsWith({text:?})"))
        .await;
}

async fn count_rows(browser: &Browser) -> Value {
    browser.run("return document.querySelectorAll('#rows-body tr').length").await
}

#[tokio::test]
async fn older_rows_load_in_pages_up_to_the_first() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    browse(&app, Viewport::DESKTOP, "/", async |browser| {
        open_stock(browser, &key, "AAPL").await;
        browser.click("#more").await;
        browser.wait_until("document.querySelectorAll('#rows-body tr').length === 125").await;
        // 13 years of days are more than a page of the API.
        browser.click("#ranges [value=All]").await;
        summary_begins(browser, "157 monthly bars").await;
        browser.click("#intervals [value='1d']").await;
        summary_begins(browser, "The newest 1000 daily bars").await;
        while count_rows(browser).await != 1000 {
            browser.click("#more").await;
        }
        browser.click("#more").await;
        summary_begins(browser, "The newest 2000 daily bars").await;
        assert_eq!(count_rows(browser).await, 1100);
        browser.click("#ranges [value='1M']").await;
        browser.wait_until("document.querySelector('#more').hidden").await;
        assert_eq!(count_rows(browser).await, 20);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_shows_a_message_and_a_valid_one_works_after_it() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    browse(&app, Viewport::DESKTOP, "/", async |browser| {
        enter(browser, "tk_live_no").await;
        browser.wait_until("!document.querySelector('[role=alert]').hidden").await;
        assert!(browser.text("[role=alert]").await.starts_with("This key is not valid here"));
        browser.run("document.querySelector('#key').value = ''").await;
        open_stock(browser, &key, "MSFT").await;
        assert_eq!(browser.text("[role=alert]").await, "", "the message is gone");
    })
    .await;
}

#[tokio::test]
async fn the_page_can_be_used_without_a_mouse() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    browse(&app, Viewport::DESKTOP, "/", async |browser| {
        browser.tab_to("#key").await;
        browser.write(&key).await;
        browser.tab_to("#key-remember").await;
        browser.write(" ").await;
        browser.run("document.activeElement.blur()").await;
        browser.tab_to("#key-form [type=submit]").await;
        browser.press(Key::Enter).await;
        browser.wait_until("document.activeElement.id === 'search'").await;
        browser.write("ib").await;
        browser
            .wait_until("document.querySelector('#found [role=option] b')?.textContent === 'IBM'")
            .await;
        browser.press(Key::Down).await;
        browser
            .wait_until(
                "document.querySelector('#search').getAttribute('aria-activedescendant')
                    === 'found-0'",
            )
            .await;
        browser.press(Key::Enter).await;
        shown(browser).await;
        browser.tab_to("#ranges [value='6M']").await;
        browser.press(Key::Enter).await;
        browser
            .wait_until("document.querySelector('#ranges [value=\"6M\"]').ariaPressed === 'true'")
            .await;
        browser.tab_to("#more").await;
        browser.press(Key::Enter).await;
        browser.wait_until("document.querySelectorAll('#rows-body tr').length > 25").await;
        // A remembered key survives a reload of this tab, until the user forgets it.
        browser.open("/?again#stock=IBM").await;
        shown(browser).await;
        browser.click("#key-forget").await;
        assert_eq!(browser.run("return sessionStorage.length").await, 0);
        browser.wait_until("document.querySelector('#view').hidden").await;
    })
    .await;
}

#[tokio::test]
async fn a_phone_shows_the_page_without_horizontal_scrolling() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    browse(&app, Viewport::PHONE, "/", async |browser| {
        let fits = "return [innerWidth, document.documentElement.scrollWidth]";
        assert_eq!(browser.run(fits).await, json!([360, 360]));
        open_stock(browser, &key, "AAPL").await;
        assert_eq!(browser.run(fits).await, json!([360, 360]));
        browser.screenshot("page-phone").await;
    })
    .await;
}

#[tokio::test]
async fn the_chart_follows_the_preference_for_dark_colours() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let mut grounds = Vec::new();
    for dark in [false, true] {
        browse(&app, Viewport { dark, ..Viewport::DESKTOP }, "/", async |browser| {
            open_stock(browser, &key, "AAPL").await;
            let ground = "return getComputedStyle(document.body).backgroundColor";
            let colours = [browser.run(ground).await, browser.run(MOST_COMMON_COLOUR).await];
            grounds.push(colours);
            browser.screenshot(if dark { "page-dark" } else { "page-light" }).await;
        })
        .await;
    }
    assert_ne!(grounds[0][0], grounds[1][0]);
    assert_ne!(grounds[0][1], grounds[1][1]);
}

#[tokio::test]
async fn the_page_passes_the_accessibility_checks() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let axe = std::fs::read_to_string("web/node_modules/axe-core/axe.min.js")
        .expect("npm has installed it");
    for dark in [false, true] {
        browse(&app, Viewport { dark, ..Viewport::DESKTOP }, "/", async |browser| {
            browser.run(&axe).await;
            let violations = "axe.run().then((found) => found.violations.map((it) =>
                `${it.impact}: ${it.help}: ${it.nodes.map((node) => node.html).join(' ')}`))";
            let found = browser.run_promise(violations).await;
            assert_eq!(found, json!([]), "before a key, dark: {dark}");
            open_stock(browser, &key, "AAPL").await;
            let found = browser.run_promise(violations).await;
            assert_eq!(found, json!([]), "with a stock, dark: {dark}");
        })
        .await;
    }
}

#[tokio::test]
async fn no_other_site_can_frame_or_embed_a_page() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    for path in ["/", "/docs"] {
        let page = app.request("GET", path).send().await.unwrap();
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(header(&page, name), value, "{path}");
        }
    }
}

#[tokio::test]
async fn pages_are_revalidated_and_assets_are_cached_forever() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let page = app.request("GET", "/").send().await.unwrap();
    assert_eq!((page.status().as_u16(), header(&page, "cache-control")), (200, "no-cache"));
    let policy = header(&page, "content-security-policy").to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; "),
        "{policy}"
    );
    let etag = header(&page, "etag").to_owned();
    let same = app.request("GET", "/").header("if-none-match", etag).send().await.unwrap();
    assert_eq!(same.status().as_u16(), 304);
    let html = page.text().await.unwrap();
    let parts: Vec<_> =
        html.split("\"/assets/").skip(1).filter_map(|part| part.split('"').next()).collect();
    assert!(parts.len() >= 3, "{parts:?}");
    for part in parts {
        let path = format!("/assets/{part}");
        let packed =
            app.request("GET", &path).header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(
            (packed.status().as_u16(), header(&packed, "content-encoding")),
            (200, "gzip"),
            "{path}"
        );
        assert_eq!(header(&packed, "cache-control"), "public, max-age=31536000, immutable");
        let plain = app.request("GET", &path).send().await.unwrap();
        assert_eq!(
            (plain.status().as_u16(), header(&plain, "content-encoding")),
            (200, ""),
            "{path}"
        );
        let mut unpacked = Vec::new();
        let packed = packed.bytes().await.unwrap();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked)
            .unwrap();
        assert_eq!(unpacked, plain.bytes().await.unwrap());
    }
    for (path, status) in
        [("/assets/app.js", 404), ("/assets/..%2fCargo.toml", 404), ("/assets/index.html", 404)]
    {
        assert_eq!(
            app.request("GET", path).send().await.unwrap().status().as_u16(),
            status,
            "{path}"
        );
    }
}
