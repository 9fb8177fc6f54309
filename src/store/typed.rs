//! Parameters of statements, with their SQL types.
//!
//! Postgres reports the types of a prepared statement. Behind a pooler no statement is prepared, so
//! the client must send the types: asking for them would cost another round trip.

use chrono::{DateTime, NaiveDate, Utc};
use tokio_postgres::types::{ToSql, Type};

/// A Rust type that stands for one SQL type.
pub(super) trait Typed {
    const TYPE: Type;
}

/// A value of such a type, as a trait object in a list of parameters.
pub(super) trait Param: ToSql + Sync {
    fn sql_type(&self) -> Type;
}

impl<T: Typed + ToSql + Sync> Param for T {
    fn sql_type(&self) -> Type {
        T::TYPE
    }
}

macro_rules! typed {
    ($($rust:ty => $sql:ident),+ $(,)?) => {
        $(impl Typed for $rust {
            const TYPE: Type = Type::$sql;
        })+
    };
}

typed! {
    bool => BOOL,
    i16 => INT2,
    i32 => INT4,
    i64 => INT8,
    f64 => FLOAT8,
    str => TEXT,
    String => TEXT,
    NaiveDate => DATE,
    DateTime<Utc> => TIMESTAMPTZ,
    [i32] => INT4_ARRAY,
    [i64] => INT8_ARRAY,
    [String] => TEXT_ARRAY,
    [&str] => TEXT_ARRAY,
    [DateTime<Utc>] => TIMESTAMPTZ_ARRAY,
}

impl<T: Typed + ?Sized> Typed for &T {
    const TYPE: Type = T::TYPE;
}

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = T::TYPE;
}

impl<T> Typed for Vec<T>
where
    [T]: Typed,
{
    const TYPE: Type = <[T] as Typed>::TYPE;
}
