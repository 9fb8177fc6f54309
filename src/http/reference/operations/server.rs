//! What asks for no key.

use super::{JSON, open};
use crate::http::api::health::{Alive, Readiness};
use crate::http::reference::operation::{Counted, Good, Operation};
use crate::http::reference::schema::{Body, json};
use crate::route::Route;

const HTML: &str = "text/html";

pub fn operations() -> Vec<Operation> {
    let page = || Body::Text("A page");
    let alive = open(
        "getHealth",
        Route::Health.pattern(),
        "Whether this server lives",
        JSON,
        json::<Alive>(),
    );
    let mut ready = open(
        "getReadiness",
        "/health/ready",
        "What this server stands on",
        JSON,
        json::<Readiness>(),
    );
    let about = "Postgres or its tables are not there, or this server is about to end";
    ready.answers.push(Good { status: 503, about, ..Good::ok(vec![(JSON, json::<Readiness>())]) });
    let asset =
        open("getAsset", Route::Asset.pattern(), "A part of a page", "*/*", Body::Text("A file"));
    vec![
        Operation { counted: Counted::Not, ..alive },
        Operation { counted: Counted::Not, ..ready },
        open("getPage", Route::Page.pattern(), "The page for people", HTML, page()),
        open(
            "getReference",
            Route::Reference.pattern(),
            "This reference, to read and try",
            HTML,
            page(),
        ),
        open(
            "getOpenApi",
            Route::OpenApi.pattern(),
            "This document",
            JSON,
            Body::Object("OpenAPI 3.1"),
        ),
        Operation { counted: Counted::Not, problems: &["not_found"], ..asset },
    ]
}
