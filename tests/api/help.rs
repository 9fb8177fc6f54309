//! What the program says about itself: the short help, completions and manual pages.

use std::process::Command;

use crate::support::{CommandOutput, tickerd};

fn stdout(arguments: &[&str]) -> String {
    let output = CommandOutput::of(&mut tickerd(arguments));
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stdout
}

#[test]
fn the_short_help_has_one_line_an_option_and_own_options_first() {
    for path in [["serve"].as_slice(), &["keys"], &["keys", "issue"], &["ingest"], &["check"], &[]]
    {
        let help = stdout(&[path, &["-h"]].concat());
        let wide: Vec<_> = help.lines().filter(|line| line.chars().count() > 100).collect();
        assert_eq!(wide, Vec::<&str>::new(), "{path:?}");
        let options = help.lines().filter(|line| line.trim_start().starts_with("--")).count();
        assert!(options > 1, "{path:?}: {help}");
        let headings = help.lines().filter(|line| !line.starts_with(' ') && line.ends_with(':'));
        let headings: Vec<_> =
            headings.filter(|it| *it != "Commands:" && *it != "Arguments:").collect();
        assert_eq!(headings[0], "Options:", "{path:?}: {headings:?}");
        let mut once = headings.clone();
        once.dedup();
        assert_eq!(headings, once, "{path:?}");
    }
    let serve = stdout(&["serve", "-h"]);
    assert!(serve.lines().count() < 110, "{}", serve.lines().count());
    for part in ["\nPostgres:\n", "\nRedis:\n", "\nHTTP:\n", "TICKERD_KEEP_ALIVE_S"] {
        assert!(serve.contains(part), "{part}: {serve}");
    }
    let long = stdout(&["serve", "--help"]);
    assert!(long.contains("[env: PORT=]") && long.lines().count() > serve.lines().count());
}

#[test]
fn completions_are_scripts_that_know_every_command() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&["completions", shell]);
        for command in ["serve", "check", "ingest", "database-url"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
        let path = dir.path().join(shell);
        std::fs::write(&path, script).unwrap();
        if shell == "bash" {
            let parsed = Command::new("bash").arg("-n").arg(&path).output().unwrap();
            assert!(parsed.status.success(), "{parsed:?}");
        }
    }
    let unknown = CommandOutput::of(&mut tickerd(&["completions", "cmd"]));
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man");
    stdout(&["man", pages.to_str().unwrap()]);
    for page in ["tickerd.1", "tickerd-serve.1", "tickerd-keys-issue.1", "tickerd-check.1"] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".TH") && text.contains("tickerd"), "{page}");
    }
}
