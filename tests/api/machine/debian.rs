//! A Debian machine with systemd, Postgres and Redis, on which tickerd is set up as
//! deploy/README.md says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::operator::Operator;
use crate::support::{Program, eventually, read_text};

/// What `tests/machine/run` built.
const IMAGE: &str = "target/machine/root";
const SSH_PORT: u16 = 22;
const PASSWORD: &str = "sesame";

/// A running machine. It ends with this value, and nothing of it remains.
pub struct Debian {
    // Fields drop in this order.
    _system: Program,
    pub operator: Operator,
    _dir: TempDir,
}

impl Debian {
    /// Boots the image, and returns when ssh lets root in.
    pub async fn boot() -> Self {
        assert!(
            has_network_of_its_own(),
            "the tests of machines use fixed ports: make test-deploy"
        );
        let image = Path::new(env!("CARGO_MANIFEST_DIR")).join(IMAGE);
        let host_key = image.join("etc/ssh/ssh_host_ed25519_key.pub");
        let host_key = std::fs::read_to_string(host_key).expect("the image has a key of its own");
        let operator = Operator::new(SSH_PORT, &host_key);
        let dir = tempfile::tempdir().unwrap();
        let authorized = format!("--bind-ro={}:/root/.ssh/authorized_keys", operator.public_key());
        let root = format!("--directory={}", image.display());
        // What the machine writes stays in memory, so each boot finds the image as it was built.
        let options = ["--quiet", "--boot", "--console=pipe", "--register=no", "--keep-unit"];
        let volatile = ["--machine=tickerd-test", "--volatile=overlay", &root, &authorized];
        let arguments = [options.as_slice(), &volatile].concat();
        let system = Program::start(dir.path(), "systemd-nspawn", &arguments);
        let machine = Self { _system: system, operator, _dir: dir };
        eventually("the machine boots", Duration::from_secs(60), async || {
            machine.operator.ssh("systemctl is-system-running --wait").stdout.trim() == "running"
        })
        .await;
        machine
    }

    /// A machine that serves the sample, set up by the commands of deploy/README.md, and an API
    /// key. `binary` is what step 1 installs.
    pub async fn with_tickerd(binary: &Path) -> (Self, String) {
        let machine = Self::boot().await;
        machine.copy(&["deploy", ".env.example", "seed"], "");
        machine.copy(&[binary.to_str().unwrap()], "target/release/tickerd");
        let steps = Steps::read();
        machine.step(&steps, "1. The binary", &["cargo build --release --locked"]);
        let password = format!("printf '{PASSWORD}\\n{PASSWORD}\\n' | ");
        machine.step_with(&steps, "2. Postgres", |line| {
            line.replace(
                "sudo -u postgres createuser",
                &format!("{password}sudo -u postgres createuser"),
            )
        });
        machine.step(&steps, "3. Redis", &[]);
        let redis = format!("requirepass {PASSWORD}\nsave \"\"\nmaxmemory-policy volatile-lru\n");
        machine.ok(&format!("printf '{redis}' >>/etc/redis/redis.conf"));
        machine.ok("sudo systemctl restart redis-server");
        machine.step(&steps, "4. The environment", &["sudoedit /etc/tickerd/env"]);
        machine.ok(&format!(
            "sed -i -e 's/change-me/{PASSWORD}/' -e 's/^#REDIS_URL/REDIS_URL/' /etc/tickerd/env"
        ));
        let ready = machine.step(&steps, "5. The service", &[]);
        assert!(ready.contains("\"postgres\":\"up\",\"redis\":\"up\""), "{ready}");
        let tickerd = "tickerd --env-file /etc/tickerd/env";
        machine.ok(&format!("{tickerd} ingest stocks seed/stocks.csv"));
        machine.ok(&format!("{tickerd} ingest prices seed/prices.csv.gz"));
        machine.ok(&format!("{tickerd} tiers set --requests-per-minute 10000000 most"));
        let issued = format!("{tickerd} keys issue --owner o --name n --tier most");
        let key = machine.ok(&issued).lines().last().unwrap().trim().to_owned();
        (machine, key)
    }

    /// Runs the commands of one step, except for those that a person does in an editor or that need
    /// another machine.
    fn step(&self, steps: &Steps, title: &str, without: &[&str]) -> String {
        self.step_with(steps, title, |line| {
            if without.contains(&line) { String::new() } else { line.to_owned() }
        })
    }

    fn step_with(&self, steps: &Steps, title: &str, edit: impl Fn(&str) -> String) -> String {
        let lines: Vec<_> = steps.of(title).lines().map(edit).collect();
        self.ok(&format!("set -e\n{}", lines.join("\n")))
    }

    /// Copies files of the project to the home directory of root.
    pub fn copy(&self, files: &[&str], to: &str) {
        if let Some((parent, _)) = to.rsplit_once('/') {
            self.ok(&format!("mkdir -p {parent}"));
        }
        let output = self.operator.copy(files, to);
        assert_eq!(output.code, Some(0), "{output:?}");
    }

    /// Runs a shell command that must succeed, and returns its output.
    pub fn ok(&self, command: &str) -> String {
        let output = self.operator.ssh(command);
        assert_eq!(output.code, Some(0), "{command}: {output:?}");
        output.stdout
    }
}

/// Whether there is only a loopback device.
fn has_network_of_its_own() -> bool {
    let devices = std::fs::read_to_string("/proc/net/dev").unwrap();
    devices.lines().skip(2).all(|line| line.trim_start().starts_with("lo:"))
}

/// The commands of deploy/README.md.
struct Steps(String);

impl Steps {
    fn read() -> Self {
        Self(read_text("deploy/README.md"))
    }

    /// The first block of commands below a heading.
    fn of(&self, title: &str) -> &str {
        let block = self.0.split_once(&format!("\n## {title}\n")).and_then(|(_, rest)| {
            rest.split("\n## ").next()?.split_once("```sh\n")?.1.split_once("```")
        });
        block.unwrap_or_else(|| panic!("deploy/README.md has commands below {title}")).0
    }
}

/// A copy of a binary that gives another version of the same length, as the next release does.
pub fn with_version(binary: &Path, version: &str, dir: &Path) -> PathBuf {
    let (own, other) = (env!("CARGO_PKG_VERSION").as_bytes(), version.as_bytes());
    assert_eq!(own.len(), other.len());
    let mut bytes = std::fs::read(binary).unwrap();
    let places: Vec<_> = bytes
        .windows(own.len())
        .enumerate()
        .filter(|(_, text)| *text == own)
        .map(|(at, _)| at)
        .collect();
    for at in places {
        bytes[at..at + own.len()].copy_from_slice(other);
    }
    let path = dir.join(format!("tickerd-{version}"));
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}
