//! What documents show of answers is what the server sends; the table of errors is generated.

use serde_json::Value;

use super::{between, is_as_generated, read};
use crate::support::{App, Database};

#[test]
fn the_table_of_errors_is_what_the_code_writes() {
    let name = "docs/errors.md";
    let page = read(name);
    let mut problems: Vec<_> = tickerd::http::problems().collect();
    problems.sort_by_key(|(status, ..)| *status);
    let rows: String = problems
        .iter()
        .map(|(status, code, when)| format!("| {status} | `{code}` | {when} |\n"))
        .collect();
    let (before, _, after) = between(&page, "<!-- generated", "<!-- end of the generated");
    let table = format!("\n| status | code | when |\n|---|---|---|\n{rows}\n");
    is_as_generated(name, &format!("{before}{table}{after}"));
}

/// The first block of a kind in a document.
fn block<'a>(document: &'a str, kind: &str) -> &'a str {
    between(document, &format!("```{kind}\n"), "```").1
}

#[tokio::test]
async fn the_request_of_the_readme_is_answered_as_it_says() {
    let readme = read("README.md");
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("free"));
    let (_, url) = block(&readme, "sh").split_once("'http://127.0.0.1:3000").expect("a URL");
    let (status, answer) = app.json(&key, url.trim().trim_end_matches('\'')).await;
    let printed: Value = serde_json::from_str(block(&readme, "json")).expect("JSON");
    assert_eq!((status, answer), (200, printed));
}

#[tokio::test]
async fn the_chart_of_the_readme_is_what_the_route_answers() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("free"));
    let readme = read("README.md");
    let (_, path) = readme.split_once("`/api/stocks/AAPL/chart.svg").expect("a path");
    let query = path.split('`').next().expect("a query");
    let answer = app.get(&key, &format!("/api/stocks/AAPL/chart.svg{query}")).await;
    assert_eq!(answer.status().as_u16(), 200);
    is_as_generated("docs/images/chart.svg", &answer.text().await.expect("an SVG"));
}

/// Fields of a schema that no route of the API sends: (schema, field).
const ONLY_ON_THE_COMMAND_LINE: [(&str, &str); 1] = [("UsageTotal", "owner")];

#[tokio::test]
async fn the_page_of_the_api_names_every_route_parameter_and_field() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let (page, (_, document)) = (read("docs/api.md"), app.json("", "/openapi.json").await);
    let mut missing = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        if !page.contains(path.as_str()) {
            missing.push(path.clone());
        }
        let operations = methods.as_object().expect("methods").values();
        let parameters =
            operations.flat_map(|it| it["parameters"].as_array().into_iter().flatten());
        for parameter in parameters {
            let name = parameter["name"].as_str().expect("a name");
            if parameter["in"] == "query" && !page.contains(&format!("`{name}`")) {
                missing.push(format!("{name} of {path}"));
            }
        }
    }
    // Errors have a page of their own.
    let pages = page + &read("docs/errors.md");
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        for field in schema["properties"].as_object().into_iter().flat_map(|it| it.keys()) {
            let is_named =
                ["`", "\""].iter().any(|quote| pages.contains(&format!("{quote}{field}{quote}")));
            if !is_named && !ONLY_ON_THE_COMMAND_LINE.contains(&(name.as_str(), field.as_str())) {
                missing.push(format!("{field} of {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
