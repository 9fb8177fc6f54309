//! The schemas of request and response bodies, derived from their types.

use utoipa::ToSchema;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema, Type};

use crate::http::api::prices::BAR;

/// The schema of a type, and the schemas that it refers to.
#[derive(Clone)]
pub struct TypeSchema {
    name: String,
    /// All schemas, including its own: (name, schema).
    all: Vec<(String, RefOr<Schema>)>,
}

/// The schema of a body.
#[derive(Clone)]
pub enum BodySchema {
    /// JSON of a type.
    Json(TypeSchema),
    /// A JSON object with this description. Its fields are specified elsewhere.
    Object(&'static str),
    /// Any other body, with this description.
    Text(&'static str),
}

/// The schema of a request body. Clients may omit nullable fields.
pub fn of_request<T: ToSchema>() -> TypeSchema {
    let name = T::name().into_owned();
    let mut all = vec![(name.clone(), T::schema())];
    T::schemas(&mut all);
    TypeSchema { name, all }
}

/// The schema of a response body, which has all its fields, but for bars with some of the columns.
pub fn of_response<T: ToSchema>() -> TypeSchema {
    let mut schema = of_request::<T>();
    let complete = schema.all.iter_mut().filter(|(name, _)| name != BAR);
    complete.for_each(|(_, schema)| require_nullable_fields(schema));
    schema
}

/// Makes nullable fields required: responses contain them, with null. Fields that a response may
/// omit are not nullable.
fn require_nullable_fields(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            let nullable = object
                .properties
                .iter()
                .filter(|(_, field)| is_nullable(field))
                .map(|(name, _)| name);
            let missing: Vec<_> =
                nullable.filter(|name| !object.required.contains(name)).cloned().collect();
            object.required.extend(missing);
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(require_nullable_fields),
        _ => {}
    }
}

fn is_nullable(field: &RefOr<Schema>) -> bool {
    let is_null = |kind: &SchemaType| match kind {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => false,
    };
    match field {
        RefOr::T(Schema::Object(object)) => is_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => is_null(&array.schema_type),
        RefOr::T(Schema::OneOf(one)) => one.items.iter().any(is_nullable),
        _ => false,
    }
}

/// The schema of a JSON response body.
pub fn json<T: ToSchema>() -> BodySchema {
    BodySchema::Json(of_response::<T>())
}

impl TypeSchema {
    pub fn into_all(self) -> Vec<(String, RefOr<Schema>)> {
        self.all
    }
}

impl BodySchema {
    /// The schema in an operation: a reference for types, else the schema itself.
    pub fn reference(&self) -> RefOr<Schema> {
        let described = |kind, description: &'static str| {
            ObjectBuilder::new().schema_type(kind).description(Some(description)).into()
        };
        match self {
            Self::Json(schema) => Ref::from_schema_name(&schema.name).into(),
            Self::Object(description) => described(Type::Object, description),
            Self::Text(description) => described(Type::String, description),
        }
    }
}
