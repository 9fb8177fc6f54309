//! Values as parameters, with the type that Postgres is to take them for.
//!
//! A prepared statement knows its types from Postgres. One that is sent whole, for want of a
//! session that would remember it, has to name them: a trip to ask for them would be one trip more.

use chrono::{DateTime, NaiveDate, Utc};
use tokio_postgres::types::{ToSql, Type};

/// A value of a known type.
pub(super) trait Typed {
    const TYPE: Type;
}

/// The same where the type is not known to the compiler any more, as in a list of parameters.
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
