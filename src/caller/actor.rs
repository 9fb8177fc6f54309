//! Who changes keys and tiers, as the audit names them.

use std::fmt;

use super::Label;

/// Somebody, and the way they came: `cli:ann`, `http:sign-up`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    pub fn cli(name: &Label) -> Self {
        Self(format!("cli:{name}"))
    }

    pub fn http(name: &Label) -> Self {
        Self(format!("http:{name}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
