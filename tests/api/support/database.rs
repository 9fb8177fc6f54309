//! A database for each test, with the tables and the sample.

use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::{CommandOutput, eventually, run, servers, tickerd, unique};

pub struct Database {
    name: String,
    url: String,
    /// For the server: a role with no more rights than it needs.
    serve_url: String,
}

impl Database {
    /// A copy of the sample: five stocks, 12,154 daily rows, 95 actions, three tiers.
    pub async fn sample() -> Self {
        let template = tokio::task::spawn_blocking(template).await.expect("the template is made");
        Self::create(&format!("TEMPLATE {template}")).await
    }

    /// An empty database, without tables.
    pub async fn empty() -> Self {
        Self::create("").await
    }

    async fn create(options: &str) -> Self {
        let (name, admin) = (unique("test"), admin().await);
        create_serve_role(&admin).await;
        admin
            .batch_execute(&format!("CREATE DATABASE {name} {options}"))
            .await
            .expect("a database is made");
        let url = url_of(&name);
        Self { serve_url: with_serve_role(&url), url, name }
    }

    /// A database on a server that the test started.
    pub fn at(url: &str) -> Self {
        Self { name: String::new(), url: url.to_owned(), serve_url: url.to_owned() }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The URL for a server: a role with no more rights than it needs.
    pub fn serve_url(&self) -> &str {
        &self.serve_url
    }

    /// A connection to inspect or damage the database.
    pub async fn connect(&self) -> tokio_postgres::Client {
        connect(&self.url()).await
    }

    /// Ends every connection and accepts no new ones, so the database is down for its clients.
    pub async fn refuse_connections(&self) {
        let (admin, name) = (admin().await, &self.name);
        admin
            .batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
            .await
            .expect("closed");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        admin.execute(end, &[name]).await.expect("ended");
    }

    /// Reverts [`Self::refuse_connections`].
    pub async fn accept_connections(&self) {
        let open = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name);
        admin().await.batch_execute(&open).await.expect("opened");
    }

    /// A `tickerd` command on this database.
    pub fn tickerd(&self, arguments: &[&str]) -> Command {
        let mut command = tickerd(arguments);
        command.env("DATABASE_URL", self.url());
        command
    }

    /// Starts `tickerd` on this database.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.tickerd(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    }

    /// Waits until exactly `count` connections of `tickerd` meet an SQL condition.
    pub async fn wait_for_connections(&self, count: usize, condition: &str) {
        let sql = format!(
            "SELECT pid::text FROM pg_stat_activity LEFT JOIN pg_stat_progress_copy USING (pid)
             WHERE application_name = 'tickerd'
             AND pg_stat_activity.datname = current_database() AND {condition}"
        );
        let reached = async || self.texts(&sql).await.len() == count;
        eventually(condition, Duration::from_secs(30), reached).await;
    }

    /// Runs `tickerd` on this database to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.tickerd(arguments))
    }

    /// Like [`Self::run`], with the output as text.
    pub fn output(&self, arguments: &[&str]) -> CommandOutput {
        self.run(arguments).into()
    }

    /// The first column of each row of a query, which must be text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.connect().await.query(sql, &[]).await.expect("the query is right");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Creates the tables and loads the sample.
    pub fn load_sample(&self) {
        for arguments in [
            ["migrate"].as_slice(),
            &["ingest", "stocks", "seed/stocks.csv"],
            &["ingest", "prices", "seed/prices.csv.gz"],
            &["ingest", "actions", "seed/corporate_actions.csv"],
        ] {
            let output = self.run(arguments);
            assert!(
                output.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }

    /// Loads a file with this text. `kind` is that of `tickerd ingest`.
    pub fn load(&self, kind: &str, text: &str) {
        let file = tempfile::NamedTempFile::with_suffix(".csv").expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let ran = self.output(&["ingest", kind, file.path().to_str().expect("its name is text")]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }

    /// Issues a key and returns its token.
    pub fn issue(&self, tier: &str) -> String {
        let output =
            self.run(&["keys", "issue", "--owner", "tests", "--name", "a key", "--tier", tier]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
    }
}

/// The public id in a token.
pub fn id_of(token: &str) -> &str {
    &token[8..20]
}

fn template() -> &'static str {
    static TEMPLATE: OnceLock<&str> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = "sample";
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime
            .block_on(async {
                let admin = admin().await;
                create_serve_role(&admin).await;
                admin.batch_execute(&format!("CREATE DATABASE {name}")).await
            })
            .expect("created");
        Database::at(&url_of(name)).load_sample();
        name
    })
}

/// The name and the password of the role for servers.
const SERVE_ROLE: (&str, &str) = ("tickerd_serve", "of-the-tests");

/// Creates the role before any migration, which grants it its rights.
async fn create_serve_role(admin: &tokio_postgres::Client) {
    static CREATED: OnceCell<()> = OnceCell::const_new();
    let (name, password) = SERVE_ROLE;
    let create = format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'");
    CREATED.get_or_init(async || admin.batch_execute(&create).await.expect("created")).await;
}

fn with_serve_role(url: &str) -> String {
    let (_, server) = url.split_once('@').expect("the URL names a user");
    let (name, password) = SERVE_ROLE;
    format!("postgres://{name}:{password}@{server}")
}

fn url_of(database: &str) -> String {
    let url = servers().postgres.url();
    let server = url.strip_suffix("/postgres").expect("the URL names the database postgres");
    format!("{server}/{database}")
}

async fn admin() -> tokio_postgres::Client {
    let url = tokio::task::spawn_blocking(|| url_of("postgres")).await.expect("Postgres is up");
    connect(&url).await
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("Postgres answers");
    tokio::spawn(connection);
    client
}
