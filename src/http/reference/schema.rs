//! The form of a body, as its type says it.

use utoipa::ToSchema;
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
    let name = T::name().into_owned();
    let mut all = vec![(name.clone(), T::schema())];
    T::schemas(&mut all);
    Collected { name, all }
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
            Self::Object(about) => ObjectBuilder::new().schema_type(Type::Object).description(Some(*about)).into(),
            Self::Text(about) => ObjectBuilder::new().schema_type(Type::String).description(Some(*about)).into(),
        }
    }
}
