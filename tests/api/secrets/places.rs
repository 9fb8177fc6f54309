//! Secrets, and the places that the tests search for them.

use std::path::Path;
use std::process::Command;

use crate::support::{CommandOutput, Database, run};

/// Secrets, each with a name for failure messages.
#[derive(Default)]
pub struct Secrets(Vec<(String, String)>);

impl Secrets {
    pub fn add(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= 16, "{name} is too short to search for: {secret}");
        self.0.push((name.to_owned(), secret.to_owned()));
    }

    /// Adds the secret part of a token. The rest is public.
    pub fn add_token(&mut self, name: &str, token: &str) {
        self.add(name, &token[21..53]);
    }

    /// Adds the password of a URL.
    pub fn add_password(&mut self, name: &str, url: &str) {
        let (credentials, _) =
            url.split_once("://").unwrap().1.split_once('@').expect("a URL with a password");
        self.add(name, credentials.split_once(':').unwrap().1);
    }

    /// Asserts that a place holds none of the secrets. `control` must be there: it proves that the
    /// place was searched.
    pub fn assert_not_in(&self, place: &str, text: &[u8], control: &str) {
        assert!(
            contains(text, control.as_bytes()),
            "{place} lacks even {control:?}: {} bytes",
            text.len()
        );
        for (name, secret) in &self.0 {
            for written in forms(secret) {
                assert!(!contains(text, written.as_bytes()), "{place} holds {name}, as {written}");
            }
        }
    }
}

/// The forms in which programs write bytes: text, a list of numbers, hexadecimal.
fn forms(secret: &str) -> [String; 3] {
    let each = |write: fn(&u8) -> String, between| {
        secret.as_bytes().iter().map(write).collect::<Vec<_>>().join(between)
    };
    [secret.to_owned(), each(|byte| byte.to_string(), ", "), each(|byte| format!("{byte:02x}"), "")]
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|bytes| bytes == part)
}

/// The complete content of a database, as SQL.
pub fn dump(database: &Database) -> String {
    let url = database.url();
    let (scheme, rest) = url.split_once("://").unwrap();
    let (credentials, server) = rest.split_once('@').unwrap();
    let (user, password) = credentials.split_once(':').unwrap();
    let mut command = Command::new("pg_dump");
    let output = CommandOutput::of(
        command
            .env("PGPASSWORD", password)
            .args(["--dbname", &format!("{scheme}://{user}@{server}")]),
    );
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    output.stdout
}

/// Every key and value of a Redis, and its lists of slow commands and of clients.
pub fn redis_content(url: &str) -> Vec<u8> {
    let redis_cli = |arguments: &[&str]| {
        let mut client = Command::new("redis-cli");
        client
            .args(["--no-auth-warning", "-u", &url.replace("redis://:", "redis://default:")])
            .args(arguments);
        let output = run(&mut client);
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let keys = String::from_utf8(redis_cli(&["--scan"])).expect("keys are text");
    let mut content = keys.clone().into_bytes();
    for key in keys.lines() {
        content.extend(redis_cli(&["GET", key]));
    }
    content.extend(redis_cli(&["SLOWLOG", "GET", "128"]));
    content.extend(redis_cli(&["CLIENT", "LIST"]));
    content
}

/// The process and its descendants as (pid, arguments, environment).
pub fn processes(pid: u32) -> Vec<(u32, Vec<u8>, Vec<u8>)> {
    let of = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let mut all = vec![(pid, of("cmdline"), of("environ"))];
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(children.split_whitespace().flat_map(|child| processes(child.parse().unwrap())));
    }
    all
}

/// The log of a server that the test started.
pub fn server_log(dir: &Path, server: &str) -> Vec<u8> {
    std::fs::read(dir.join(server).join("server.log")).expect("the log of a server")
}
