//! The reference describes the API completely and correctly.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tickerd::route::Route;

use crate::support::{App, Database, Files, Viewport, browse, eventually};

const SCHEMATHESIS_TIMEOUT: Duration = Duration::from_secs(300);

/// The environment variable that makes these tests write the examples of the reference, from the
/// responses to the sample data.
const WRITE: &str = "WRITE_EXAMPLES";
/// Fields whose values differ between runs.
const VOLATILE: [&str; 9] = [
    "updatedAt",
    "createdAt",
    "loadedAt",
    "lastUsedAt",
    "today",
    "expectedDate",
    "isCurrent",
    "key",
    "id",
];
/// Fields of the state of a market, which are null at some times.
const OF_THE_TIME: [&str; 6] = ["asOf", "isOpen", "reason", "session", "nextOpen", "nextClose"];

/// The path of a program that `make test-openapi` installs.
fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis/bin").join(name)
}

async fn document(app: &App) -> Value {
    app.request("GET", "/openapi.json").send().await.unwrap().json().await.unwrap()
}

/// All operations: (path, method, operation).
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .iter()
                .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

fn parameters(operation: &Value) -> impl Iterator<Item = &Value> {
    operation["parameters"].as_array().into_iter().flatten()
}

/// The example request of an operation, from the examples of its parameters.
fn example_request(path: &str, operation: &Value) -> String {
    let (mut path, mut query) = (path.to_owned(), form_urlencoded::Serializer::new(String::new()));
    for parameter in parameters(operation).filter(|parameter| parameter["example"].is_string()) {
        let (name, value) =
            (parameter["name"].as_str().unwrap(), parameter["example"].as_str().unwrap());
        if parameter["in"] == "path" {
            path = path.replace(&format!("{{{name}}}"), value);
        } else {
            query.append_pair(name, value);
        }
    }
    format!("{path}?{}", query.finish())
}

/// A response with placeholders for values that differ between runs. The id of a stock is its
/// symbol, which is constant.
fn stable(response: &Value) -> Value {
    match response {
        Value::Object(fields) => {
            let is_volatile = |name: &str, value: &Value| {
                let is_symbol = name == "id" && value.as_str().is_some_and(|id| id.len() < 12);
                let is_volatile = VOLATILE.contains(&name) && !value.is_null() && !is_symbol;
                is_volatile || OF_THE_TIME.contains(&name)
            };
            let field = |(name, value): (&String, &Value)| {
                (name.clone(), if is_volatile(name, value) { json!("...") } else { stable(value) })
            };
            Value::Object(fields.iter().map(field).collect())
        }
        Value::Array(items) => items.iter().map(stable).collect(),
        other => other.clone(),
    }
}

/// Compares a response with the example of an operation, or writes it as the new example.
fn compare(operation: &Value, status: u16, response: &Value) {
    let id = operation["operationId"].as_str().unwrap();
    if std::env::var_os(WRITE).is_some() {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join(format!("src/http/reference/examples/{id}.json"));
        std::fs::write(file, format!("{}\n", serde_json::to_string_pretty(response).unwrap()))
            .unwrap();
    } else {
        let example =
            &operation["responses"][status.to_string()]["content"]["application/json"]["example"];
        assert_eq!(stable(response), stable(example), "{id}");
    }
}

#[tokio::test]
async fn examples_are_the_responses_to_the_sample_data() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let document = document(&app).await;
    let mut compared = 0;
    for (path, _, operation) in
        operations(&document).into_iter().filter(|(_, method, _)| *method == "get")
    {
        let example = &operation["responses"]["200"]["content"]["application/json"]["example"];
        // Other tests compare usage and watchlists, which have no data in the sample.
        if example.is_null() || path == "/api/usage" || path.starts_with("/api/watchlists") {
            continue;
        }
        let request = example_request(path, operation);
        let (status, response) = app.json(&key, &request).await;
        assert_eq!(status, 200, "{request}: {response}");
        compare(operation, status, &response);
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

#[tokio::test]
async fn examples_of_watchlists_are_the_responses_to_their_requests() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let document = document(&app).await;
    let mut id = String::new();
    let order = [
        ("/api/watchlists", "post"),
        ("/api/watchlists", "get"),
        ("/api/watchlists/{id}", "get"),
        ("/api/watchlists/{id}/quotes", "get"),
        ("/api/watchlists/{id}", "patch"),
    ];
    for (path, method) in order {
        let operation = &document["paths"][path][method];
        let request = app
            .request(&method.to_uppercase(), &path.replace("{id}", &id))
            .header("x-api-key", &key);
        let body = &operation["requestBody"]["content"]["application/json"]["example"];
        let request = if body.is_null() { request } else { request.json(body) };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let response: Value = response.json().await.unwrap();
        assert!([200, 201].contains(&status), "{response}");
        compare(operation, status, &response);
        id = response["id"].as_str().map_or(id, str::to_owned);
    }
    let deleted = app
        .request("DELETE", &format!("/api/watchlists/{id}"))
        .header("x-api-key", &key)
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status().as_u16(), 204);
    assert!(!document["paths"]["/api/watchlists/{id}"]["delete"]["responses"]["204"].is_null());
}

#[tokio::test]
async fn the_example_of_usage_has_the_fields_of_a_response() {
    let database = Database::sample().await;
    let (app, key) =
        (App::with(&database, &[("USAGE_FLUSH_MS", "50")]).await, database.issue("pro"));
    let mut response = Value::Null;
    eventually("usage is stored", Duration::from_secs(20), async || {
        (_, response) = app.json(&key, "/api/usage").await;
        response["count"] != 0
    })
    .await;
    let operation = &document(&app).await["paths"]["/api/usage"]["get"];
    if std::env::var_os(WRITE).is_some() {
        return compare(operation, 200, &response);
    }
    let example = &operation["responses"]["200"]["content"]["application/json"]["example"];
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        (fields(&response), fields(&response["usage"][0])),
        (fields(example), fields(&example["usage"][0]))
    );
}

#[tokio::test]
async fn every_route_is_described() {
    let database = Database::sample().await;
    let document = document(&App::without_redis(&database).await).await;
    let described = document["paths"].as_object().unwrap();
    let missing: Vec<_> = Route::ALL
        .into_iter()
        .filter(|route| *route != Route::Other && !described.contains_key(route.pattern()))
        .map(Route::pattern)
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    for path in described.keys() {
        assert_ne!(Route::of(&path.replace(['{', '}'], "")), Route::Other, "{path} is not a route");
    }
    let id = |operation: &Value| operation["operationId"].as_str().unwrap().to_owned();
    let mut ids: Vec<_> =
        operations(&document).iter().map(|(.., operation)| id(operation)).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
}

#[tokio::test]
async fn routes_accept_exactly_the_described_parameters() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("enterprise"));
    let document = document(&app).await;
    for (path, _, operation) in operations(&document).into_iter().filter(|(path, method, _)| {
        *method == "get" && path.starts_with("/api/") && !path.contains("{id}")
    }) {
        let request = example_request(path, operation);
        let separator = if request.ends_with('?') { "" } else { "&" };
        let (status, problem) = app.json(&key, &format!("{request}{separator}no_such=1")).await;
        assert_eq!((status, &problem["code"]), (400, &json!("unknown_parameter")), "{request}");
        let detail = problem["detail"].as_str().unwrap();
        let known = detail.rsplit_once("expected ").unwrap().1;
        let mut known: Vec<_> = known.split(", ").filter(|name| *name != "no parameters").collect();
        let mut described: Vec<_> = parameters(operation)
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        known.sort_unstable();
        described.sort_unstable();
        assert_eq!(described, known, "{path}");
    }
}

#[tokio::test]
async fn every_error_code_is_in_a_response_of_some_operation() {
    let database = Database::sample().await;
    let document = document(&App::without_redis(&database).await).await.to_string();
    let page = std::fs::read_to_string("docs/errors.md").unwrap();
    let rows = page.lines().filter_map(|line| line.split_once(" | `")).filter(|(status, _)| {
        status.strip_prefix("| ").is_some_and(|status| status.parse::<u16>().is_ok())
    });
    let codes: Vec<_> = rows
        .filter(|(_, row)| !row.contains("| `/admin`"))
        .map(|(_, row)| row.split('`').next().unwrap())
        .collect();
    assert!(codes.len() > 15, "{codes:?}");
    // A method that a path does not allow is no operation, nor is a path that leads nowhere.
    let of_no_operation = ["method_not_allowed", "address_limited"];
    let missing: Vec<_> = codes
        .iter()
        .filter(|code| !of_no_operation.contains(code))
        .filter(|code| !document.contains(&format!("`{code}`: ")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn the_reference_page_shows_every_operation_and_contacts_no_other_server() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let count = operations(&document(&app).await).len();
    for dark in [false, true] {
        browse(&app, Viewport { dark, ..Viewport::DESKTOP }, "/docs", async |browser| {
            browser
                .wait_until(&format!(
                    "document.querySelectorAll('#reference .opblock').length === {count}"
                ))
                .await;
            browser.click("#operations-Prices-getQuote button").await;
            browser
                .wait_until(
                    "document.querySelector('#operations-Prices-getQuote .responses-table')",
                )
                .await;
            browser.assert_no_foreign_requests().await;
        })
        .await;
    }
}

#[tokio::test]
#[ignore = "needs schemathesis: make test-openapi"]
async fn every_response_is_described_in_the_reference() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    assert_eq!(
        database.output(&["tiers", "set", "boundless", "--requests-per-minute", "10000000"]).code,
        Some(0)
    );
    let key = database.issue("boundless");
    let files = Files::new();
    let written = files.write("openapi.json", document(&app).await.to_string());
    let valid = std::process::Command::new(installed("openapi-spec-validator"))
        .arg(&written)
        .output()
        .expect("schemathesis runs");
    assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stdout));
    let mut command = tokio::process::Command::new(installed("schemathesis"));
    command.args([
        "--config-file",
        "tests/openapi/schemathesis.toml",
        "run",
        &app.url("/openapi.json"),
    ]);
    command.args([
        "--header",
        &format!("X-API-Key: {key}"),
        "--seed",
        &rand::random::<u32>().to_string(),
    ]);
    let output = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(SCHEMATHESIS_TIMEOUT, output)
        .await
        .expect("schemathesis ends in time")
        .expect("schemathesis runs");
    // Its output ends with its seed.
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
