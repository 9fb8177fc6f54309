//! Health, web pages and this reference, which require no key.

use super::{JSON, open};
use crate::http::api::health::{Liveness, Readiness};
use crate::http::reference::operation::{Operation, Success};
use crate::http::reference::schema::{BodySchema, json};
use crate::route::Route;

const HTML: &str = "text/html";
const CSS: &str = "text/css";
const JAVASCRIPT: &str = "text/javascript";

pub fn operations() -> Vec<Operation> {
    let page = || BodySchema::Text("An HTML page");
    let health = open(
        "getHealth",
        Route::Health.pattern(),
        "Check that this server responds",
        JSON,
        json::<Liveness>(),
    );
    let mut readiness = open(
        "getReadiness",
        "/health/ready",
        "Check that this server can serve requests",
        JSON,
        json::<Readiness>(),
    );
    readiness.responses.push(Success {
        status: 503,
        description: "Postgres or its tables are missing, or this server is stopping",
        ..Success::ok(vec![(JSON, json::<Readiness>())])
    });
    let file = || BodySchema::Text("A style sheet or script");
    let mut asset =
        open("getAsset", Route::Asset.pattern(), "Get a file of a web page", CSS, file());
    asset.responses = vec![Success::ok(vec![(CSS, file()), (JAVASCRIPT, file())])];
    vec![
        health,
        readiness,
        open("getPage", Route::Page.pattern(), "Get the web page for people", HTML, page()),
        open(
            "getReference",
            Route::Reference.pattern(),
            "Get this reference as an interactive page",
            HTML,
            page(),
        ),
        open(
            "getOpenApi",
            Route::OpenApi.pattern(),
            "Get this document",
            JSON,
            BodySchema::Object("An OpenAPI 3.1 document"),
        ),
        Operation { problems: &["not_found"], ..asset },
    ]
}
