//! Every line of docs/getting-started.md, run as it is printed.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{eventually, free_port, servers, tickerd};

/// For all commands of the page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(90);
/// Ends the output of each block. No program prints this.
const MARK: &str = "<<< end of block >>>";
/// Where the page prints this, anything may be printed.
const ANYTHING: &str = "...";

/// A block of commands, and the output that the page prints below it.
#[derive(Debug)]
struct Step {
    commands: String,
    /// Kind (`text` or `json`) and text.
    output: Option<(String, String)>,
}

/// The fenced blocks of a page: (kind, text).
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push((kind.to_owned(), text.join("\n")));
    }
    blocks
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (kind, text) in blocks(page) {
        match (kind.as_str(), steps.last_mut()) {
            ("sh", _) => steps.push(Step { commands: text, output: None }),
            ("text" | "json", Some(step)) if step.output.is_none() => {
                step.output = Some((kind, text));
            }
            _ => panic!("a block of {kind:?} is neither commands nor their output: {text}"),
        }
    }
    steps
}

/// Whether a text is as printed, with anything in the place of [`ANYTHING`].
fn matches(printed: &str, text: &str) -> bool {
    let mut parts = printed.split(ANYTHING);
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// The same for JSON, whatever its line breaks.
fn matches_json(printed: &Value, value: &Value) -> bool {
    match (printed, value) {
        (Value::String(printed), Value::String(text)) => matches(printed, text),
        (Value::Array(printed), Value::Array(items)) => {
            printed.len() == items.len()
                && printed.iter().zip(items).all(|(printed, item)| matches_json(printed, item))
        }
        (Value::Object(printed), Value::Object(fields)) => {
            let is_same = |(name, printed)| {
                fields.get(name).is_some_and(|value| matches_json(printed, value))
            };
            printed.len() == fields.len() && printed.iter().all(is_same)
        }
        _ => printed == value,
    }
}

fn write_program(path: &Path, body: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Stand-ins for what a test can't do: become another user, and build the release.
fn stand_ins(bin: &Path) {
    let url = servers().postgres.url();
    let (user, rest) = url.strip_prefix("postgres://").unwrap().split_once(':').unwrap();
    let (password, rest) = rest.split_once('@').unwrap();
    let (address, _) = rest.split_once('/').unwrap();
    let (host, port) = address.split_once(':').unwrap();
    let sudo = format!(
        "[ \"$1 $2\" = '-u postgres' ] || exit 1\n\
         shift 2\n\
         export PGHOST={host} PGPORT={port} PGUSER={user} PGPASSWORD={password}\n\
         PGDATABASE=postgres exec \"$@\""
    );
    let binary = tickerd(&[]).get_program().to_str().unwrap().to_owned();
    let cargo = format!(
        "[ \"$*\" = 'build --release --locked' ] || exit 1\n\
         mkdir -p target/release && ln -s {binary} target/release/tickerd"
    );
    write_program(&bin.join("sudo"), &sudo);
    write_program(&bin.join("cargo"), &cargo);
}

fn port_of_postgres() -> String {
    let url = servers().postgres.url();
    url.rsplit(':').next().unwrap().split('/').next().unwrap().to_owned()
}

/// A shell with all that it started: they end with this value.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).output();
        let _ = self.0.wait();
    }
}

#[test]
fn output_is_compared_with_anything_in_the_place_of_dots() {
    for (printed, text, is_same) in [
        ("a ... c", "a b c", true),
        ("a ... c", "a b d", false),
        ("...", "", true),
        ("a", "a b", false),
        ("...  pro  ...  active", "x  pro  y  active", true),
        ("Applied ...", "Applied V1", true),
    ] {
        assert_eq!(matches(printed, text), is_same, "{printed:?}, {text:?}");
    }
}

#[tokio::test]
async fn every_line_of_getting_started_runs_as_it_is_printed() {
    let page = std::fs::read_to_string("docs/getting-started.md").unwrap();
    let steps = steps(&page);
    assert!(steps.len() > 8, "{steps:?}");
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let port_of_postgres = tokio::task::spawn_blocking({
        let bin = bin.clone();
        move || {
            stand_ins(&bin);
            port_of_postgres()
        }
    })
    .await
    .unwrap();
    let script: String =
        steps.iter().map(|it| format!("{}\necho '{MARK}'\n", it.commands)).collect();
    let (script_path, output_path) = (dir.path().join("script"), dir.path().join("output"));
    std::fs::write(&script_path, format!("set -eu -o pipefail\n{script}")).unwrap();
    let output = File::create(&output_path).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.arg(&script_path).current_dir(dir.path()).env_clear();
    shell.env("PATH", path).env("HOME", dir.path()).env("PGPORT", port_of_postgres);
    // Ports that are free, where other tests run at the same time.
    shell.env("PORT", free_port().to_string()).env("ADMIN_PORT", "0");
    shell.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output).process_group(0);
    let mut shell = Shell(shell.spawn().expect("bash runs"));
    let mut status = None;
    eventually("the page is run to its end", PAGE_TIMEOUT, async || {
        status = shell.0.try_wait().unwrap();
        status.is_some()
    })
    .await;
    let output = std::fs::read_to_string(&output_path).unwrap();
    assert!(status.is_some_and(|status| status.success()), "{output}");
    let outputs: Vec<_> = output.split(&format!("{MARK}\n")).collect();
    assert_eq!(outputs.len(), steps.len() + 1, "{output}");
    for (step, output) in steps.iter().zip(outputs) {
        let is_as_printed = match &step.output {
            None => true,
            Some((kind, printed)) if kind == "json" => {
                let printed = serde_json::from_str(printed).expect("the page prints JSON");
                serde_json::from_str(output).is_ok_and(|value| matches_json(&printed, &value))
            }
            // CSV ends its lines with CR LF, which a terminal does not show.
            Some((_, printed)) => matches(printed, output.replace('\r', "").trim_end()),
        };
        assert!(is_as_printed, "{}\nprinted: {:?}\ngot: {output}", step.commands, step.output);
    }
}
