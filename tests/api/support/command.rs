//! Runs the real binary.

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than any command takes that a test waits for.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);

/// `tickerd` with these arguments and an environment without the machine's own settings.
///
/// `TICKERD_BINARY` names a different binary than the one built with the tests: a release build.
pub fn tickerd(arguments: &[&str]) -> Command {
    let other = std::env::var_os("TICKERD_BINARY");
    let mut command = Command::new(other.unwrap_or_else(|| env!("CARGO_BIN_EXE_tickerd").into()));
    command.args(arguments).env_clear().stdin(Stdio::null());
    for name in ["PATH", "HOME", "TMPDIR", "SSL_CERT_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // Servers that run in parallel can't all use the default port.
    command.env("ADMIN_PORT", "0");
    command
}

/// Waits for a command to end and returns the output of its pipes.
///
/// # Panics
/// If it does not end in time. It is killed then.
pub fn finish(child: Child) -> Output {
    let (pid, started) = (Pid::from_child(&child), Instant::now());
    let (done, ended) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        if ended.recv_timeout(COMMAND_TIMEOUT) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let output = child.wait_with_output().expect("the output is readable");
    drop(done);
    assert!(
        started.elapsed() < COMMAND_TIMEOUT,
        "the command did not end within {COMMAND_TIMEOUT:?}: {output:?}"
    );
    output
}

/// Runs a command to its end, as [`finish`] does.
pub fn run(command: &mut Command) -> Output {
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs"))
}

/// The exit status and output of a command.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl CommandOutput {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        run(command).into()
    }

    /// Waits for a started command to end.
    pub fn wait_for(child: Child) -> Self {
        finish(child).into()
    }

    /// Asserts success, and returns the single JSON object on stdout.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).expect("stdout is JSON")
    }

    /// Asserts failure with an empty stdout and one line on stderr, and returns that line.
    pub fn error_line(&self) -> &str {
        self.line(1)
    }

    /// Asserts that the command refused a loss without a confirmation. Returns its line on stderr.
    pub fn confirmation_required(&self) -> &str {
        self.line(2)
    }

    fn line(&self, code: i32) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        self.stderr
            .strip_prefix("tickerd: ")
            .expect("the line begins with the program's name")
            .trim_end()
    }
}

impl From<Output> for CommandOutput {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("output is text");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
