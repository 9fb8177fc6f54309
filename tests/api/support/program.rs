//! Servers that tickerd works with and does not contain. They end with the test that started them.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For a server to end after SIGTERM, before it is killed.
const STOP_TIMEOUT_S: u64 = 5;

/// A server program. It ends with this value and with the thread that started it, so always with
/// the test.
pub struct Program {
    process: Child,
}

impl Program {
    /// Runs a program in `dir` as the owner of that directory. Its output goes to `dir/NAME.log`.
    pub fn start(dir: &Path, name: &str, arguments: &[&str]) -> Self {
        let mut command = as_owner(dir, name);
        let log = std::fs::File::create(dir.join(format!("{name}.log"))).expect("a log");
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        Self { process: command.spawn().expect("setpriv (util-linux) runs") }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether the process has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Sends a signal by its name without SIG.
    pub fn signal(&self, name: &str) {
        let kill = ["-s", name, &self.process.id().to_string()];
        assert!(Command::new("kill").args(kill).status().expect("kill runs").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGTERM first: some programs must end their own children.
        let _ =
            Command::new("kill").arg(self.process.id().to_string()).stderr(Stdio::null()).status();
        let deadline = Instant::now() + Duration::from_secs(STOP_TIMEOUT_S);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program that runs as the owner of `dir`, and gets SIGTERM when the thread that starts it ends.
pub fn as_owner(dir: &Path, program: &str) -> Command {
    let owner = dir.metadata().expect("the directory is there");
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=TERM").current_dir(dir);
    if is_root() {
        command
            .args([format!("--reuid={}", owner.uid()), format!("--regid={}", owner.gid())])
            .arg("--clear-groups");
    }
    command.args(["--", program]);
    command
}

/// Creates a directory for a server below `parent`, owned by an unprivileged user if the tests run
/// as root.
pub fn server_dir(parent: &Path, name: &str) -> PathBuf {
    let dir = parent.join(name);
    std::fs::create_dir(&dir).expect("a directory for a server");
    std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("permissions");
    if is_root() {
        chown(&dir, Some(NOBODY), Some(NOBODY)).expect("the owner is changed");
    }
    dir
}

/// The id of the user `nobody` on common systems.
const NOBODY: u32 = 65534;

pub fn is_root() -> bool {
    Path::new("/proc/self").metadata().expect("the tests of servers run on Linux").uid() == 0
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
