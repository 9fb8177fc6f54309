//! PgBouncer in transaction mode: no prepared statements, no settings of a session.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;

use crate::support::{
    App, CommandOutput, Database, Program, eventually, free_port, id_of, scratch, server_dir,
    tickerd,
};

/// A PgBouncer in front of one database.
pub struct PgBouncer {
    pub url: String,
    _program: Program,
}

impl PgBouncer {
    /// A PgBouncer with two connections to Postgres, so that consecutive transactions use different
    /// ones.
    pub async fn before(database: &Database, parent: &Path) -> Self {
        let dir = server_dir(parent, "pgbouncer");
        let port = free_port();
        let to: tokio_postgres::Config = database.url().parse().unwrap();
        let name = to.get_dbname().unwrap();
        let user = to.get_user().unwrap();
        let password = String::from_utf8(to.get_password().unwrap().to_vec()).unwrap();
        let postgres_port = to.get_ports()[0];
        let path = dir.join("pgbouncer.ini");
        let config = format!(
            "[databases]\n\
             {name} = host=127.0.0.1 port={postgres_port} user={user} password={password}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\n\
             default_pool_size = 2\nmax_client_conn = 200\n"
        );
        std::fs::write(&path, config).unwrap();
        let program = Program::start(&dir, "pgbouncer", &[path.to_str().unwrap()]);
        let bouncer =
            Self { url: format!("postgres://tickerd@127.0.0.1:{port}/{name}"), _program: program };
        eventually("PgBouncer responds", Duration::from_secs(10), async || {
            tokio_postgres::connect(&bouncer.url, tokio_postgres::NoTls).await.is_ok()
        })
        .await;
        bouncer
    }

    /// `tickerd` through PgBouncer, with a direct URL as well.
    pub fn tickerd(&self, database: &Database, arguments: &[&str]) -> Command {
        let mut command = tickerd(arguments);
        command.env("DATABASE_URL", &self.url).env("DATABASE_DIRECT_URL", database.url());
        command.env("DATABASE_POOLER", "transaction");
        command
    }
}

const PATHS: [&str; 5] = [
    "/api/stocks?limit=3&exchange=nasdaq",
    "/api/stocks/MSFT",
    "/api/stocks/AAPL/quote",
    "/api/stocks/AAPL/prices?start=2012-12-01",
    "/api/stocks/NOSUCH/prices?start=2012-12-01",
];

#[tokio::test]
#[ignore = "needs pgbouncer: make test-scale"]
async fn responses_are_the_same_through_a_pooler_in_transaction_mode() {
    let scratch = scratch();
    let database = Database::empty().await;
    let bouncer = PgBouncer::before(&database, scratch.path()).await;
    for arguments in [
        ["migrate"].as_slice(),
        &["ingest", "stocks", "seed/stocks.csv"],
        &["ingest", "prices", "seed/prices.csv.gz"],
        &["ingest", "actions", "seed/corporate_actions.csv"],
    ] {
        let ran = CommandOutput::of(&mut bouncer.tickerd(&database, arguments));
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let issue = ["keys", "issue", "--owner", "ann", "--name", "n", "--tier", "enterprise"];
    let key = CommandOutput::of(&mut bouncer.tickerd(&database, &issue)).stdout.trim().to_owned();
    let no_tier = CommandOutput::of(
        &mut bouncer
            .tickerd(&database, &["keys", "issue", "--owner", "a", "--name", "n", "--tier", "x"]),
    );
    assert!(no_tier.stderr.contains("enterprise"), "{no_tier:?}");
    let pooled = App::start(bouncer.tickerd(&database, &["serve"])).await;
    let direct = App::without_redis(&database).await;
    for path in PATHS {
        let ((status, mut body), (expected_status, mut expected)) =
            (pooled.json(&key, path).await, direct.json(&key, path).await);
        (body["requestId"], expected["requestId"]) = (0.into(), 0.into());
        assert_eq!((status, body), (expected_status, expected), "{path}");
    }
    // More requests than the pooler has connections, so that consecutive statements use different
    // ones.
    let days = (1..=28).flat_map(|day| ["AAPL", "MSFT"].map(|symbol| (symbol, day)));
    let responses = join_all(days.map(async |(symbol, day)| {
        let path = format!("/api/stocks/{symbol}/prices?start=2012-11-{day:02}&limit=1");
        pooled.get(&key, &path).await.status()
    }));
    assert!(responses.await.iter().all(|status| *status == 200));
    let id = id_of(&key);
    for arguments in [
        ["keys", "set", id, "--note=n"].as_slice(),
        &["keys", "show", id],
        &["keys", "list"],
        &["keys", "audit"],
    ] {
        let ran = CommandOutput::of(&mut bouncer.tickerd(&database, arguments));
        assert!(ran.code == Some(0) && (ran.stdout + &ran.stderr).contains(id), "{arguments:?}");
    }
    let revoked = CommandOutput::of(
        &mut bouncer.tickerd(&database, &["keys", "revoke", id_of(&key), "--yes"]),
    );
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    let refused = async || pooled.get(&key, PATHS[0]).await.status() == 401;
    eventually("the key is refused", Duration::from_secs(2), refused).await;
}

#[tokio::test]
#[ignore = "needs pgbouncer: make test-scale"]
async fn errors_caused_by_a_pooler_name_the_variable_to_set() {
    let scratch = scratch();
    let database = Database::sample().await;
    let bouncer = PgBouncer::before(&database, scratch.path()).await;
    let run = |arguments: &[&str], pooler: &str| {
        CommandOutput::of(
            tickerd(arguments).env("DATABASE_URL", &bouncer.url).env("DATABASE_POOLER", pooler),
        )
    };
    let ran = run(&["keys", "list"], "none");
    assert!(ran.error_line().contains("DATABASE_POOLER=transaction"), "{ran:?}");
    for arguments in
        [["migrate"].as_slice(), &["ingest", "stocks", "seed/stocks.csv"], &["serve", "--migrate"]]
    {
        for pooler in ["none", "transaction"] {
            let ran = run(arguments, pooler);
            assert!(ran.error_line().contains("set DATABASE_DIRECT_URL"), "{ran:?}");
        }
    }
    let ran = run(&["keys", "list"], "statement");
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

/// As Prisma and the consoles of providers write the URL of a pooler.
#[tokio::test]
#[ignore = "needs pgbouncer: make test-scale"]
async fn a_url_that_says_pgbouncer_needs_no_other_setting() {
    let scratch = scratch();
    let database = Database::sample().await;
    let bouncer = PgBouncer::before(&database, scratch.path()).await;
    let mut command = tickerd(&["serve"]);
    let url = format!("{}?pgbouncer=true&connection_limit=1&schema=public", bouncer.url);
    command.env("DATABASE_URL", &url);
    let key = database.issue("pro");
    let app = App::start(command).await;
    for path in PATHS {
        let status = app.get(&key, path).await.status();
        assert_eq!(status.as_u16(), if path.contains("NOSUCH") { 404 } else { 200 }, "{path}");
    }
    let log = app.log().join("\n");
    assert!(log.contains("is a transaction pooler (pgbouncer=true)"), "{log}");
    assert!(log.contains("connection_limit"), "{log}");
}
