//! The price page, in a real browser.

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::support::{App, Browser, Database, Look, browse, header};

/// The rows of the table: lists of the unrounded values of the columns.
const ROWS: &str = "return [...document.querySelectorAll('#rows-body tr')].map((row) => [
    row.querySelector('time').dateTime,
    ...[...row.querySelectorAll('data')].map((cell) => Number(cell.value))])";
/// The number of colours in the chart.
const COLOURS: &str = "return new Set(
    [...document.querySelectorAll('#chart canvas')].flatMap((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return [...new Uint32Array(data.buffer)];
    })).size";

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
async fn look_at(browser: &Browser, key: &str, symbol: &str) {
    enter(browser, key).await;
    browser.until("document.activeElement.id === 'search'").await;
    browser.write(symbol).await;
    browser
        .until(&format!(
            "document.querySelector('#found [role=option] b')?.textContent === {symbol:?}"
        ))
        .await;
    browser.press(Key::Down).await;
    browser.press(Key::Enter).await;
    shown(browser).await;
}

async fn shown(browser: &Browser) {
    browser
        .until(
            "document.querySelector('#stock').ariaBusy === 'false'
            && document.querySelector('#rows-body tr')
            && getComputedStyle(document.querySelector('#stock')).opacity === '1'",
        )
        .await;
}

/// The rows of the API that the page shows.
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
    // JavaScript does not distinguish 1.0 and 1.
    let number = |cell: &Value| cell.as_f64().map_or_else(|| cell.clone(), |number| json!(number));
    let row = |row: &Value| row.as_array().unwrap().iter().map(number).collect::<Vec<_>>();
    rows.as_array().unwrap().iter().map(|cells| json!(row(cells))).collect()
}

#[tokio::test]
async fn the_page_shows_the_values_of_the_api_and_contacts_no_other_server() {
    let database = Database::sample().await;
    let (app, key) = (App::alone(&database).await, database.issue("pro"));
    browse(&app, Look::DESKTOP, "/", async |browser| {
        browser.picture("page-first").await;
        look_at(browser, &key, "AAPL").await;
        assert!(browser.run(COLOURS).await.as_u64().unwrap() > 5, "a chart is drawn");
        let traded = as_numbers(&browser.run(ROWS).await);
        assert_eq!(traded, as_numbers(&json!(rows(&app, &key, "").await)));
        let summary = browser.text("#summary").await;
        let expected = "251 daily bars from 1 Mar 2012 to 1 Mar 2013, as traded: ";
        assert!(summary.starts_with(expected), "{summary}");
        assert!(browser.text("#limit-text").await.contains("of 1,000 requests a minute are left"));
        let snippets = browser.text("#snippets").await;
        assert!(snippets.contains("YOUR_KEY") && !snippets.contains(&key), "{snippets}");
        browser.picture("page").await;
        browser.picture_of_docs("page", "#view").await;
        browser.click("#adjust [value=all]").await;
        browser
            .until(
                "document.querySelector('#summary').textContent
                .includes('adjusted for splits and dividends')",
            )
            .await;
        let adjusted = as_numbers(&browser.run(ROWS).await);
        assert_eq!(adjusted, as_numbers(&json!(rows(&app, &key, "&adjust=all").await)));
        assert_ne!(adjusted[0][1], traded[0][1]);
        browser.click("#with-key").await;
        let snippets = browser.text("#snippets").await;
        assert!(snippets.contains(&key), "the checkbox adds the key: {snippets}");
        let url = browser.run("return location.href").await;
        assert!(!url.as_str().unwrap().contains(&key), "{url}");
        let stored = "return [sessionStorage.length, localStorage.length, document.cookie]";
        assert_eq!(browser.run(stored).await, json!([0, 0, ""]));
        browser.keeps_to_itself().await;
    })
    .await;
}

#[tokio::test]
async fn the_spreadsheet_snippet_is_shown_only_if_keys_are_allowed_in_urls() {
    let database = Database::sample().await;
    let allowed = App::alone(&database).await;
    let forbidden = App::with(&database, &[("APIKEY_IN_QUERY", "false")]).await;
    let key = database.issue("pro");
    for (app, is_shown) in [(allowed, true), (forbidden, false)] {
        browse(&app, Look::DESKTOP, "/", async |browser| {
            look_at(browser, &key, "AAPL").await;
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

#[tokio::test]
async fn more_loads_older_rows_page_by_page() {
    let database = Database::sample().await;
    let (app, key) = (App::alone(&database).await, database.issue("pro"));
    browse(&app, Look::DESKTOP, "/", async |browser| {
        look_at(browser, &key, "AAPL").await;
        browser.click("#more").await;
        browser.until("document.querySelectorAll('#rows-body tr').length === 125").await;
        // 13 years of daily bars exceed a page of the API.
        browser.click("#ranges [value=All]").await;
        until_summary_starts_with(browser, "157 monthly bars").await;
        browser.click("#intervals [value='1d']").await;
        until_summary_starts_with(browser, "The newest 1000 daily bars").await;
        while row_count(browser).await != 1000 {
            browser.click("#more").await;
        }
        browser.click("#more").await;
        until_summary_starts_with(browser, "The newest 2000 daily bars").await;
        assert_eq!(row_count(browser).await, 1100);
        browser.click("#ranges [value='1M']").await;
        browser.until("document.querySelector('#more').hidden").await;
        assert_eq!(row_count(browser).await, 20);
    })
    .await;
}

async fn until_summary_starts_with(browser: &Browser, start: &str) {
    let summary = "document.querySelector('#summary').textContent";
    browser.until(&format!("{summary}.startsWith('{start}')")).await;
}

async fn row_count(browser: &Browser) -> Value {
    browser.run("return document.querySelectorAll('#rows-body tr').length").await
}

#[tokio::test]
async fn an_invalid_key_shows_an_error_and_a_valid_one_removes_it() {
    let database = Database::sample().await;
    let (app, key) = (App::alone(&database).await, database.issue("pro"));
    browse(&app, Look::DESKTOP, "/", async |browser| {
        enter(browser, "tk_live_no").await;
        browser.until("!document.querySelector('[role=alert]').hidden").await;
        assert!(browser.text("[role=alert]").await.starts_with("This key is not valid here"));
        browser.run("document.querySelector('#key').value = ''").await;
        look_at(browser, &key, "MSFT").await;
        assert_eq!(browser.run("return document.querySelector('[role=alert]').hidden").await, true);
    })
    .await;
}

#[tokio::test]
async fn the_page_works_with_the_keyboard_alone() {
    let database = Database::sample().await;
    let (app, key) = (App::alone(&database).await, database.issue("pro"));
    browse(&app, Look::DESKTOP, "/", async |browser| {
        browser.tab_to("#key").await;
        browser.write(&key).await;
        browser.tab_to("#key-remember").await;
        browser.write(" ").await;
        browser.run("document.activeElement.blur()").await;
        browser.tab_to("#key-form [type=submit]").await;
        browser.press(Key::Enter).await;
        browser.until("document.activeElement.id === 'search'").await;
        browser.write("ib").await;
        browser
            .until("document.querySelector('#found [role=option] b')?.textContent === 'IBM'")
            .await;
        browser.press(Key::Down).await;
        browser
            .until(
                "document.querySelector('#search').getAttribute('aria-activedescendant')
                === 'found-0'",
            )
            .await;
        browser.press(Key::Enter).await;
        shown(browser).await;
        browser.tab_to("#ranges [value='6M']").await;
        browser.press(Key::Enter).await;
        browser
            .until("document.querySelector('#ranges [value=\"6M\"]').ariaPressed === 'true'")
            .await;
        browser.tab_to("#more").await;
        browser.press(Key::Enter).await;
        browser.until("document.querySelectorAll('#rows-body tr').length > 25").await;
        // A remembered key survives a reload, until the user forgets it.
        browser.open("/?again#stock=IBM").await;
        shown(browser).await;
        browser.click("#key-forget").await;
        assert_eq!(browser.run("return sessionStorage.length").await, 0);
        browser.until("document.querySelector('#view').hidden").await;
    })
    .await;
}

#[tokio::test]
async fn a_phone_shows_the_page_without_horizontal_scrolling() {
    let database = Database::sample().await;
    let (app, key) = (App::alone(&database).await, database.issue("pro"));
    browse(&app, Look::PHONE, "/", async |browser| {
        let fits = "return [innerWidth, document.documentElement.scrollWidth]";
        assert_eq!(browser.run(fits).await, json!([360, 360]));
        look_at(browser, &key, "AAPL").await;
        assert_eq!(browser.run(fits).await, json!([360, 360]));
        browser.picture("page-phone").await;
    })
    .await;
}

#[tokio::test]
async fn the_chart_follows_the_preferred_colour_scheme() {
    let database = Database::sample().await;
    let (app, key) = (App::alone(&database).await, database.issue("pro"));
    let mut colours = Vec::new();
    for dark in [false, true] {
        browse(&app, Look { dark, ..Look::DESKTOP }, "/", async |browser| {
            look_at(browser, &key, "AAPL").await;
            let background = "return getComputedStyle(document.body).backgroundColor";
            colours.push([browser.run(background).await, browser.run(MOST_COMMON_COLOUR).await]);
            browser.picture(if dark { "page-dark" } else { "page-light" }).await;
        })
        .await;
    }
    assert_ne!(colours[0][0], colours[1][0]);
    assert_ne!(colours[0][1], colours[1][1]);
}

#[tokio::test]
async fn the_page_has_no_accessibility_violations() {
    let database = Database::sample().await;
    let (app, key) = (App::alone(&database).await, database.issue("pro"));
    let axe = std::fs::read_to_string("web/node_modules/axe-core/axe.min.js")
        .expect("npm has installed it");
    for dark in [false, true] {
        browse(&app, Look { dark, ..Look::DESKTOP }, "/", async |browser| {
            browser.run(&axe).await;
            let violations = "axe.run().then((result) => result.violations.map(
                ({ impact, help, nodes }) =>
                    `${impact}: ${help}: ${nodes.map((node) => node.html).join(' ')}`))";
            let found = browser.run_to_its_end(violations).await;
            assert_eq!(found, json!([]), "without a key, dark: {dark}");
            look_at(browser, &key, "AAPL").await;
            let found = browser.run_to_its_end(violations).await;
            assert_eq!(found, json!([]), "with a stock, dark: {dark}");
        })
        .await;
    }
}

#[tokio::test]
async fn browsers_revalidate_pages_and_cache_assets_forever() {
    let database = Database::sample().await;
    let app = App::alone(&database).await;
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
    let assets: Vec<_> =
        html.split("\"/assets/").skip(1).filter_map(|part| part.split('"').next()).collect();
    assert!(assets.len() >= 3, "{assets:?}");
    for asset in assets {
        let path = format!("/assets/{asset}");
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
