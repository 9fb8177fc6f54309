//! The OpenAPI schema of price rows, which contain any selection of the columns.

use std::borrow::Cow;

use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaFormat, SchemaType};
use utoipa::openapi::{KnownFormat, Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::columns::PriceColumn;
use super::rows::PriceRows;

/// The name of the schema of one row, which has the requested columns alone.
pub const BAR: &str = "Bar";

impl PartialSchema for PriceRows<'_> {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(Ref::from_schema_name(BAR)).into()
    }
}

impl ToSchema for PriceRows<'_> {
    fn name() -> Cow<'static, str> {
        "Bars".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let bar = ObjectBuilder::new().description(Some("The requested columns."));
        let bar = PriceColumn::ALL
            .into_iter()
            .fold(bar, |bar, column| bar.property(column.as_str(), column_schema(column)));
        schemas.push((BAR.to_owned(), bar.into()));
    }
}

fn column_schema(column: PriceColumn) -> ObjectBuilder {
    let date = Some(KnownFormat::Date);
    let double = Some(KnownFormat::Double);
    let (kind, format, description) = match column {
        PriceColumn::Symbol => (Type::String, None, "The current symbol of the stock."),
        PriceColumn::Date => {
            (Type::String, date, "The trading day; the last one of a week, month or year.")
        }
        PriceColumn::Open => {
            (Type::Number, double, "The first price. All prices are in the stock's currency.")
        }
        PriceColumn::High => (Type::Number, double, "The highest price."),
        PriceColumn::Low => (Type::Number, double, "The lowest price."),
        PriceColumn::Close => (Type::Number, double, "The last price."),
        PriceColumn::AdjustedClose => {
            let description = "The close adjusted for splits and dividends: as the feed has it, or \
                               computed with 10 significant digits, rounded half to even.";
            (Type::Number, double, description)
        }
        PriceColumn::Volume => {
            (Type::Integer, Some(KnownFormat::Int64), "The number of shares traded.")
        }
        PriceColumn::Unfinished => {
            (Type::Boolean, None, "Whether the week, month or year may still get more bars.")
        }
        PriceColumn::Vwap => {
            let description = "The volume-weighted average price, only if `columns` has it; null \
                               if the feed lacks it. Of a week, month or year it is the average \
                               of its days.";
            return nullable(Type::Number, KnownFormat::Double, description);
        }
        PriceColumn::Trades => {
            let description = "The number of trades, only if `columns` has it; null if the feed \
                               lacks it.";
            return nullable(Type::Integer, KnownFormat::Int64, description);
        }
        PriceColumn::Adjust => {
            let description = "What the row is adjusted for: `splits` or `all`. By default the \
                               last column of adjusted CSV and NDJSON.";
            (Type::String, None, description)
        }
    };
    let format = format.map(SchemaFormat::KnownFormat);
    ObjectBuilder::new().schema_type(kind).format(format).description(Some(description))
}

fn nullable(kind: Type, format: KnownFormat, description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([kind, Type::Null]))
        .format(Some(SchemaFormat::KnownFormat(format)))
        .description(Some(description))
}
