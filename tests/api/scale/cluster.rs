//! Redis Cluster: three masters, each with a third of the keys.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::support::{
    App, Database, Program, eventually, free_port, header, id_of, record, run, scratch, server_dir,
    unique,
};

const PASSWORD: &str = "of-a-test";
const PATH: &str = "/api/stocks/AAPL";

pub struct Cluster {
    /// Three masters first, then their replicas, if any.
    nodes: Vec<Node>,
}

struct Node {
    port: u16,
    bus_port: u16,
    dir: PathBuf,
    program: Option<Program>,
}

impl Node {
    fn new(parent: &Path) -> Self {
        let port = free_port();
        let bus_port = free_port();
        let dir = server_dir(parent, &format!("redis-{port}"));
        let mut node = Self { port, bus_port, dir, program: None };
        node.start();
        node
    }

    fn start(&mut self) {
        let port = self.port.to_string();
        let bus_port = self.bus_port.to_string();
        let arguments = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--cluster-port",
            &bus_port,
            "--cluster-enabled",
            "yes",
        ];
        let rest = [
            "--cluster-node-timeout",
            "1000",
            "--cluster-require-full-coverage",
            "no",
            "--save",
            "",
        ];
        let all =
            [arguments.as_slice(), &rest, &["--requirepass", PASSWORD, "--masterauth", PASSWORD]]
                .concat();
        self.program = Some(Program::start(&self.dir, "redis-server", &all));
    }

    fn command(&self, arguments: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        client
            .args(["--no-auth-warning", "-a", PASSWORD, "-p", &self.port.to_string()])
            .args(arguments);
        String::from_utf8(run(&mut client).stdout).unwrap()
    }
}

impl Cluster {
    /// Starts three masters with this number of replicas each.
    pub async fn start(parent: &Path, replicas: usize) -> Self {
        let cluster = Self { nodes: (0..3 * (1 + replicas)).map(|_| Node::new(parent)).collect() };
        eventually("every node responds", Duration::from_secs(10), async || {
            cluster.nodes.iter().all(|node| node.command(&["PING"]).trim() == "PONG")
        })
        .await;
        let nodes = cluster.addresses();
        let replicas = replicas.to_string();
        let mut create = vec!["--cluster", "create"];
        create.extend(nodes.iter().map(String::as_str));
        create.extend(["--cluster-replicas", &replicas, "--cluster-yes"]);
        cluster.nodes[0].command(&create);
        cluster.wait_until_complete().await;
        cluster
    }

    async fn wait_until_complete(&self) {
        let is_complete = |node: &Node| {
            let info = node.command(&["CLUSTER", "INFO"]);
            let replication = node.command(&["INFO", "replication"]);
            let is_in_sync = replication.contains("role:master")
                || replication.contains("master_link_status:up");
            info.contains("cluster_state:ok")
                && info.contains("cluster_slots_ok:16384")
                && is_in_sync
        };
        let all_complete =
            async || self.nodes.iter().filter(|node| node.program.is_some()).all(is_complete);
        eventually("every node is_complete all slots", Duration::from_secs(30), all_complete).await;
    }

    fn masters(&self) -> &[Node] {
        &self.nodes[..3]
    }

    fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect()
    }

    pub fn url(&self) -> String {
        let nodes = self.addresses();
        format!("redis-cluster://:{PASSWORD}@{}?node={}", nodes[0], nodes[1..].join("&node="))
    }

    async fn start_apps(&self, database: &Database, count: usize) -> Vec<App> {
        let url = self.url();
        let prefix = format!("{}:", unique("cluster"));
        let mut apps = Vec::new();
        for _ in 0..count {
            apps.push(
                App::with(database, &[("REDIS_URL", &url), ("REDIS_KEY_PREFIX", &prefix)]).await,
            );
        }
        apps
    }
}

async fn admitted(apps: &[App], key: &str, count: usize) -> usize {
    let statuses = join_all(
        (0..count).map(async |n| apps[n % apps.len()].get(key, PATH).await.status().as_u16()),
    )
    .await;
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

#[tokio::test]
async fn limits_are_exact_and_messages_reach_every_instance_on_a_cluster_of_three_masters() {
    let scratch = scratch();
    let database = Database::sample().await;
    let cluster = Cluster::start(scratch.path(), 0).await;
    let apps = cluster.start_apps(&database, 3).await;
    // Uses new keys until each master stores the window of one.
    let has_windows = |master: &Node| master.command(&["KEYS", "*rl:*"]).contains("rl:");
    let mut keys = Vec::new();
    while !cluster.masters().iter().all(has_windows) {
        assert!(keys.len() < 40, "keys spread over the masters");
        keys.push(database.issue("free"));
        assert_eq!(admitted(&apps, &keys[keys.len() - 1], 360).await, 100);
    }
    // A master that has lost its scripts gets them again.
    cluster
        .masters()
        .iter()
        .for_each(|master| assert_eq!(master.command(&["SCRIPT", "FLUSH"]).trim(), "OK"));
    let key = database.issue("free");
    assert_eq!(admitted(&apps, &key, 360).await, 100);

    let shared = database.issue("pro");
    let quote = "/api/stocks/MSFT/quote";
    for _ in 0..2 {
        apps[0].get(&shared, quote).await;
    }
    let is_hit = async || header(&apps[1].get(&shared, quote).await, "x-cache") == "HIT";
    eventually("a response is shared", Duration::from_secs(5), is_hit).await;

    let mut revoke = database.tickerd(&["keys", "revoke", id_of(&shared), "--yes", "--json"]);
    let prefix = cluster
        .masters()
        .iter()
        .map(|master| master.command(&["KEYS", "*rl:*"]))
        .collect::<String>();
    let prefix = prefix.split_once("rl:").unwrap().0.to_owned();
    let revocation = run(revoke.env("REDIS_URL", cluster.url()).env("REDIS_KEY_PREFIX", prefix));
    assert!(
        String::from_utf8_lossy(&revocation.stdout).contains("\"instancesTold\":3"),
        "{revocation:?}"
    );
    for app in &apps {
        let refused = async || app.get(&shared, PATH).await.status() == 401;
        eventually("the key is refused", Duration::from_secs(1), refused).await;
    }
}

#[tokio::test]
async fn a_killed_cluster_master_fails_no_request_and_is_shared_again_on_its_return() {
    let scratch = scratch();
    let database = Database::sample().await;
    let mut cluster = Cluster::start(scratch.path(), 0).await;
    let apps = cluster.start_apps(&database, 2).await;
    raise_limit(&database).await;
    let (key, revoked) = (database.issue("enterprise"), database.issue("enterprise"));
    for app in &apps {
        for key in [&key, &revoked] {
            assert_eq!(app.get(key, PATH).await.status(), 200);
        }
    }
    cluster.nodes[1].program.take().unwrap().signal("KILL");
    let slowest = slowest_response(Duration::from_secs(4), &apps, &key).await;
    assert!(slowest < Duration::from_millis(1500), "{slowest:?}");
    // A lost master without a replica counts as a lost Redis.
    let ready = apps[0].request("GET", "/health/ready").send().await.unwrap().text().await.unwrap();
    assert!(ready.contains("\"degraded\""), "{ready}");
    assert!(database.run(&["keys", "revoke", id_of(&revoked), "--yes"]).status.success());
    for app in &apps {
        let refused = async || app.get(&revoked, PATH).await.status() == 401;
        eventually("the key is refused", Duration::from_millis(1500), refused).await;
    }
    cluster.nodes[1].start();
    cluster.wait_until_complete().await;
    let took = wait_until_shared(&apps).await;
    assert_eq!(admitted(&apps, &database.issue("free"), 300).await, 100);
    record(
        "a_killed_cluster_master_fails_no_request_and_is_shared_again_on_its_return",
        &format!(
            "all 200, the slowest {} ms; limits shared {} ms after the cluster was complete",
            slowest.as_millis(),
            took.as_millis()
        ),
    );
}

#[tokio::test]
async fn a_cluster_replica_replaces_a_lost_master_and_limits_are_shared_again() {
    let scratch = scratch();
    let database = Database::sample().await;
    let mut cluster = Cluster::start(scratch.path(), 1).await;
    let apps = cluster.start_apps(&database, 2).await;
    raise_limit(&database).await;
    let key = database.issue("enterprise");
    wait_until_shared(&apps).await;
    cluster.nodes[1].program.take().unwrap().signal("KILL");
    // Long enough for the other nodes to detect the failure (cluster-node-timeout) and to elect a
    // replica.
    let slowest = slowest_response(Duration::from_secs(4), &apps, &key).await;
    assert!(slowest < Duration::from_millis(1500), "{slowest:?}");
    cluster.wait_until_complete().await;
    let took = wait_until_shared(&apps).await;
    for _ in 0..3 {
        assert_eq!(admitted(&apps, &database.issue("free"), 300).await, 100);
    }
    record(
        "a_cluster_replica_replaces_a_lost_master_and_limits_are_shared_again",
        &format!(
            "all 200, the slowest {} ms; limits shared {} ms after the cluster was complete",
            slowest.as_millis(),
            took.as_millis()
        ),
    );
}

/// Raises the limit: a fast server serves more requests in seconds than a tier allows in a minute.
async fn raise_limit(database: &Database) {
    let limit = "UPDATE tiers SET requests_per_minute = 10000000 WHERE name = 'enterprise'";
    database.connect().await.batch_execute(limit).await.unwrap();
}

/// The slowest of many consecutive requests, none of which may fail.
async fn slowest_response(time: Duration, apps: &[App], key: &str) -> Duration {
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    for app in apps.iter().cycle().take_while(|_| started.elapsed() < time) {
        let sent = Instant::now();
        assert_eq!(app.get(key, PATH).await.status(), 200);
        slowest = slowest.max(sent.elapsed());
    }
    slowest
}

async fn wait_until_shared(apps: &[App]) -> Duration {
    let started = Instant::now();
    for app in apps {
        let up = async || {
            app.request("GET", "/health/ready")
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap()
                .contains("\"ok\"")
        };
        eventually("the cluster is shared", Duration::from_secs(10), up).await;
    }
    started.elapsed()
}
