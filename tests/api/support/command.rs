//! The real binary.

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than any command takes that a test waits for.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);

/// `tickerd` with these arguments and an environment that holds nothing of the machine's own.
///
/// `TICKERD_BINARY` names another one than that which was built with the tests: one that is made to
/// be fast.
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

/// What a command under way said when it had ended, as far as its streams are pipes.
///
/// # Panics
/// Where it does not end in time: it is killed then.
pub fn finish(child: Child) -> Output {
    let (pid, started) = (Pid::from_child(&child), Instant::now());
    let (over, ended) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        if ended.recv_timeout(COMMAND_TIMEOUT) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let output = child.wait_with_output().expect("its output can be read");
    drop(over);
    assert!(
        started.elapsed() < COMMAND_TIMEOUT,
        "it did not end within {COMMAND_TIMEOUT:?}: {output:?}"
    );
    output
}

/// Runs a command to its end, as [`finish`] does.
pub fn run(command: &mut Command) -> Output {
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs"))
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
        run(command).into()
    }

    /// Waits for the end of a command that is under way.
    pub fn at_the_end_of(child: Child) -> Self {
        finish(child).into()
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
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
