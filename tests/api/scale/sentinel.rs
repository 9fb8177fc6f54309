//! Redis Sentinel: three Sentinels watch a primary with one replica, and promote the replica.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::limits::burst;
use crate::support::{
    App, Database, Program, eventually, free_port, id_of, record, run, scratch, server_dir, unique,
};

/// Of Redis. As in many deployments, the Sentinels have none.
const PASSWORD: &str = "of-a-test";
const NAME: &str = "of-a-test";
const PATH: &str = "/api/stocks/AAPL";
const LIMIT: usize = 100;

struct Server {
    port: u16,
    program: Program,
}

impl Server {
    fn redis(parent: &Path, more: &[&str]) -> Self {
        let port = free_port();
        let dir = server_dir(parent, &format!("redis-{port}"));
        let text = port.to_string();
        let own = ["--bind", "127.0.0.1", "--port", &text, "--save", "", "--requirepass", PASSWORD];
        let replication = ["--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0"];
        let all = [own.as_slice(), &replication, more].concat();
        let user = [
            ["--user", "tickerd", "on", ">of-a-test", "~*", "&*"].as_slice(),
            &["+@read", "+@write", "+@scripting", "+@pubsub", "+@connection"],
            &["+time", "+info", "+role"],
        ];
        let all = [all, user.concat()].concat();
        Self { port, program: Program::start(&dir, "redis-server", &all) }
    }

    fn sentinel(parent: &Path, primary: u16) -> Self {
        let port = free_port();
        let dir = server_dir(parent, &format!("sentinel-{port}"));
        let config = format!(
            "bind 127.0.0.1\nport {port}\nsentinel monitor {NAME} 127.0.0.1 {primary} 2\n\
             sentinel auth-pass {NAME} {PASSWORD}\nsentinel down-after-milliseconds {NAME} 1000\n\
             sentinel failover-timeout {NAME} 5000\n"
        );
        // A Sentinel writes what it learns into its configuration.
        let (file, owner) = (dir.join("sentinel.conf"), dir.metadata().unwrap());
        std::fs::write(&file, config).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
        let program = Program::start(&dir, "redis-server", &["sentinel.conf", "--sentinel"]);
        Self { port, program }
    }

    fn command(&self, password: Option<&str>, arguments: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        client.args(["--no-auth-warning", "-p", &self.port.to_string()]);
        client.args(password.iter().flat_map(|password| ["-a", password])).args(arguments);
        String::from_utf8_lossy(&run(&mut client).stdout).into_owned()
    }
}

struct Watched {
    primary: Server,
    replica: Server,
    sentinels: Vec<Server>,
}

impl Watched {
    async fn start(parent: &Path) -> Self {
        let primary = Server::redis(parent, &[]);
        let of = format!("127.0.0.1 {}", primary.port);
        let replica = Server::redis(parent, &["--replicaof", &of]);
        eventually("the replica follows", Duration::from_secs(20), async || {
            replica.command(Some(PASSWORD), &["INFO", "replication"]).contains("link_status:up")
        })
        .await;
        let sentinels = (0..3).map(|_| Server::sentinel(parent, primary.port)).collect();
        let watched = Self { primary, replica, sentinels };
        eventually("the Sentinels know each other", Duration::from_secs(30), async || {
            watched.sentinels.iter().all(|sentinel| {
                let known = sentinel.command(None, &["SENTINEL", "MASTER", NAME]);
                let field = |name: &str| {
                    known.lines().skip_while(|line| *line != name).nth(1).map(str::to_owned)
                };
                (field("num-other-sentinels"), field("num-slaves"))
                    == (Some("2".to_owned()), Some("1".to_owned()))
            })
        })
        .await;
        watched
    }

    fn url(&self) -> String {
        let [first, rest @ ..] = self.sentinels.as_slice() else { panic!("there are three") };
        let rest: String = rest.iter().map(|it| format!("&node=127.0.0.1:{}", it.port)).collect();
        let first = first.port;
        format!(
            "redis-sentinel://tickerd:{PASSWORD}@127.0.0.1:{first}?sentinelServiceName={NAME}{rest}"
        )
    }
}

async fn wait_until_shared(apps: &[App]) {
    for app in apps {
        let is_up = async || {
            let ready = app.request("GET", "/health/ready").send().await.unwrap();
            ready.text().await.unwrap().contains("\"redis\":\"up\"")
        };
        eventually("Redis is shared", Duration::from_secs(20), is_up).await;
    }
}

#[tokio::test]
#[ignore = "takes 15 s: make test-scale"]
async fn sentinel_promotes_a_replica_and_limits_and_revocations_hold() {
    let (scratch, database) = (scratch(), Database::sample().await);
    let redis = Watched::start(scratch.path()).await;
    let prefix = format!("{}:", unique("sentinel"));
    let variables = [("REDIS_URL", redis.url()), ("REDIS_KEY_PREFIX", prefix)];
    let mut apps = Vec::new();
    for _ in 0..2 {
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        apps.push(App::with(&database, &variables).await);
    }
    wait_until_shared(&apps).await;
    let sql = "UPDATE tiers SET requests_per_minute = 10000000 WHERE name = 'enterprise'";
    database.connect().await.batch_execute(sql).await.unwrap();
    let (limited, steady) = (database.issue("free"), database.issue("enterprise"));
    let first_request = Instant::now();
    // A Redis without data takes a minute to count, and is asked for less than the limit meanwhile.
    let mut admitted = burst(&apps, &limited, 2 * LIMIT).await;
    assert!(admitted <= LIMIT, "{admitted}");

    redis.primary.program.signal("KILL");
    let killed = Instant::now();
    let (mut slowest, mut failed_over_ms) = (Duration::ZERO, None);
    while failed_over_ms.is_none() {
        assert!(killed.elapsed() < Duration::from_secs(20), "the replica is promoted");
        for app in &apps {
            let sent = Instant::now();
            assert_eq!(app.get(&steady, PATH).await.status(), 200);
            slowest = slowest.max(sent.elapsed());
            admitted += burst(std::slice::from_ref(app), &limited, 5).await;
        }
        let role = redis.replica.command(Some(PASSWORD), &["ROLE"]);
        failed_over_ms = role.starts_with("master").then(|| killed.elapsed().as_millis());
    }
    let promoted = Instant::now();
    wait_until_shared(&apps).await;
    let shared_ms = promoted.elapsed().as_millis();
    admitted += burst(&apps, &limited, 4 * LIMIT).await;
    assert!(first_request.elapsed() < Duration::from_secs(60), "all within a minute");
    assert!(admitted <= 2 * LIMIT, "{admitted}");
    assert!(slowest < Duration::from_millis(1500), "{slowest:?}");

    let mut revoke = database.tickerd(&["keys", "revoke", id_of(&steady), "--yes", "--json"]);
    revoke.envs(variables.iter().map(|(name, value)| (*name, value)));
    let told = String::from_utf8(run(&mut revoke).stdout).unwrap();
    assert!(told.contains("\"instancesTold\":2"), "{told}");
    for app in &apps {
        let is_refused = async || app.get(&steady, PATH).await.status() == 401;
        eventually("the key is refused", Duration::from_secs(1), is_refused).await;
    }
    record(
        "sentinel_promotes_a_replica_and_limits_and_revocations_hold",
        &format!(
            "promoted after {} ms, shared again {shared_ms} ms later; the slowest response {} ms; \
             {admitted} of a limit of {LIMIT} in the minute",
            failed_over_ms.unwrap_or_default(),
            slowest.as_millis()
        ),
    );
}
