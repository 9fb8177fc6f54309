//! What is the caller's own.

use super::{JSON, read};
use crate::http::api::usage::{PARAMETERS, Used};
use crate::http::reference::operation::{Good, Operation};
use crate::http::reference::schema::json;
use crate::route::Route;

pub fn operations() -> Vec<Operation> {
    let example = include_str!("../examples/getUsage.json");
    let summary = "What your key used, newest day first";
    vec![Operation {
        about: "Up to 10 s behind; at most 366 days.",
        parameters: PARAMETERS,
        answers: vec![Good {
            example: Some(example),
            ..Good::ok(vec![(JSON, json::<Used<'static>>())])
        }],
        example: &[("start", "2026-11-01"), ("end", "2026-11-30")],
        ..read::<Used<'static>>("getUsage", Route::Usage, "Your key", summary, example)
    }]
}
