//! The real binary.

use std::process::Command;

/// `tickerd` with these arguments and an environment that holds nothing of the machine's own.
pub fn tickerd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickerd"));
    command.args(arguments).env_clear();
    for name in ["PATH", "HOME", "TMPDIR", "SSL_CERT_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}
