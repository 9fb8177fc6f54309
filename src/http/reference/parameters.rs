//! The representation of path and query parameters in the document.

use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{self, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaFormat};
use utoipa::openapi::{KnownFormat, RefOr, Required, Schema, Type};

use crate::http::request::parameter::{Parameter, Takes, Whole};

/// The parameters of an operation's example request: (name, value).
pub type ExampleValues = &'static [(&'static str, &'static str)];

/// The pattern of [`crate::market::Symbol`].
const SYMBOL: &str = "^[A-Za-z0-9][A-Za-z0-9.-]{0,11}$";

/// The parameters in braces of a path pattern.
pub fn in_path(pattern: &str, example: ExampleValues) -> impl Iterator<Item = path::Parameter> {
    let names =
        pattern.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name);
    names.map(move |name| {
        let (description, schema) = match name {
            "symbol" => (
                "A ticker symbol, current or former, all in upper or all in lower case",
                text().pattern(Some(SYMBOL)),
            ),
            "date" => (
                "A day, as YYYY-MM-DD",
                text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))),
            ),
            "file" => ("The name of a file of a web page", text().pattern(Some("^[a-z0-9.-]+$"))),
            _ => ("An id from a response", text().pattern(Some("^[A-Za-z0-9]{1,64}$"))),
        };
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .example(value_of(name, example))
            .description(Some(description))
            .schema(Some(schema))
            .build()
    })
}

pub fn in_query(parameter: &Parameter, example: ExampleValues) -> path::Parameter {
    let required = if parameter.required { Required::True } else { Required::False };
    let mut builder = ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Query)
        .required(required);
    if parameter.takes.is_list() {
        builder = builder.style(Some(ParameterStyle::Form)).explode(Some(true));
    }
    builder
        .example(value_of(parameter.name, example))
        .description(Some(parameter.about))
        .schema(Some(schema(parameter.takes)))
        .build()
}

fn value_of(name: &str, example: ExampleValues) -> Option<serde_json::Value> {
    example.iter().find(|(known, _)| *known == name).map(|(_, value)| json!(value))
}

fn schema(takes: Takes) -> RefOr<Schema> {
    match takes {
        Takes::Date => text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).into(),
        Takes::DateOrTime => {
            let formats = [KnownFormat::Date, KnownFormat::DateTime];
            let formats =
                formats.map(|format| text().format(Some(SchemaFormat::KnownFormat(format))));
            formats.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item).into()
        }
        Takes::Number(Whole { min, max, default }) => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(min))
            .maximum(Some(max))
            .default(Some(default.into()))
            .into(),
        Takes::NumberOrAll(Whole { min, max, .. }) => {
            let number = ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(min))
                .maximum(Some(max));
            OneOfBuilder::new().item(number).item(text().enum_values(Some(["all"]))).into()
        }
        Takes::Flag => {
            ObjectBuilder::new().schema_type(Type::Boolean).default(Some(false.into())).into()
        }
        Takes::Text => {
            text().min_length(Some(1)).max_length(Some(100)).pattern(Some("^[^\\x00]+$")).into()
        }
        Takes::OneOf(words) => text()
            .enum_values(Some(words.iter().copied()))
            .default(words.first().map(|word| json!(word)))
            .extensions(names_of(words))
            .into(),
        Takes::Only(words) => text().enum_values(Some(words.iter().copied())).into(),
        Takes::SomeOf(words) => {
            let word = text().enum_values(Some(words.iter().copied()));
            ArrayBuilder::new().items(word).unique_items(true).min_items(Some(1)).into()
        }
        Takes::Symbols => ArrayBuilder::new()
            .items(text().pattern(Some(SYMBOL)))
            .min_items(Some(1))
            .max_items(Some(100))
            .into(),
        Takes::Cursor => text().min_length(Some(1)).into(),
    }
}

/// Names of the words for generated code, if the words are no names themselves.
fn names_of(words: &[&str]) -> Option<Extensions> {
    if !words.iter().any(|word| word.starts_with(|first: char| first.is_ascii_digit())) {
        return None;
    }
    let name = |word: &&str| match *word {
        "1d" => "Day".to_owned(),
        "1w" => "Week".to_owned(),
        "1mo" => "Month".to_owned(),
        "1y" => "Year".to_owned(),
        other => format!("Value{other}"),
    };
    let names: Vec<String> = words.iter().map(name).collect();
    Some(Extensions::builder().add("x-enum-varnames", names).build())
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
