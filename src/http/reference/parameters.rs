//! Parameters of paths and queries, as the document writes them.

use serde_json::json;
use utoipa::openapi::path::{Parameter as Written, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaFormat};
use utoipa::openapi::{KnownFormat, RefOr, Required, Schema, Type};

use super::operation::Example;
use crate::http::request::parameter::{Parameter, Takes, Whole};

/// As `market::Symbol` takes it.
const SYMBOL: &str = "^[A-Za-z0-9][A-Za-z0-9.-]{0,11}$";

/// What stands between braces in a path.
pub fn of_path(pattern: &str, example: Example) -> impl Iterator<Item = Written> {
    let names =
        pattern.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name);
    names.map(move |name| {
        let (about, schema) = match name {
            "symbol" => {
                ("A ticker symbol in any case; a former one will do", text().pattern(Some(SYMBOL)))
            }
            "date" => (
                "A day, as YYYY-MM-DD",
                text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))),
            ),
            "file" => ("A name that a page of ours uses", text().pattern(Some("^[a-z0-9.-]+$"))),
            _ => ("An id, as this server gave it", text().pattern(Some("^[A-Za-z0-9]{1,64}$"))),
        };
        let written = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True);
        exemplified(written, name, example).description(Some(about)).schema(Some(schema)).build()
    })
}

pub fn of_query(parameter: &Parameter, example: Example) -> Written {
    let required = if parameter.required { Required::True } else { Required::False };
    let mut written = ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Query)
        .required(required);
    if matches!(parameter.takes, Takes::SomeOf(_) | Takes::Symbols) {
        written = written.style(Some(ParameterStyle::Form)).explode(Some(false));
    }
    let written = exemplified(written, parameter.name, example);
    written.description(Some(parameter.about)).schema(Some(taken(parameter.takes))).build()
}

fn exemplified(written: ParameterBuilder, name: &str, example: Example) -> ParameterBuilder {
    let value = example.iter().find(|(known, _)| *known == name).map(|(_, value)| json!(value));
    written.example(value)
}

fn taken(takes: Takes) -> RefOr<Schema> {
    match takes {
        Takes::Date => text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).into(),
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

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
