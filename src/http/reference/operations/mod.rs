//! All operations, with the texts and examples that are not in the code of the routes.

mod account;
mod market;
mod server;
mod stocks;

use utoipa::ToSchema;
use utoipa::openapi::HttpMethod;

use super::operation::{LimitedBy, Operation, Success};
use super::responses::PAGED;
use super::schema::{BodySchema, json};
use crate::route::Route;

const JSON: &str = "application/json";

pub fn operations() -> Vec<Operation> {
    let areas =
        [stocks::operations(), market::operations(), account::operations(), server::operations()];
    areas.into_iter().flatten().collect()
}

/// A GET that requires a key and responds with JSON from the cache.
fn read<T: ToSchema>(
    id: &'static str,
    route: Route,
    tag: &'static str,
    summary: &'static str,
    example: &'static str,
) -> Operation {
    let body = vec![(JSON, json::<T>())];
    let response = Success { example: Some(example), is_cached: true, ..Success::ok(body) };
    Operation {
        id,
        method: HttpMethod::Get,
        path: route.pattern(),
        tag,
        summary,
        description: "",
        limited_by: LimitedBy::Key,
        parameters: &[],
        request_body: None,
        responses: vec![response],
        problems: &[],
        links: &[],
        example: &[],
    }
}

/// A GET that requires a key and responds with price rows in any format.
fn read_rows<T: ToSchema>(
    id: &'static str,
    route: Route,
    summary: &'static str,
    example: &'static str,
) -> Operation {
    let bodies = vec![
        (JSON, json::<T>()),
        ("text/csv", BodySchema::Text("A header line with the names, then one line per row")),
        ("application/x-ndjson", BodySchema::Text("One JSON object per line and row")),
    ];
    let response =
        Success { example: Some(example), is_cached: true, headers: PAGED, ..Success::ok(bodies) };
    Operation { responses: vec![response], ..read::<T>(id, route, "Prices", summary, example) }
}

/// A GET that requires no key.
fn open(
    id: &'static str,
    path: &'static str,
    summary: &'static str,
    media_type: &'static str,
    body: BodySchema,
) -> Operation {
    Operation {
        id,
        method: HttpMethod::Get,
        path,
        tag: "This server",
        summary,
        description: "",
        limited_by: LimitedBy::Nothing,
        parameters: &[],
        request_body: None,
        responses: vec![Success::ok(vec![(media_type, body)])],
        problems: &[],
        links: &[],
        example: &[],
    }
}
