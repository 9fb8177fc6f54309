//! The name under which the audit records a change of keys or tiers.

use std::fmt;

use super::Label;

/// A person or program, with the interface that it used: `cli:ann`, `http:sign-up`.
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
