//! Values that hold secrets leave them out when they are printed.

use std::path::Path;

use clap::{Arg, Command, Parser};
use tickerd::config::{SECRETS, ServeConfig, TracesConfig};
use tickerd::keys::Token;

use crate::support::{CommandOutput, tickerd};

const CANARY: &str = "canary-in-a-coal-mine-0123456789";

#[derive(Debug, Parser)]
struct Everything {
    #[command(flatten)]
    _serve: ServeConfig,
    #[command(flatten)]
    _traces: TracesConfig,
}

fn arguments() -> Vec<Arg> {
    let command = tickerd::cli::command();
    let all = |command: &Command| command.get_arguments().cloned().collect::<Vec<_>>();
    std::iter::once(&command).chain(command.get_subcommands()).flat_map(all).collect()
}

fn variable(argument: &Arg) -> &str {
    argument.get_env().and_then(|name| name.to_str()).unwrap_or_default()
}

#[test]
fn every_secret_variable_is_registered_and_hidden_in_the_help() {
    let looks_secret = |name: &str| {
        let holds = ["TOKEN", "PASSWORD", "SECRET"].iter().any(|word| name.contains(word))
            && !name.ends_with("_FILE");
        holds
            || ((name.starts_with("DATABASE") || name.starts_with("REDIS"))
                && name.ends_with("URL"))
    };
    let arguments = arguments();
    let secret: Vec<_> =
        arguments.iter().filter(|argument| looks_secret(variable(argument))).collect();
    assert!(secret.len() >= SECRETS.len());
    for argument in &secret {
        assert!(SECRETS.contains(&variable(argument)), "{}", variable(argument));
        assert!(argument.is_hide_env_values_set(), "{}", variable(argument));
    }
    for name in SECRETS {
        assert!(
            secret.iter().any(|argument| variable(argument) == name),
            "{name} is not a variable"
        );
        for subcommand in ["serve", "keys", "migrate"] {
            let output = CommandOutput::of(tickerd(&[subcommand, "--help"]).env(name, CANARY));
            assert!(
                output.code == Some(0) && !output.stdout.contains(CANARY),
                "{name}: {output:?}"
            );
        }
    }
}

#[test]
fn debug_output_of_the_configuration_holds_no_secret() {
    let flags = SECRETS.map(|name| {
        let value = match name.split('_').next() {
            Some("DATABASE") => format!("postgres://u:{CANARY}@h-pooler.x.neon.tech/d"),
            Some("REDIS") => format!("redis://:{CANARY}@h"),
            _ => CANARY.to_owned(),
        };
        format!("--{}={value}", name.to_lowercase().replace('_', "-"))
    });
    let config = Everything::parse_from(std::iter::once("test".to_owned()).chain(flags));
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("database_url") && !shown.contains(CANARY), "{shown}");
}

#[test]
fn debug_output_of_a_token_holds_no_secret() {
    use secrecy::ExposeSecret;
    let token = Token::random();
    let (secret, text) = (token.secret.expose_secret(), token.reveal());
    for shown in [format!("{token:?}"), format!("{text:?}"), format!("{:?}", Some(&token))] {
        assert!(!shown.contains(secret), "{shown}");
    }
    // A panic prints a token with Debug.
    let failed: fn() -> Result<(), Token> = || Err(Token::random());
    let panicked = std::panic::catch_unwind(|| failed().expect("no token"));
    let text_of_panic = *panicked.unwrap_err().downcast::<String>().unwrap();
    assert!(
        text_of_panic.starts_with("no token: Token {") && text_of_panic.contains("REDACTED"),
        "{text_of_panic}"
    );
}

/// The names of fields that hold secrets, and the one that is shown on purpose.
const NAMES: [&str; 4] = ["token", "secret", "password", "admin_token"];
const SHOWN_ON_PURPOSE: [&str; 1] = ["token: &'a str,"];

/// A plain `String` would be printed by a derived Debug and stay in memory.
#[test]
fn fields_that_hold_secrets_have_types_that_hide_them() {
    let mut fields = 0;
    for (path, text) in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for line in code.lines().map(str::trim) {
            let Some((name, kind)) = line.strip_prefix("pub ").unwrap_or(line).split_once(": ")
            else {
                continue;
            };
            // A reference without a lifetime is an argument of a function, never a field.
            let is_argument = kind == "&str,";
            if !NAMES.contains(&name) || !kind.ends_with(',') || line.contains('=') || is_argument {
                continue;
            }
            fields += 1;
            let wrapped = ["SecretString", "AdminToken"].iter().any(|safe| kind.contains(safe));
            assert!(wrapped || SHOWN_ON_PURPOSE.contains(&line), "{path}: {line}");
        }
    }
    assert!(fields > 5, "{fields}");
}

fn sources(dir: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            all.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    all
}
