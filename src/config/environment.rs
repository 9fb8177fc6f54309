//! What the environment says beside plain values: old names of settings, variables that are set and
//! empty, and a `HOST` that is not meant for this program.

use std::env;
use std::ffi::OsStr;

use clap::{Command, Parser};

/// The environment variables that were renamed: (old name, new name). The old flags are hidden
/// aliases of the new ones.
const RENAMED: [(&str, &str); 4] = [
    ("KEY_STATUS_BELIEVED_MS", "KEY_STATUS_STALE_MAX_MS"),
    ("CHANGES_POLL_ALONE_MS", "CHANGES_POLL_WITHOUT_REDIS_MS"),
    ("KEYLESS_REQUESTS_PER_HOUR_MAX", "ANONYMOUS_REQUESTS_PER_HOUR_MAX"),
    ("KEYLESS_ADDRESSES_MAX", "ANONYMOUS_ADDRESSES_MAX"),
];

/// The address to listen on. conda sets this variable to a name such as `x86_64-conda-linux-gnu`,
/// and shells set it to the name of the machine.
const HOST: &str = "HOST";

/// Parses the command line and the environment.
///
/// - A variable that is set and empty counts as not set, because compose files set variables so.
/// - A setting is read from its old variable if only that one is set.
/// - A `HOST` that is a name is ignored.
///
/// # Errors
/// When the command line or a variable is not valid, and for `--help` and `--version`.
pub fn parse<P: Parser>() -> Result<P, clap::Error> {
    let mut command = P::command();
    for (old, new) in RENAMED {
        if is_set(old) && !is_set(new) {
            command = read_from(command, new, Some(old));
        }
    }
    let is_empty = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        value.is_empty().then(|| name.into_string().ok()).flatten()
    };
    for name in env::vars_os().filter_map(is_empty) {
        command = read_from(command, &name, None);
    }
    if host_name().is_some() {
        command = read_from(command, HOST, None);
    }
    let mut matches = command.try_get_matches()?;
    P::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut P::command()))
}

/// Logs a warning for each variable with an old name, and for a `HOST` that is ignored.
pub fn warn_about_environment() {
    for (old, new) in RENAMED {
        if is_set(old) && is_set(new) {
            tracing::warn!("{old} is ignored because its new name {new} is set: remove {old}");
        } else if is_set(old) {
            tracing::warn!("{old} has a new name: set {new} instead");
        }
    }
    if let Some(name) = host_name() {
        tracing::warn!(
            "the environment variable HOST is {name:?}, which is a name and no address: it is \
             ignored; set it to an IP address to choose where to listen"
        );
    }
}

/// Whether a variable is set to a text that is not empty.
fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// The value of `HOST` if it is a name.
fn host_name() -> Option<String> {
    env::var(HOST).ok().filter(|value| is_name(value))
}

/// Whether a text is the name of a machine or a platform. A text that could be a mistyped address
/// is none, so that a mistake in an address is still reported.
fn is_name(text: &str) -> bool {
    text != "localhost"
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Makes each argument of `command` and its subcommands that reads the environment variable `name`
/// read `instead`, or no variable.
fn read_from(command: Command, name: &str, instead: Option<&'static str>) -> Command {
    let command = command.mut_args(|argument| {
        if argument.get_env() == Some(OsStr::new(name)) { argument.env(instead) } else { argument }
    });
    command.mut_subcommands(|subcommand| read_from(subcommand, name, instead))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two levels of commands with one setting each.
    fn command() -> Command {
        let setting = clap::Arg::new("size").long("size").env("NEW_SIZE");
        let other = clap::Arg::new("port").long("port").env("PORT");
        let serve = Command::new("serve").args([setting.clone(), other]);
        Command::new("test").arg(setting).subcommand(serve)
    }

    #[test]
    fn only_the_renamed_argument_reads_the_old_variable_in_every_command() {
        let command = read_from(command(), "NEW_SIZE", Some("OLD_SIZE"));
        let variables = |command: &Command| -> Vec<_> {
            command.get_arguments().filter_map(|a| a.get_env().map(OsStr::to_owned)).collect()
        };
        assert_eq!(variables(&command), ["OLD_SIZE"]);
        let serve = command.find_subcommand("serve").unwrap();
        assert_eq!(variables(serve), ["OLD_SIZE", "PORT"]);
    }

    #[test]
    fn an_argument_can_be_made_to_read_no_variable() {
        let command = read_from(command(), "NEW_SIZE", None);
        assert!(command.get_arguments().all(|argument| argument.get_env().is_none()));
    }

    #[test]
    fn names_are_told_from_addresses_and_mistyped_addresses() {
        for name in ["x86_64-conda-linux-gnu", "aarch64-conda-linux-gnu", "laptop", "my_machine"] {
            assert!(is_name(name), "{name}");
        }
        for address in ["", "localhost", "0.0.0.0", "0.0.0", "::1", "127.0.0.1:80", "0", "a.b"] {
            assert!(!is_name(address), "{address}");
        }
    }
}
