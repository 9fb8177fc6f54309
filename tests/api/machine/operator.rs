//! A person who deploys from this machine over ssh, with a key and a configuration of their own.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{CommandOutput, run};

/// The name of the server in the configuration of ssh.
pub const HOST: &str = "api.test";

/// What the programs of a person inherit.
const INHERITED: [&str; 8] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "CARGO_HOME",
    "CARGO_INCREMENTAL",
    "CARGO_TARGET_DIR",
    "RUSTUP_HOME",
    "RUSTFLAGS",
];

pub struct Operator {
    dir: TempDir,
}

impl Operator {
    /// Knows the server at this port of the loopback address by its public key.
    pub fn new(port: u16, host_key: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let operator = Self { dir };
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &operator.path("key")]);
        assert!(run(&mut keygen).status.success());
        std::fs::write(operator.path("known_hosts"), format!("{HOST} {host_key}")).unwrap();
        let config = format!(
            "Host {HOST}\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias {HOST}\n  \
             IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  BatchMode yes\n",
            operator.path("key"),
            operator.path("known_hosts")
        );
        std::fs::write(operator.path("config"), config).unwrap();
        operator
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn public_key(&self) -> String {
        self.path("key.pub")
    }

    /// Runs a program of this machine that uses ssh.
    pub fn run(
        &self,
        program: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> CommandOutput {
        let mut command = Command::new(program);
        // `make deploy` would compile again because of what cargo sets for this test, as OUT_DIR.
        command.args(arguments).env_clear();
        for name in INHERITED {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs(variables.iter().copied());
        command.env("CARGO_NET_OFFLINE", "true").env("DEPLOY_SSH_CONFIG", self.path("config"));
        CommandOutput::of(command.stdin(Stdio::null()))
    }

    /// Runs a shell command on the server.
    pub fn ssh(&self, command: &str) -> CommandOutput {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", &self.path("config"), HOST, command]);
        CommandOutput::of(ssh.stdin(Stdio::null()))
    }

    /// Copies files to the home directory on the server, or to a path below it.
    pub fn copy(&self, files: &[&str], to: &str) -> CommandOutput {
        let mut scp = Command::new("scp");
        scp.args(["-qr", "-F", &self.path("config")]).args(files).arg(format!("{HOST}:{to}"));
        CommandOutput::of(&mut scp)
    }
}
