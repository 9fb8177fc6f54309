//! The real binary.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// `tickerd` with these arguments and an environment that holds nothing of the machine's own.
///
/// `TICKERD_BINARY` names another one than that which was built with the tests: one that is made to be fast.
pub fn tickerd(arguments: &[&str]) -> Command {
    let other = std::env::var_os("TICKERD_BINARY");
    let mut command = Command::new(other.unwrap_or_else(|| env!("CARGO_BIN_EXE_tickerd").into()));
    command.args(arguments).env_clear().stdin(Stdio::null());
    for name in ["PATH", "HOME", "TMPDIR", "SSL_CERT_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // Servers that run side by side can't all have the default port.
    command.env("ADMIN_PORT", "0");
    command
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        command.output().expect("the binary runs").into()
    }

    /// That it succeeded, and the one JSON object that is alone on its stdout.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).expect("stdout is JSON")
    }

    /// That it failed, said nothing on stdout, and only one line on stderr: that line.
    pub fn sentence(&self) -> &str {
        self.line(1)
    }

    /// That it would lose something, could ask nobody, and changed nothing: the line that says so.
    pub fn unasked(&self) -> &str {
        self.line(2)
    }

    fn line(&self, code: i32) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        self.stderr.strip_prefix("tickerd: ").expect("it says who failed").trim_end()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("output is text");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
