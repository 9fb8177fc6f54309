//! Every operation: what the code does not say by itself.

mod keys;
mod market;
mod prices;
mod server;
mod stocks;
mod watchlists;

use utoipa::ToSchema;
use utoipa::openapi::HttpMethod;

use super::answers::OF_PAGES;
use super::operation::{Counted, Good, Operation};
use super::schema::{Body, json};
use crate::route::Route;

const JSON: &str = "application/json";

pub fn operations() -> Vec<Operation> {
    let areas = [
        stocks::operations(),
        prices::operations(),
        market::operations(),
        watchlists::operations(),
        keys::operations(),
        server::operations(),
    ];
    areas.into_iter().flatten().collect()
}

/// GET with a key that answers JSON of a type from the cache.
fn read<T: ToSchema>(
    id: &'static str,
    route: Route,
    tag: &'static str,
    summary: &'static str,
    example: &'static str,
) -> Operation {
    let answer = Good { example: Some(example), kept: true, ..Good::ok(vec![(JSON, json::<T>())]) };
    Operation {
        id,
        method: HttpMethod::Get,
        path: route.pattern(),
        tag,
        summary,
        about: "",
        counted: Counted::ByKey,
        parameters: &[],
        sent: None,
        answers: vec![answer],
        problems: &[],
        follow: &[],
        example: &[],
    }
}

/// GET with a key that answers rows, in whatever form is asked for.
fn read_rows<T: ToSchema>(
    id: &'static str,
    route: Route,
    summary: &'static str,
    example: &'static str,
) -> Operation {
    let bodies = vec![
        (JSON, json::<T>()),
        ("text/csv", Body::Text("A line of names, then a line a row")),
        ("application/x-ndjson", Body::Text("A row in JSON a line")),
    ];
    let answer = Good { example: Some(example), kept: true, headers: OF_PAGES, ..Good::ok(bodies) };
    Operation { answers: vec![answer], ..read::<T>(id, route, "Prices", summary, example) }
}

/// GET that asks for no key.
fn open(
    id: &'static str,
    path: &'static str,
    summary: &'static str,
    media: &'static str,
    body: Body,
) -> Operation {
    Operation {
        id,
        method: HttpMethod::Get,
        path,
        tag: "This server",
        summary,
        about: "",
        counted: Counted::ByAddress,
        parameters: &[],
        sent: None,
        answers: vec![Good::ok(vec![(media, body)])],
        problems: &[],
        follow: &[],
        example: &[],
    }
}
