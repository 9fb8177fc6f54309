//! The form of rows: any of the columns, as they were asked for.

use std::borrow::Cow;

use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaFormat};
use utoipa::openapi::{KnownFormat, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::columns::Column;
use super::rows::Rows;

impl PartialSchema for Rows<'_> {
    fn schema() -> RefOr<Schema> {
        let row = ObjectBuilder::new().description(Some("The columns that were asked for"));
        let row = Column::ALL
            .into_iter()
            .fold(row, |row, column| row.property(column.as_str(), of(column)));
        ArrayBuilder::new().items(row).into()
    }
}

impl ToSchema for Rows<'_> {
    fn name() -> Cow<'static, str> {
        "Rows".into()
    }
}

fn of(column: Column) -> ObjectBuilder {
    let (kind, format, about) = match column {
        Column::Symbol => (Type::String, None, "The symbol that the stock has now"),
        Column::Date => (
            Type::String,
            Some(KnownFormat::Date),
            "The trading day, or the last one of a longer interval",
        ),
        Column::Open => (
            Type::Number,
            Some(KnownFormat::Double),
            "In the stock's currency, as are the next four",
        ),
        Column::High => (Type::Number, Some(KnownFormat::Double), "The highest price"),
        Column::Low => (Type::Number, Some(KnownFormat::Double), "The lowest price"),
        Column::Close => (Type::Number, Some(KnownFormat::Double), "The last price"),
        Column::AdjustedClose => {
            (Type::Number, Some(KnownFormat::Double), "The close adjusted for splits and dividends")
        }
        Column::Volume => (Type::Integer, Some(KnownFormat::Int64), "In shares"),
        Column::Unfinished => (Type::Boolean, None, "Whether the interval may go on"),
    };
    let format = format.map(SchemaFormat::KnownFormat);
    ObjectBuilder::new().schema_type(kind).format(format).description(Some(about))
}
