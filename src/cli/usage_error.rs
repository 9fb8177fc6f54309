//! Reports errors of the command line without the secrets in it.

use std::process::ExitCode;

use clap::Command;
use clap::error::ErrorKind;

use super::WRONG_USAGE;
use super::console::print_line;
use super::help;
use crate::config::ParseError;
use crate::keys::TOKEN_PREFIX;

/// Prints what is wrong and returns clap's exit code. `--help` and `--version` arrive here too.
pub fn report(error: &ParseError, command: Command) -> ExitCode {
    let given = std::env::args_os().chain(std::env::vars_os().map(|(_, value)| value));
    let given: Vec<_> = given.map(|text| text.to_string_lossy().into_owned()).collect();
    let error = match error {
        ParseError::CommandLine(error) => error,
        ParseError::EnvFile(_) | ParseError::Settings(_) => {
            let text = error.to_string();
            let text = without_secrets(&text, &given).unwrap_or(text);
            eprintln!("{text}\n\nFor more information, try '--help'.");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    if error.kind() == ErrorKind::DisplayHelp
        && let Some(help) = help::requested(command, std::env::args_os())
    {
        // A closed pipe is no error.
        return print_line(&help).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    match without_secrets(&error.render().to_string(), &given) {
        None => error.exit(),
        Some(hidden) => {
            eprint!("{hidden}");
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

/// Returns the message with all secrets of the arguments and variables in `given` replaced by
/// "..."; `None` if it contains none.
fn without_secrets(message: &str, given: &[String]) -> Option<String> {
    let values = given.iter().filter_map(|text| text.split_once('=')).map(|(_, value)| value);
    let mut secrets: Vec<_> =
        given.iter().map(String::as_str).chain(values).filter(|text| is_secret(text)).collect();
    secrets.retain(|secret| message.contains(secret));
    // The longest first, since one may contain another.
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    let hide = |message: String, secret: &&str| message.replace(secret, "...");
    (!secrets.is_empty()).then(|| secrets.iter().fold(message.to_owned(), hide))
}

/// Whether the text is a token, even an incomplete one, or a URL with a user name or password.
fn is_secret(text: &str) -> bool {
    let is_url = text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    is_url || (text.contains(TOKEN_PREFIX) && text.len() > TOKEN_PREFIX.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_arguments_and_variables_are_hidden() {
        let message =
            "error: invalid value 'tk_live_a_b' for '<ID>': between 'tk_live_' and the next";
        for given in ["tk_live_a_b", "--key=tk_live_a_b"] {
            let given = ["tickerd".to_owned(), given.to_owned()];
            let shown = without_secrets(message, &given).unwrap();
            assert_eq!(
                shown,
                "error: invalid value '...' for '<ID>': between 'tk_live_' and the next"
            );
        }
        let url = "postgres://u:p@h/d".to_owned();
        let shown =
            without_secrets("unexpected argument 'postgres://u:p@h/d' found", &[url]).unwrap();
        assert_eq!(shown, "unexpected argument '...' found");
    }

    #[test]
    fn messages_without_secrets_are_left_to_clap() {
        let given = ["tickerd", "keys", "nonsense", "postgres://u:p@h/d"].map(str::to_owned);
        assert_eq!(without_secrets("unrecognized subcommand 'nonsense'", &given), None);
    }
}
