//! The scripts in deploy/, run for real. Only the connection to another machine is replaced.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{App, CommandOutput, Database, eventually, tickerd};

const HEADER: &str = "symbol,date,open,high,low,close,volume,adjusted_close";

fn script(name: &str, arguments: &[&str], database: &Database) -> CommandOutput {
    let mut command = Command::new(format!("deploy/{name}"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("DATABASE_DIRECT_URL")
        .env("DATABASE_URL", database.url());
    CommandOutput::of(&mut command)
}

async fn close(app: &App, key: &str) -> f64 {
    let (_, body) = app.json(key, "/api/stocks/AAPL/prices?start=2012-01-01&limit=1").await;
    body["prices"][0]["close"].as_f64().unwrap_or_default()
}

/// Caches hold data that was committed after the backup, under versions that the backup does not
/// contain.
#[tokio::test]
async fn a_restore_takes_effect_at_once_on_instances_that_cached_later_data() {
    let (database, scratch) = (Database::sample().await, tempfile::tempdir().unwrap());
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let before = close(&app, &key).await;
    let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    let (file, correction) = (path("backup.dump"), path("correction.csv"));
    assert_eq!(script("backup", &[&file], &database).code, Some(0));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&correction, format!("{HEADER}\nAAPL,2013-03-01,1,999,1,700,5,1\n")).unwrap();
    assert_eq!(database.output(&["ingest", "prices", &correction]).code, Some(0));
    let later = database.issue("pro");
    eventually("the later data is served", Duration::from_secs(2), async || {
        close(&app, &later).await == 700.0
    })
    .await;

    let refused = script("restore", &[&file], &database);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("restore into an empty one"),
        "{refused:?}"
    );
    database
        .connect()
        .await
        .batch_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        .await
        .unwrap();
    let restored = script("restore", &[&file], &database);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    eventually("the restored data is served", Duration::from_secs(2), async || {
        close(&app, &key).await == before
    })
    .await;
    assert_eq!(database.output(&["migrate"]).stderr, "The tables are up to date.\n");
}

#[tokio::test]
async fn a_failed_restore_leaves_the_database_empty() {
    let (database, scratch) = (Database::sample().await, tempfile::tempdir().unwrap());
    let file = scratch.path().join("backup.dump");
    let name = file.to_str().unwrap();
    assert_eq!(script("backup", &[name], &database).code, Some(0));
    let again = script("backup", &[name], &database);
    assert!(again.code == Some(1) && again.stderr.contains("there already"), "{again:?}");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let empty = Database::empty().await;
    let torn = script("restore", &[name], &empty);
    assert_eq!(torn.code, Some(1), "{torn:?}");
    assert!(
        empty
            .texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .await
            .is_empty()
    );
    for (name, arguments) in
        [("backup", [].as_slice()), ("restore", &[]), ("push", &[]), ("push", &["-x"])]
    {
        let output = script(name, arguments, &database);
        assert_eq!((output.code, output.stderr.lines().count()), (Some(2), 1), "{output:?}");
    }
}

/// A remote machine that is this one: ssh runs commands here, and calls of systemctl are recorded.
struct Machine {
    dir: tempfile::TempDir,
    health: String,
}

impl Machine {
    fn new(health: String) -> Self {
        let machine = Self { dir: tempfile::tempdir().unwrap(), health };
        machine.program("ssh", "shift; exec sh -c \"$*\"");
        machine
            .program("systemctl", &format!("echo \"$*\" >>{}/calls", machine.dir.path().display()));
        // On a real machine, other users than root need sudo.
        machine.program("sudo", "shift; exec \"$@\"");
        machine
    }

    fn program(&self, name: &str, body: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn push(&self, argument: &str) -> CommandOutput {
        let path = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("deploy/push");
        command
            .args(["there", argument])
            .stdin(Stdio::null())
            .env("PATH", path)
            .env("DEPLOY_PLACE", self.binary());
        CommandOutput::of(command.env("DEPLOY_HEALTH_URL", &self.health).env("DEPLOY_WAIT_S", "1"))
    }

    fn binary(&self) -> std::path::PathBuf {
        self.dir.path().join("tickerd")
    }

    fn restarts(&self) -> usize {
        std::fs::read_to_string(self.dir.path().join("calls")).unwrap_or_default().lines().count()
    }
}

fn version_of(binary: &Path) -> String {
    String::from_utf8(Command::new(binary).arg("--version").output().unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}

#[tokio::test]
async fn a_deployed_binary_can_be_rolled_back() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let machine = Machine::new(app.url("/health"));
    let (first, second) =
        (machine.program("first", "echo tickerd 1"), tickerd(&[]).get_program().to_owned());
    let second = second.to_str().unwrap();
    let deployed = machine.push(&first);
    assert_eq!(
        (deployed.code, deployed.stdout.trim()),
        (Some(0), "tickerd 1 serves"),
        "{deployed:?}"
    );
    assert_eq!(machine.push(second).code, Some(0));
    assert!(version_of(&machine.binary()).starts_with("tickerd 0."));
    assert_eq!(machine.push("--back").code, Some(0));
    assert_eq!((version_of(&machine.binary()), machine.restarts()), ("tickerd 1".to_owned(), 3));
}

#[tokio::test]
async fn a_binary_that_does_not_run_or_serve_is_rolled_back() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let machine = Machine::new(format!("http://{listener}/health"));
    let (first, second) =
        (machine.program("first", "echo tickerd 1"), machine.program("second", "echo tickerd 2"));
    std::fs::copy(&first, machine.binary()).unwrap();
    let foreign = machine.push(&machine.program("foreign", "exit 126"));
    assert!(
        foreign.code == Some(1) && foreign.stderr.contains("does not run on this machine"),
        "{foreign:?}"
    );
    assert_eq!(machine.restarts(), 0);
    let silent = machine.push(&second);
    assert!(
        silent.code == Some(1) && silent.stderr.contains("see journalctl -u tickerd"),
        "{silent:?}"
    );
    assert_eq!((version_of(&machine.binary()), machine.restarts()), ("tickerd 1".to_owned(), 2));
    let none = machine.push("no-such-binary");
    assert!(none.code == Some(1) && none.stderr.contains("cargo build --release"), "{none:?}");
}
