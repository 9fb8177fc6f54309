//! A stock's chart is valid SVG, contains no active content, and is true to the prices.

use roxmltree::{Document, Node};
use serde_json::Value;

use crate::support::{App, Database, Files, header};

const AAPL: &str = "/api/stocks/AAPL/chart.svg";

async fn picture(app: &App, key: &str, path: &str) -> String {
    let answer = app.get(key, path).await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "content-type")),
        (200, "image/svg+xml"),
        "{path}"
    );
    answer.text().await.unwrap()
}

/// The text of the only element of this name.
fn text<'a>(document: &'a Document<'_>, name: &str) -> &'a str {
    let found: Vec<_> = document.descendants().filter(|node| node.has_tag_name(name)).collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0].text().unwrap_or_default()
}

fn number(node: Node<'_, '_>, attribute: &str) -> f64 {
    node.attribute(attribute).unwrap_or_else(|| panic!("{node:?} has {attribute}")).parse().unwrap()
}

/// The points of the line: the path with segments and without a filled area.
fn line(document: &Document<'_>) -> Vec<(f64, f64)> {
    let paths = document.descendants().filter_map(|node| node.attribute("d"));
    let line = paths
        .clone()
        .find(|path| path.contains('l') && !path.contains('Z'))
        .expect("the chart has a line");
    let steps =
        line[1..].split(['l', ' ']).map(|step| step.parse::<f64>().unwrap()).collect::<Vec<_>>();
    let (mut at, mut points) = ((0.0, 0.0), Vec::new());
    for step in steps.chunks(2) {
        at = (at.0 + step[0], at.1 + step[1]);
        points.push(at);
    }
    points
}

/// The closes, newest last.
async fn closes(app: &App, key: &str, query: &str, field: &str) -> Vec<f64> {
    let (_, body) =
        app.json(key, &format!("/api/stocks/AAPL/prices?order=asc&limit=1000&{query}")).await;
    body["prices"].as_array().unwrap().iter().map(|bar| bar[field].as_f64().unwrap()).collect()
}

#[tokio::test]
async fn the_line_follows_the_closes() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let svg =
        picture(&app, &key, &format!("{AAPL}?start=2012-03-01&end=2013-02-28&adjust=none")).await;
    let (document, closes) = (
        Document::parse(&svg).unwrap(),
        closes(&app, &key, "start=2012-03-01&end=2013-02-28", "close").await,
    );
    let points = line(&document);
    assert_eq!((points.len(), closes.len()), (250, 250));
    // Derive the scale from the axis: each label stands 4 pixels below its grid line.
    let written = document
        .descendants()
        .filter(|node| node.has_tag_name("text") && !node.has_attribute("text-anchor"));
    let prices: Vec<(f64, f64)> = written
        .filter_map(|node| Some((node.text()?.parse().ok()?, number(node, "y") - 4.0)))
        .collect();
    let ((low, low_y), (high, high_y)) = (prices[0], prices[prices.len() - 1]);
    assert!(prices.len() > 4 && low_y > high_y, "{prices:?}");
    let pixels = (low_y - high_y) / (high - low);
    for ((x, y), close) in points.iter().zip(&closes) {
        let expected = low_y - (close - low) * pixels;
        assert!((y - expected).abs() < 0.5, "at {x}: {y}, and {close} is at {expected}");
    }
    assert!(
        points.is_sorted_by(|a, b| a.0 < b.0) && (points[0].0 - 12.0).abs() < 0.1,
        "{points:?}"
    );
}

#[tokio::test]
async fn the_title_describes_the_chart_which_shows_the_latest_year_by_default() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let about = async |query: &str| {
        let svg = picture(&app, &key, &format!("{AAPL}?{query}")).await;
        let document = Document::parse(&svg).unwrap();
        assert_eq!(
            (text(&document, "title"), document.root_element().attribute("role")),
            ("AAPL Apple Inc.", Some("img"))
        );
        text(&document, "desc").to_owned()
    };
    let year = "start=2012-03-01&end=2013-03-01";
    for (query, range, field, adjusted) in [
        ("", format!("{year}&adjust=splits"), "close", "adjusted for splits, and"),
        ("adjust=all", format!("{year}&adjust=all"), "adjustedClose", "splits and dividends, and"),
        (
            "end=2005-06-30&adjust=splits",
            "start=2004-06-30&end=2005-06-30&adjust=splits".into(),
            "close",
            "adjusted for splits, and",
        ),
        (
            "end=2005-06-30&adjust=none",
            "start=2004-06-30&end=2005-06-30".into(),
            "close",
            "as traded",
        ),
        (
            "start=2013-01-01",
            "start=2013-01-01&adjust=splits".into(),
            "close",
            "2013-01-02 to 2013-03-01",
        ),
    ] {
        let (about, closes) = (about(query).await, closes(&app, &key, &range, field).await);
        let (first, last) = (closes[0], closes[closes.len() - 1]);
        let percent = (last / first - 1.0) * 100.0;
        let change =
            format!("{}{:.2} %", if percent < 0.0 { '\u{2212}' } else { '+' }, percent.abs());
        assert!(
            about.contains(&format!("The last is {last:.2} USD, {change} since")),
            "{query}: {about}"
        );
        assert!(about.contains(adjusted), "{query}: {about}");
    }
}

#[tokio::test]
async fn a_hostile_name_is_escaped() {
    let (database, files) = (Database::sample().await, Files::new());
    let name = "<script>alert(1)</script>&\"'\u{7}]]><!--";
    let rename = format!(
        "UPDATE stocks SET name = E'{}', currency = '<b>' WHERE symbol = 'IBM'",
        name.replace('\'', "\\'")
    );
    database.connect().await.batch_execute(&rename).await.unwrap();
    let stock =
        files.write("new.csv", "symbol,name,exchange,currency\nEVIL,\"<script>&\"\"\",NYSE,USD\n");
    assert_eq!(database.output(&["ingest", "stocks", &stock]).code, Some(0));
    let price = "symbol,date,open,high,low,close,volume,adjusted_close\n\
                 EVIL,2013-03-01,27,28,26,27.5,5,27.5\n";
    assert_eq!(
        database.output(&["ingest", "prices", &files.write("prices.csv", price)]).code,
        Some(0)
    );
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (symbol, title) in
        [("IBM", name.replace('\u{7}', "\u{fffd}")), ("EVIL", "<script>&\"".to_owned())]
    {
        for size in ["", "?width=200&height=120", "?width=2000&height=1200&theme=dark"] {
            let svg = picture(&app, &key, &format!("/api/stocks/{symbol}/chart.svg{size}")).await;
            let document = Document::parse(&svg).unwrap_or_else(|e| panic!("{e}: {svg}"));
            assert_eq!(text(&document, "title"), format!("{symbol} {title}"));
            for node in document.descendants().filter(Node::is_element) {
                let harmless =
                    ["svg", "title", "desc", "rect", "g", "path", "circle", "text", "tspan"];
                assert!(harmless.contains(&node.tag_name().name()), "{node:?}");
                for attribute in node.attributes() {
                    let (name, value) = (attribute.name(), attribute.value());
                    assert!(
                        !name.starts_with("on") && !["href", "style", "class"].contains(&name),
                        "{node:?}"
                    );
                    assert!(!value.contains("url(") && !value.contains("//"), "{node:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_chart_has_the_requested_size_and_theme_and_stays_small() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (query, width, height, page) in [
        ("", 800, 400, "#ffffff"),
        ("width=200&height=120&theme=light", 200, 120, "#ffffff"),
        ("width=2000&height=1200&theme=dark&start=2000-01-01", 2000, 1200, "#0d1117"),
    ] {
        let svg = picture(&app, &key, &format!("{AAPL}?{query}")).await;
        let document = Document::parse(&svg).unwrap();
        let (root, size) = (document.root_element(), (f64::from(width), f64::from(height)));
        assert_eq!((number(root, "width"), number(root, "height")), size);
        assert_eq!(root.attribute("viewBox"), Some(&*format!("0 0 {width} {height}")));
        let background = root.children().find(|node| node.has_tag_name("rect")).unwrap();
        assert_eq!(
            (
                number(background, "width"),
                number(background, "height"),
                background.attribute("fill")
            ),
            (size.0, size.1, Some(page))
        );
        assert!(svg.len() < 60_000, "{query}: {} bytes", svg.len());
        for (x, y) in line(&document) {
            assert!(
                (0.0..=size.0).contains(&x) && (0.0..=size.1).contains(&y),
                "{query}: {x}, {y}"
            );
        }
    }
}

#[tokio::test]
async fn charts_are_cached_and_a_correction_redraws_them() {
    let (database, files) = (Database::sample().await, Files::new());
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let before = picture(&app, &key, AAPL).await;
    let cached = app
        .request("GET", AAPL)
        .header("x-api-key", &key)
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!((header(&cached, "x-cache"), header(&cached, "content-encoding")), ("HIT", "gzip"));
    assert_eq!(header(&cached, "content-type"), "image/svg+xml");
    let policy = header(&cached, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !before.contains("style"), "{policy}");
    let again = app
        .request("GET", &format!("{AAPL}?theme=light&width=800&adjust=splits"))
        .header("x-api-key", &key);
    assert_eq!(
        header(&again.send().await.unwrap(), "x-cache"),
        "HIT",
        "the same parameters, in full"
    );
    let in_a_page = app.request("GET", &format!("{AAPL}?apikey={key}")).send().await.unwrap();
    assert_eq!(
        (in_a_page.status().as_u16(), header(&in_a_page, "x-cache")),
        (200, "HIT"),
        "an <img> can't send a header"
    );
    let price = "symbol,date,open,high,low,close,volume,adjusted_close\n\
                 AAPL,2013-03-01,438,438.2,429,430,138000,99\n";
    assert_eq!(
        database.output(&["ingest", "prices", &files.write("new.csv", price)]).code,
        Some(0)
    );
    crate::support::eventually(
        "the chart shows the correction",
        std::time::Duration::from_secs(5),
        async || picture(&app, &key, AAPL).await.contains("The last is 430.00 USD"),
    )
    .await;
}

#[tokio::test]
async fn an_invalid_chart_request_says_what_was_expected() {
    let (database, files) = (Database::sample().await, Files::new());
    let stock = files.write("new.csv", "symbol,name,exchange,currency\nNEW,New Inc.,NYSE,USD\n");
    assert_eq!(database.output(&["ingest", "stocks", &stock]).code, Some(0));
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (path, status, code, message) in [
        (
            "AAPL/chart.svg?width=199",
            400,
            "invalid_parameter",
            "width is not valid: expected a whole number from 200 to 2000",
        ),
        ("AAPL/chart.svg?height=1201", 400, "invalid_parameter", "from 120 to 1200"),
        (
            "AAPL/chart.svg?theme=pink",
            400,
            "invalid_parameter",
            "theme is not valid: expected light or dark",
        ),
        (
            "AAPL/chart.svg?adjust=some",
            400,
            "invalid_parameter",
            "adjust is not valid: expected none, splits or all",
        ),
        (
            "AAPL/chart.svg?start=2013-02-02&end=2013-02-01",
            400,
            "invalid_parameter",
            "start (2013-02-02) is after end",
        ),
        (
            "AAPL/chart.svg?limit=5",
            400,
            "unknown_parameter",
            "start, end, width, height, theme, adjust",
        ),
        ("NOPE/chart.svg", 404, "unknown_symbol", "NOPE"),
        ("NEW/chart.svg", 404, "no_data", "NEW has no prices yet"),
        (
            "AAPL/chart.svg?end=1999-12-31",
            404,
            "no_data",
            "AAPL has no prices in the year up to 1999-12-31",
        ),
        ("AAPL/chart.svg?start=2020-01-01", 404, "no_data", "from 2020-01-01 on"),
    ] {
        let (got, problem): (u16, Value) = app.json(&key, &format!("/api/stocks/{path}")).await;
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!((got, &problem["code"]), (status, &code.into()), "{path}: {detail}");
        assert!(detail.contains(message), "{path}: {detail}");
    }
}
