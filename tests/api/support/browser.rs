//! A headless browser for the pages.

use std::path::Path;
use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::{App, Program, eventually, scratch, server_dir};

/// For everything that a test does in a browser.
const TEST_TIMEOUT: Duration = Duration::from_secs(90);
/// For a page to reach an expected state.
const SHOWN_TIMEOUT: Duration = Duration::from_secs(15);

/// The window width and colour scheme of a browser.
#[derive(Clone, Copy)]
pub struct Viewport {
    pub width: u32,
    pub dark: bool,
}

impl Viewport {
    pub const DESKTOP: Self = Self { width: 1280, dark: false };
    pub const PHONE: Self = Self { width: 360, dark: false };
}

/// Chromium, showing a page of a server.
pub struct Browser {
    client: Client,
    origin: String,
}

/// Opens `path` of a server in a browser and runs `test`. The browser ends after the test, or when
/// it takes too long.
pub async fn browse(app: &App, viewport: Viewport, path: &str, test: impl AsyncFnOnce(&Browser)) {
    let scratch = scratch();
    let dir = server_dir(scratch.path(), "browser");
    // The browser reads a pipe of the driver and ends with it.
    let _driver = Program::start(&dir, "chromedriver", &["--port=0"]);
    let work = async {
        let client = session(port_of_driver(&dir).await, &dir, viewport).await;
        let browser = Browser { client, origin: app.url("") };
        browser.open(path).await;
        test(&browser).await;
        browser.client.close().await.expect("the browser ends");
    };
    tokio::time::timeout(TEST_TIMEOUT, work).await.expect("a test of a page ends in time");
}

/// The port of the driver, which the system chooses; read from its log.
async fn port_of_driver(dir: &Path) -> u16 {
    let mut port = None;
    eventually("the driver logs its port", Duration::from_secs(30), async || {
        let log = std::fs::read_to_string(dir.join("chromedriver.log")).expect("a log");
        let rest =
            log.split_once("successfully on port ").and_then(|(_, rest)| rest.split_once('.'));
        port = rest.and_then(|(port, _)| port.parse().ok());
        port.is_some()
    })
    .await;
    port.expect("the port is logged")
}

async fn session(port: u16, dir: &Path, viewport: Viewport) -> Client {
    let url = format!("http://127.0.0.1:{port}");
    let profile = dir.join("profile");
    let scheme = if viewport.dark { 0 } else { 1 };
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--remote-debugging-pipe",
        // No other host resolves.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ];
    let own = [
        format!("--user-data-dir={}", profile.display()),
        format!("--blink-settings=preferredColorScheme={scheme}"),
        format!("--window-size={},900", viewport.width.max(500)),
    ];
    let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).chain(own).collect();
    let mut options = json!({"args": arguments});
    if viewport.width < 500 {
        options["mobileEmulation"] = json!({"deviceMetrics": {
            "width": viewport.width, "height": 740, "pixelRatio": 1.0, "touch": true
        }});
    }
    let capabilities =
        json!({"goog:chromeOptions": options}).as_object().cloned().expect("an object");
    let mut client = None;
    eventually("the browser starts", Duration::from_secs(30), async || {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        client = builder.capabilities(capabilities.clone()).connect(&url).await.ok();
        client.is_some()
    })
    .await;
    client.expect("the browser has started")
}

impl Browser {
    pub async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.origin)).await.expect("the page opens");
    }

    /// The return value of a script.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    /// The value of a promise.
    pub async fn run_promise(&self, promise: &str) -> Value {
        let script = format!(
            "const done = arguments[0];
             Promise.resolve({promise}).then(done, (e) => done(String(e)));"
        );
        self.client
            .execute_async(&script, Vec::new())
            .await
            .unwrap_or_else(|e| panic!("{promise}: {e}"))
    }

    /// Waits until a JavaScript expression is true.
    pub async fn wait_until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        eventually(expression, SHOWN_TIMEOUT, async || self.run(&script).await == true).await;
    }

    /// The visible text of an element.
    pub async fn text(&self, css: &str) -> String {
        let script = format!("return document.querySelector({css:?}).innerText");
        self.run(&script).await.as_str().expect("a text").to_owned()
    }

    pub async fn click(&self, css: &str) {
        let element =
            self.client.find(Locator::Css(css)).await.unwrap_or_else(|e| panic!("{css}: {e}"));
        element.click().await.unwrap_or_else(|e| panic!("{css}: {e}"));
    }

    /// Types into the focused element.
    pub async fn write(&self, text: &str) {
        let element = self.client.active_element().await.expect("something has the focus");
        element.send_keys(text).await.expect("the element takes keys");
    }

    pub async fn press(&self, key: Key) {
        self.write(&String::from(char::from(key))).await;
    }

    /// Presses Tab until an element has the focus, as a user without a mouse does.
    pub async fn tab_to(&self, css: &str) {
        let has_focus = format!("return document.activeElement.matches({css:?})");
        for _ in 0..40 {
            if self.run(&has_focus).await == true {
                return;
            }
            self.press(Key::Tab).await;
        }
        panic!("{css} can't be reached by Tab");
    }

    /// A screenshot for people: `target/tmp/NAME.png`.
    pub async fn screenshot(&self, name: &str) {
        let screenshot = self.client.screenshot().await.expect("a screenshot");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        std::fs::write(file, screenshot).expect("a file");
    }

    /// Writes `docs/images/NAME.png`, with an element at the top, if `UPDATE_DOCS` is set.
    ///
    /// It is never compared: fonts and browsers of two machines differ.
    pub async fn screenshot_for_docs(&self, name: &str, css: &str) {
        if std::env::var_os("UPDATE_DOCS").is_none() {
            return;
        }
        let scroll = format!(
            "document.activeElement.blur();
             const top = document.querySelector({css:?}).getBoundingClientRect().top;
             scrollTo({{ top: scrollY + top - 16, behavior: 'instant' }})"
        );
        self.run(&scroll).await;
        let screenshot = self.client.screenshot().await.expect("a screenshot");
        std::fs::write(format!("docs/images/{name}.png"), screenshot).expect("a file");
    }

    /// Asserts that all resources came from this server, and that the content security policy was
    /// not violated.
    pub async fn assert_no_foreign_requests(&self) {
        let requested =
            self.run("return performance.getEntriesByType('resource').map((it) => it.name)").await;
        let requested: Vec<_> =
            requested.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert!(!requested.is_empty());
        let inside = format!("{}/", self.origin);
        assert!(
            requested.iter().all(|url| url.starts_with(&inside) || url.starts_with("data:")),
            "{requested:?}"
        );
        let violations = self
            .run_promise(
                "new Promise((done) => {
                    const texts = (reports) => reports.map((it) => JSON.stringify(it.body));
                    const seen = new ReportingObserver((reports) => done(texts(reports)),
                        { types: ['csp-violation'], buffered: true });
                    seen.observe();
                    setTimeout(() => done(texts(seen.takeRecords())), 300);
                })",
            )
            .await;
        assert_eq!(violations, json!([]));
    }
}
