//! The form of a body, as its type says it.

use utoipa::ToSchema;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema, Type};

/// The schema of a type, and those that it refers to.
#[derive(Clone)]
pub struct Collected {
    name: String,
    all: Vec<(String, RefOr<Schema>)>,
}

/// What a body is made of.
#[derive(Clone)]
pub enum Body {
    /// JSON of a type.
    Json(Collected),
    /// JSON of a form that is described elsewhere: what it is.
    Object(&'static str),
    /// Anything else: what it is.
    Text(&'static str),
}

pub fn of<T: ToSchema>() -> Collected {
    let mut collected = sent::<T>();
    collected.all.iter_mut().for_each(|(_, schema)| complete(schema));
    collected
}

/// The same of what clients send: they may leave out what may be null.
pub fn sent<T: ToSchema>() -> Collected {
    let name = T::name().into_owned();
    let mut all = vec![(name.clone(), T::schema())];
    T::schemas(&mut all);
    Collected { name, all }
}

/// What we answer with may be null, and is there: a field that may be left out is not null.
fn complete(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            let nullable = object
                .properties
                .iter()
                .filter(|(_, field)| may_be_null(field))
                .map(|(name, _)| name);
            let missing: Vec<_> =
                nullable.filter(|name| !object.required.contains(name)).cloned().collect();
            object.required.extend(missing);
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(complete),
        _ => {}
    }
}

fn may_be_null(field: &RefOr<Schema>) -> bool {
    let is_null = |kind: &SchemaType| match kind {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => false,
    };
    match field {
        RefOr::T(Schema::Object(object)) => is_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => is_null(&array.schema_type),
        RefOr::T(Schema::OneOf(one)) => one.items.iter().any(may_be_null),
        _ => false,
    }
}

pub fn json<T: ToSchema>() -> Body {
    Body::Json(of::<T>())
}

impl Collected {
    pub fn into_all(self) -> Vec<(String, RefOr<Schema>)> {
        self.all
    }
}

impl Body {
    /// Where its form is described.
    pub fn reference(&self) -> RefOr<Schema> {
        match self {
            Self::Json(collected) => Ref::from_schema_name(&collected.name).into(),
            Self::Object(about) => {
                ObjectBuilder::new().schema_type(Type::Object).description(Some(*about)).into()
            }
            Self::Text(about) => {
                ObjectBuilder::new().schema_type(Type::String).description(Some(*about)).into()
            }
        }
    }
}
