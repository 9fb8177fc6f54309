//! A browser without a window, for the pages.

use std::path::Path;
use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::{App, Program, eventually, home, scratch};

/// For all that a test does in a browser.
const TEST_TIMEOUT: Duration = Duration::from_secs(90);
/// For a page to show what is waited for.
const SHOWN_TIMEOUT: Duration = Duration::from_secs(15);

/// How a page is looked at.
#[derive(Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub dark: bool,
}

impl Look {
    pub const DESKTOP: Self = Self { width: 1280, dark: false };
    pub const PHONE: Self = Self { width: 360, dark: false };
}

/// Chromium at a page of a server.
pub struct Browser {
    client: Client,
    origin: String,
}

/// Opens `path` of a server in a browser and ends the browser after `test`, or when it took too
/// long.
pub async fn browse(app: &App, look: Look, path: &str, test: impl AsyncFnOnce(&Browser)) {
    let scratch = scratch();
    let dir = home(scratch.path(), "browser");
    // The browser hangs on a pipe of the driver's and ends with it.
    let _driver = Program::start(&dir, "chromedriver", &["--port=0"]);
    let work = async {
        let client = session(port_of_driver(&dir).await, &dir, look).await;
        let browser = Browser { client, origin: app.url("") };
        browser.open(path).await;
        test(&browser).await;
        browser.client.close().await.expect("the browser ends");
    };
    tokio::time::timeout(TEST_TIMEOUT, work).await.expect("a test of a page ends in time");
}

/// The port that the system chose for the driver, as its log says.
async fn port_of_driver(dir: &Path) -> u16 {
    let mut port = None;
    eventually("the driver says its port", Duration::from_secs(30), async || {
        let log = std::fs::read_to_string(dir.join("chromedriver.log")).expect("a log");
        let said =
            log.split_once("successfully on port ").and_then(|(_, rest)| rest.split_once('.'));
        port = said.and_then(|(port, _)| port.parse().ok());
        port.is_some()
    })
    .await;
    port.expect("it has said so")
}

async fn session(port: u16, dir: &Path, look: Look) -> Client {
    let url = format!("http://127.0.0.1:{port}");
    let profile = dir.join("profile");
    let scheme = if look.dark { 0 } else { 1 };
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
        // Whatever is not here is nowhere: no name is looked up.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ];
    let own = [
        format!("--user-data-dir={}", profile.display()),
        format!("--blink-settings=preferredColorScheme={scheme}"),
        format!("--window-size={},900", look.width.max(500)),
    ];
    let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).chain(own).collect();
    let mut options = json!({"args": arguments});
    if look.width < 500 {
        options["mobileEmulation"] = json!({"deviceMetrics": {"width": look.width, "height": 740, "pixelRatio": 1.0, "touch": true}});
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
    client.expect("it has started")
}

impl Browser {
    pub async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.origin)).await.expect("the page opens");
    }

    /// What a script returns.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    /// What a promise comes to.
    pub async fn run_to_its_end(&self, promise: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; Promise.resolve({promise}).then(done, (e) => done(String(e)));"
        );
        self.client
            .execute_async(&script, Vec::new())
            .await
            .unwrap_or_else(|e| panic!("{promise}: {e}"))
    }

    /// Waits until an expression of JavaScript is true.
    pub async fn until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        eventually(expression, SHOWN_TIMEOUT, async || self.run(&script).await == true).await;
    }

    /// The text that is shown of an element.
    pub async fn text(&self, css: &str) -> String {
        let script = format!("return document.querySelector({css:?}).innerText");
        self.run(&script).await.as_str().expect("a text").to_owned()
    }

    pub async fn click(&self, css: &str) {
        let element =
            self.client.find(Locator::Css(css)).await.unwrap_or_else(|e| panic!("{css}: {e}"));
        element.click().await.unwrap_or_else(|e| panic!("{css}: {e}"));
    }

    /// Types into whatever has the focus.
    pub async fn write(&self, text: &str) {
        let element = self.client.active_element().await.expect("something has the focus");
        element.send_keys(text).await.expect("it takes keys");
    }

    pub async fn press(&self, key: Key) {
        self.write(&String::from(char::from(key))).await;
    }

    /// Presses Tab until an element has the focus, as somebody without a mouse does.
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

    /// A picture of the whole page, for people: `target/tmp/NAME.png`.
    pub async fn picture(&self, name: &str) {
        let picture = self.client.screenshot().await.expect("a picture");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        std::fs::write(file, picture).expect("a file");
    }

    /// Writes `docs/images/NAME.png`, with an element at the top, if `UPDATE_DOCS` is set.
    ///
    /// It is never compared: fonts and browsers of two machines differ.
    pub async fn picture_of_docs(&self, name: &str, css: &str) {
        if std::env::var_os("UPDATE_DOCS").is_none() {
            return;
        }
        let scroll = format!(
            "document.activeElement.blur();
             const top = document.querySelector({css:?}).getBoundingClientRect().top;
             scrollTo({{ top: scrollY + top - 16, behavior: 'instant' }})"
        );
        self.run(&scroll).await;
        let picture = self.client.screenshot().await.expect("a picture");
        std::fs::write(format!("docs/images/{name}.png"), picture).expect("a file");
    }

    /// That all that was asked for lies on this server, and that nothing was tried that a page of
    /// ours may not do.
    pub async fn keeps_to_itself(&self) {
        let asked =
            self.run("return performance.getEntriesByType('resource').map((it) => it.name)").await;
        let asked: Vec<_> =
            asked.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert!(!asked.is_empty());
        let inside = format!("{}/", self.origin);
        assert!(
            asked.iter().all(|url| url.starts_with(&inside) || url.starts_with("data:")),
            "{asked:?}"
        );
        let violations = self
            .run_to_its_end(
                "new Promise((done) => {
                    const seen = new ReportingObserver((reports) => done(reports.map((it) => JSON.stringify(it.body))),
                        { types: ['csp-violation'], buffered: true });
                    seen.observe();
                    setTimeout(() => done(seen.takeRecords().map((it) => JSON.stringify(it.body))), 300);
                })",
            )
            .await;
        assert_eq!(violations, json!([]));
    }
}
