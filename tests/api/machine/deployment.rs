//! `make deploy` and `make rollback` over ssh.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::debian::{Debian, with_version};
use super::operator::HOST;
use crate::support::{Load, client, tickerd};

const ADDRESS: &str = "127.0.0.1:3000";
pub const OLD: &str = "0.0.9";
pub const NEW: &str = env!("CARGO_PKG_VERSION");
/// From the built binary to the first response of it.
pub const DEPLOYMENT_MAX: Duration = Duration::from_secs(5);

pub fn binary() -> PathBuf {
    PathBuf::from(tickerd(&[]).get_program())
}

/// The version that answers, if one does.
async fn serving(client: &reqwest::Client) -> Option<String> {
    let response = client.get(format!("http://{ADDRESS}/health")).send().await.ok()?;
    if response.status() != 200 {
        return None;
    }
    let health: serde_json::Value = response.json().await.ok()?;
    Some(health["version"].as_str()?.to_owned())
}

/// Runs `command`, and returns how long it took until this version answered, and what was printed.
async fn until_served(
    machine: &Arc<Debian>,
    version: &str,
    program: &'static str,
    arguments: &[&str],
) -> (Duration, String) {
    let (started, client) = (Instant::now(), client());
    let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let machine = machine.clone();
    let command = tokio::task::spawn_blocking(move || {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        machine.operator.run(program, &arguments, &[])
    });
    while serving(&client).await.as_deref() != Some(version) {
        assert!(started.elapsed() < Duration::from_secs(120), "{version} does not serve");
        assert!(!command.is_finished(), "{:?}", command.await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = started.elapsed();
    let output = command.await.unwrap();
    assert_eq!(output.code, Some(0), "{output:?}");
    (took, output.stdout)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "boots Debian: make test-deploy"]
async fn make_deploy_and_make_rollback_serve_within_5_s_and_fail_no_request() {
    let scratch = tempfile::tempdir().unwrap();
    let old = with_version(&binary(), OLD, scratch.path());
    let (machine, key) = Debian::with_tickerd(&old).await;
    let machine = Arc::new(machine);
    assert_eq!(serving(&client()).await.as_deref(), Some(OLD));
    let paths = ["/api/stocks/AAPL", "/api/stocks/MSFT/quote"];
    let load = Load::to(ADDRESS, &[&key], &paths).start();
    let host = format!("HOST=root@{HOST}");
    let (deployed, text) = until_served(&machine, NEW, "make", &["deploy", &host]).await;
    assert!(text.contains(&format!("tickerd {NEW} serves")), "{text}");
    let (rolled_back, _) = until_served(&machine, OLD, "make", &["rollback", &host]).await;
    let tally = load.stop();
    tally.assert_only(&[200]);
    let (deployed_ms, rolled_back_ms) = (deployed.as_millis(), rolled_back.as_millis());
    println!(
        "make deploy: {deployed_ms} ms until version {NEW} answered; make rollback: \
         {rolled_back_ms} ms; {} requests, all 200, the slowest {} ms",
        tally.responses.len(),
        tally.slowest().as_millis()
    );
    assert!(deployed < DEPLOYMENT_MAX && rolled_back < DEPLOYMENT_MAX);
}

/// A user other than root, as on most machines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "boots Debian: make test-deploy"]
async fn a_user_with_sudo_deploys_and_a_binary_that_fails_or_hangs_is_rolled_back() {
    let scratch = tempfile::tempdir().unwrap();
    let (machine, _) = Debian::with_tickerd(&binary()).await;
    machine.ok("useradd --create-home --shell /bin/sh deployer && \
         echo 'deployer ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deployer && \
         install -d -o deployer -m 700 /home/deployer/.ssh && \
         install -o deployer -m 600 /root/.ssh/authorized_keys /home/deployer/.ssh/");
    let host = format!("deployer@{HOST}");
    let push = |binary: &Path| {
        let started = Instant::now();
        let arguments = [&*host, binary.to_str().unwrap()];
        (machine.operator.run("deploy/push", &arguments, &[]), started.elapsed())
    };
    let other = with_version(&binary(), OLD, scratch.path());
    let (deployed, _) = push(&other);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    assert_eq!(serving(&client()).await.as_deref(), Some(OLD));

    for (name, fault) in [("fails", "exit 3"), ("hangs", "sleep 600")] {
        let path = scratch.path().join(name);
        let script =
            format!("#!/bin/sh\n[ \"$1\" = --version ] && echo tickerd 9 && exit\n{fault}\n");
        std::fs::write(&path, script).unwrap();
        let (refused, took) = push(&path);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("the previous one is back"), "{refused:?}");
        assert!(took < Duration::from_secs(60), "{name}: {took:?}");
        assert_eq!(serving(&client()).await.as_deref(), Some(OLD), "{name}");
        println!("a binary that {name}: the previous one served again after {took:?}");
    }
    let left = machine.ok("ls /tmp /usr/local/bin");
    assert!(!left.contains("tmp.") && !left.contains(".new"), "{left}");
}
