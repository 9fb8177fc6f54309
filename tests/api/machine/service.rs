//! The units in deploy/ under systemd.

use std::time::Duration;

use super::debian::Debian;
use crate::support::{Load, client, eventually, tickerd};

const ADDRESS: &str = "127.0.0.1:3000";
const RESTARTS: usize = 5;

async fn machine() -> (Debian, String) {
    Debian::with_tickerd(tickerd(&[]).get_program().as_ref()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "boots Debian: make test-deploy"]
async fn the_service_is_sandboxed_starts_on_demand_and_returns_after_a_crash() {
    let (machine, _) = machine().await;
    let pid = || machine.ok("systemctl show -P MainPID tickerd").trim().to_owned();
    let status = machine.ok(&format!("cat /proc/{}/status", pid()));
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {status}")).trim().to_owned()
    };
    assert_ne!(field("Uid:").split_whitespace().next(), Some("0"));
    assert_eq!(field("CapEff:"), "0000000000000000");
    assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1".to_owned(), "2".to_owned()));
    let limits = machine.ok(&format!("cat /proc/{}/limits", pid()));
    let limit = |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    // Without CAP_SYS_RESOURCE this machine cannot raise its own limit.
    let of_machine = machine.ok("prlimit --pid 1 --nofile --output HARD --noheadings");
    let files = format!(" {} ", of_machine.trim().parse::<u32>().unwrap().min(131_072));
    assert!(limit("Max open files").contains(&files), "{limits}");
    assert!(limit("Max core file size").contains(" 0 "), "{limits}");
    let enter = format!("nsenter --mount --target {}", pid());
    assert_ne!(machine.operator.ssh(&format!("{enter} touch /usr/local/x")).code, Some(0));

    let health = async || {
        let response = client().get(format!("http://{ADDRESS}/health")).send().await;
        response.is_ok_and(|response| response.status() == 200)
    };
    let crashed = pid();
    machine.ok("systemctl kill --signal=KILL tickerd");
    // The request waits in the socket for the next process.
    assert!(health().await);
    assert_ne!(pid(), crashed);
    machine.ok("systemctl stop tickerd.service");
    assert_eq!(
        machine.operator.ssh("systemctl is-active tickerd.service").stdout.trim(),
        "inactive"
    );
    assert!(health().await, "a request starts the service");
    assert_eq!(machine.ok("systemctl is-active tickerd.service").trim(), "active");
    machine.ok("systemctl stop tickerd.socket tickerd.service");
    assert!(!health().await, "stopped for good");

    // The order of a boot must not matter: the service waits for its database.
    machine.ok(
        "systemctl stop postgresql && systemctl start --no-block tickerd.socket tickerd.service",
    );
    let restarts = async || {
        let count = machine.ok("systemctl show -P NRestarts tickerd");
        count.trim().parse::<u32>().unwrap() >= 2
    };
    eventually("the service retries", Duration::from_secs(30), restarts).await;
    machine.ok("systemctl start postgresql");
    assert!(health().await, "it serves as soon as Postgres does");
    let enabled = machine.ok("systemctl is-enabled tickerd.socket tickerd.service");
    assert_eq!(enabled, "enabled\nenabled\n", "both start at boot");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "boots Debian: make test-deploy"]
async fn restarts_of_the_service_under_load_fail_no_request() {
    let (machine, key) = machine().await;
    let load = Load::to(ADDRESS, &[&key], &["/api/stocks/AAPL", "/api/stocks/MSFT/quote"]);
    let load = load.per_second(300).start();
    let mut slowest = Duration::ZERO;
    for _ in 0..RESTARTS {
        let started = std::time::Instant::now();
        machine.ok("systemctl restart tickerd");
        slowest = slowest.max(started.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let tally = load.stop();
    tally.assert_only(&[200]);
    println!(
        "{RESTARTS} restarts, the slowest {} ms: {} requests, all 200, the slowest {} ms",
        slowest.as_millis(),
        tally.responses.len(),
        tally.slowest().as_millis()
    );
}
