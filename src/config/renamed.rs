//! Old names of settings, which keep working.

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

/// Parses the command line and the environment. A setting is read from its old environment variable
/// if only that one is set.
///
/// # Errors
/// When the command line or a variable is not valid, and for `--help` and `--version`.
pub fn parse<P: Parser>() -> Result<P, clap::Error> {
    let mut command = P::command();
    for (old, new) in RENAMED {
        if is_set(old) && !is_set(new) {
            command = read_from(command, new, old);
        }
    }
    let mut matches = command.try_get_matches()?;
    P::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut P::command()))
}

/// Logs a warning for each old environment variable that is set.
pub fn warn_about_old_names() {
    for (old, new) in RENAMED {
        if is_set(old) && is_set(new) {
            tracing::warn!("{old} is ignored because its new name {new} is set: remove {old}");
        } else if is_set(old) {
            tracing::warn!("{old} has a new name: set {new} instead");
        }
    }
}

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some()
}

/// Makes each argument of `command` and its subcommands that reads the environment variable `new`
/// read `old` instead.
fn read_from(command: Command, new: &str, old: &'static str) -> Command {
    let command = command.mut_args(|argument| {
        if argument.get_env() == Some(OsStr::new(new)) { argument.env(old) } else { argument }
    });
    command.mut_subcommands(|subcommand| read_from(subcommand, new, old))
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
        let command = read_from(command(), "NEW_SIZE", "OLD_SIZE");
        let variables = |command: &Command| -> Vec<_> {
            command.get_arguments().filter_map(|a| a.get_env().map(OsStr::to_owned)).collect()
        };
        assert_eq!(variables(&command), ["OLD_SIZE"]);
        let serve = command.find_subcommand("serve").unwrap();
        assert_eq!(variables(serve), ["OLD_SIZE", "PORT"]);
    }
}
