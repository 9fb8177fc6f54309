//! What is said of a command line that can't be understood: never what is secret in it.

use std::process::ExitCode;

use crate::keys::TOKEN_PREFIX;

/// Says what is wrong, as clap does, and yields the exit code that it has for it. Help and the
/// version come this way, too.
pub fn report(error: &clap::Error) -> ExitCode {
    let given = std::env::args_os().chain(std::env::vars_os().map(|(_, value)| value));
    let given: Vec<_> = given.map(|text| text.to_string_lossy().into_owned()).collect();
    match without_secrets(&error.render().to_string(), &given) {
        None => error.exit(),
        Some(said) => {
            eprint!("{said}");
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

/// The text without any secret that was given; `None` where it holds none.
fn without_secrets(said: &str, given: &[String]) -> Option<String> {
    let values = given.iter().filter_map(|text| text.split_once('=')).map(|(_, value)| value);
    let mut secrets: Vec<_> =
        given.iter().map(String::as_str).chain(values).filter(|text| is_secret(text)).collect();
    secrets.retain(|secret| said.contains(secret));
    // One may be a part of another.
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    let hide = |said: String, secret: &&str| said.replace(secret, "...");
    (!secrets.is_empty()).then(|| secrets.iter().fold(said.to_owned(), hide))
}

/// A token, also one that was not copied whole, or a URL with a password.
fn is_secret(text: &str) -> bool {
    let is_url = text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    is_url || (text.contains(TOKEN_PREFIX) && text.len() > TOKEN_PREFIX.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_left_out_however_it_was_given() {
        let said = "error: invalid value 'tk_live_a_b' for '<ID>': between 'tk_live_' and the next";
        for given in ["tk_live_a_b", "--key=tk_live_a_b"] {
            let shown = without_secrets(said, &["tickerd".to_owned(), given.to_owned()]).unwrap();
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
    fn what_holds_no_secret_is_left_to_clap() {
        let given = ["tickerd", "keys", "nonsense", "postgres://u:p@h/d"].map(str::to_owned);
        assert_eq!(without_secrets("unrecognized subcommand 'nonsense'", &given), None);
    }
}
