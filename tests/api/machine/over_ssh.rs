//! deploy/push over a real sshd, for machines that cannot boot another one. A script does what
//! systemd does.

use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use super::deployment::{DEPLOYMENT_MAX, NEW, OLD, binary};
use super::operator::{HOST, Operator};
use crate::support::{Database, Program, eventually, free_port, run};

/// What `systemctl restart tickerd` does here.
const SYSTEMCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
if [ -e pid ]; then
    kill "$(cat pid)"
    # Not `kill -0`: nobody may have waited for the ended process yet.
    while [ -e "/proc/$(cat pid)/exe" ]; do sleep 0.02; done
fi
ADMIN_PORT=off PORT=@PORT@ DATABASE_URL='@DATABASE@' setsid ./tickerd serve >log 2>&1 </dev/null &
echo $! >pid
until curl -fs -o /dev/null http://127.0.0.1:@PORT@/health; do sleep 0.02; done
"#;

/// An sshd with keys of its own, and the directory that its users deploy to.
struct Server {
    // Fields drop in this order.
    _sshd: Program,
    operator: Operator,
    dir: TempDir,
    health: String,
}

impl Server {
    async fn start(database: &Database) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &path("host_key")]);
        assert!(run(&mut keygen).status.success());
        let (ssh_port, port) = (free_port(), free_port());
        let host_key = std::fs::read_to_string(path("host_key.pub")).unwrap();
        let operator = Operator::new(ssh_port, &host_key);
        std::fs::copy(operator.public_key(), path("authorized_keys")).unwrap();
        let programs = std::env::var("PATH").unwrap();
        let config = format!(
            "ListenAddress 127.0.0.1:{ssh_port}\nHostKey {}\nAuthorizedKeysFile {}\n\
             StrictModes no\nUsePAM no\nPidFile none\nSubsystem sftp internal-sftp\n\
             SetEnv PATH={}:{programs}\n",
            path("host_key"),
            path("authorized_keys"),
            dir.path().display(),
        );
        std::fs::write(path("sshd_config"), config).unwrap();
        let systemctl =
            SYSTEMCTL.replace("@PORT@", &port.to_string()).replace("@DATABASE@", &database.url());
        std::fs::write(path("systemctl"), systemctl).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path("systemctl"), executable).unwrap();
        // sshd starts itself again for each connection, and so needs an absolute path.
        let arguments = ["/usr/sbin/sshd", "-De", "-f", &path("sshd_config")];
        let sshd = Program::start(dir.path(), "env", &arguments);
        let health = format!("http://127.0.0.1:{port}/health");
        Self { _sshd: sshd, operator, dir, health }
    }

    /// Runs deploy/push, and asserts that this version answers then.
    async fn push(&self, argument: &str, version: &str) -> u128 {
        let place = self.dir.path().join("tickerd");
        let variables =
            [("DEPLOY_PLACE", place.to_str().unwrap()), ("DEPLOY_HEALTH_URL", &self.health)];
        let started = Instant::now();
        let output = self.operator.run("deploy/push", &[HOST, argument], &variables);
        assert_eq!(output.code, Some(0), "{output:?}");
        let health = reqwest::get(&self.health).await.unwrap().text().await.unwrap();
        assert!(health.contains(&format!("\"version\":\"{version}\"")), "{health}");
        assert!(started.elapsed() < DEPLOYMENT_MAX, "{:?}", started.elapsed());
        started.elapsed().as_millis()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = std::fs::read_to_string(self.dir.path().join("pid")).unwrap_or_default();
        let _ = Command::new("kill").arg(pid.trim()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sshd: make test-deploy"]
async fn a_deployment_and_a_rollback_over_a_real_sshd_serve_within_5_s() {
    let (database, scratch) = (Database::sample().await, tempfile::tempdir().unwrap());
    let server = Server::start(&database).await;
    eventually("sshd answers", std::time::Duration::from_secs(10), async || {
        server.operator.ssh("true").code == Some(0)
    })
    .await;
    let old = super::debian::with_version(&binary(), OLD, scratch.path());
    let first_ms = server.push(old.to_str().unwrap(), OLD).await;
    let second_ms = server.push(binary().to_str().unwrap(), NEW).await;
    let back_ms = server.push("--back", OLD).await;
    println!("over sshd: {first_ms} ms, {second_ms} ms; rollback {back_ms} ms");
}
