//! Reads settings from the command line, the environment and a file of variables.
//!
//! clap reads neither a file nor a variable with a prefix, and it reports one wrong value at a
//! time. So each variable is looked up here, checked by the parser of its setting, and then given
//! to clap in the place of the default.

mod values;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, Id, Parser, value_parser};

pub use values::Source;
use values::{Found, Values};

/// The id of the argument that names a file of variables.
const ENV_FILE: &str = "env_file";

/// The heading of options that no other command has, after a group of shared ones.
const OWN_OPTIONS: &str = "Options";

/// A command line that was read, and what the environment says beside plain values.
pub struct Parsed<P> {
    pub cli: P,
    /// Variables with an old name, and variables that are ignored.
    pub warnings: Vec<String>,
}

/// Why the settings can't be read.
#[derive(Debug)]
pub enum ParseError {
    /// The command line is wrong; or it asks for help or the version.
    CommandLine(clap::Error),
    /// The file of variables can't be read.
    EnvFile(String),
    /// All values of the environment and the file that are wrong or missing.
    Settings(Vec<SettingError>),
}

/// A setting whose value is wrong or missing.
#[derive(Debug)]
pub struct SettingError {
    /// One or two sentences, without any secret.
    pub message: String,
    /// `None` if the value is missing.
    pub source: Option<Source>,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.source {
            Some(source) => write!(f, "\nThe value comes from {source}."),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine(error) => error.fmt(f),
            Self::EnvFile(reason) => write!(f, "error: {reason}"),
            Self::Settings(errors) => {
                let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl std::error::Error for ParseError {}

/// Parses the command line of the process and its environment.
///
/// # Errors
/// When the command line or a variable is not valid, and for `--help` and `--version`.
pub fn parse<P: Parser>() -> Result<Parsed<P>, ParseError> {
    parse_with(std::env::args_os().collect(), Values::of_process())
}

/// Parses other arguments than those of the process, and its environment without the settings
/// `ignored`.
///
/// # Errors
/// As in [`parse`].
pub fn parse_without<P: Parser>(arguments: &[&str], ignored: &[&str]) -> Result<P, ParseError> {
    let arguments = arguments.iter().map(OsString::from).collect();
    parse_with(arguments, Values::of_process().without(ignored)).map(|parsed| parsed.cli)
}

fn parse_with<P: Parser>(
    arguments: Vec<OsString>,
    mut values: Values,
) -> Result<Parsed<P>, ParseError> {
    let plain = || definition::<P>().try_get_matches_from(&arguments);
    // Values are not parsed yet: the parser of `-` reads stdin.
    let without_environment = every_argument(definition::<P>(), &mut |argument| {
        let is_required = argument.is_required_set() && argument.get_env().is_none();
        let argument = argument.env(Resettable::Reset).required(is_required);
        match argument.get_action() {
            ArgAction::Set | ArgAction::Append => argument.value_parser(value_parser!(OsString)),
            _ => argument,
        }
    });
    let given = match without_environment.try_get_matches_from(&arguments) {
        Ok(given) => given,
        Err(error) if is_help(&error) => return finish(plain(), Vec::new()),
        Err(error) => return Err(ParseError::CommandLine(error)),
    };
    let mut command = definition::<P>();
    command.build();
    let path = subcommands(&given);
    let Some(chain) = chain(&command, &path) else { return finish(plain(), Vec::new()) };
    if let Ok(Some(file)) = given.try_get_one::<OsString>(ENV_FILE) {
        values.read_file(file.as_ref()).map_err(ParseError::EnvFile)?;
    }
    let settings = Settings::read(&chain, &given, &values);
    if !settings.errors.is_empty() {
        return Err(ParseError::Settings(settings.errors));
    }
    let command = along(definition::<P>(), &path, &mut |argument| settings.apply(argument));
    finish(command.try_get_matches_from(&arguments), settings.warnings)
}

/// Whether an error is the help or the version. Help is made from the plain definition, which shows
/// each default and variable.
fn is_help(error: &clap::Error) -> bool {
    !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// The definition of a command line. Options of a command itself come before the settings that it
/// shares with others, which have headings.
pub fn definition<P: CommandFactory>() -> Command {
    every_argument(P::command(), &mut |argument| match argument.get_help_heading() {
        Some(OWN_OPTIONS) => argument.help_heading(Resettable::Reset),
        _ => argument,
    })
}

fn finish<P: Parser>(
    matches: Result<ArgMatches, clap::Error>,
    warnings: Vec<String>,
) -> Result<Parsed<P>, ParseError> {
    let format = |error: clap::Error| error.format(&mut P::command());
    let cli = matches.and_then(|mut matches| P::from_arg_matches_mut(&mut matches).map_err(format));
    cli.map(|cli| Parsed { cli, warnings }).map_err(ParseError::CommandLine)
}

/// What the environment and the file say about the arguments of one command.
#[derive(Default)]
struct Settings {
    found: Vec<(Id, Found)>,
    errors: Vec<SettingError>,
    warnings: Vec<String>,
}

impl Settings {
    /// Looks up each argument of `chain`, the commands from the program to the one that runs, that
    /// the command line does not give.
    fn read(chain: &[&Command], given: &ArgMatches, values: &Values) -> Self {
        let mut settings = Self::default();
        let mut matches = Some(given);
        for command in chain {
            for argument in command.get_arguments().filter(|it| !is_inherited(it, command, chain)) {
                let is_given = |argument: &Arg| {
                    matches.is_some_and(|matches| is_on_command_line(matches, argument.get_id()))
                };
                let rivals = rivals(command, argument);
                if is_given(argument) || rivals.iter().any(|rival| is_given(rival)) {
                    continue;
                }
                settings.look_up(argument, values);
                settings.check_rivals(argument, &rivals);
            }
            matches = matches.and_then(ArgMatches::subcommand).map(|(_, matches)| matches);
        }
        settings
    }

    fn look_up(&mut self, argument: &Arg, values: &Values) {
        let Some(name) = argument.get_env().and_then(OsStr::to_str) else { return };
        let (found, warnings) = values.find(name);
        self.warnings.extend(warnings);
        match found {
            Some(mut found) => {
                found.value = as_list(argument, found.value);
                if let Err(error) = check(argument, &found.value) {
                    let message = message(argument, &found.value, error);
                    self.errors.push(SettingError { message, source: Some(found.source.clone()) });
                }
                self.found.push((argument.get_id().clone(), found));
            }
            None if argument.is_required_set() => {
                self.errors.push(SettingError { message: missing(argument, name), source: None });
            }
            None => {}
        }
    }

    /// Reports two settings that exclude each other. clap does not, for values of defaults.
    fn check_rivals(&mut self, argument: &Arg, rivals: &[&Arg]) {
        let source = |id: &Id| self.found.iter().find(|(found, _)| found == id).map(|it| &it.1);
        let Some(found) = source(argument.get_id()) else { return };
        let both = rivals.iter().find_map(|rival| source(rival.get_id()));
        let message = both.map(|other| {
            format!("{} and {} are both set: remove one of them", other.source, found.source)
        });
        self.errors.extend(message.map(|message| SettingError { message, source: None }));
    }

    /// Gives an argument its value, and keeps clap from reading the environment by itself.
    fn apply(&self, argument: Arg) -> Arg {
        if argument.get_env().is_none() {
            return argument;
        }
        let found = self.found.iter().find(|(id, _)| id == argument.get_id());
        let argument = argument.env(Resettable::Reset);
        match found {
            Some((_, found)) => {
                argument.required(false).hide_default_value(true).default_value(
                    // clap keeps defaults for as long as the program runs.
                    &*Box::leak(found.value.clone().into_boxed_os_str()),
                )
            }
            None => argument,
        }
    }
}

/// The names of the subcommands that a command line gives, from the outermost on.
fn subcommands(given: &ArgMatches) -> Vec<String> {
    let next = |it: &(&str, _)| -> Option<(&str, &ArgMatches)> {
        let (_, matches): (&str, &ArgMatches) = *it;
        matches.subcommand()
    };
    std::iter::successors(given.subcommand(), next).map(|(name, _)| name.to_owned()).collect()
}

/// The commands along `path`, the program first; `None` if the last one needs a subcommand.
fn chain<'a>(command: &'a Command, path: &[String]) -> Option<Vec<&'a Command>> {
    let mut chain = vec![command];
    for name in path {
        chain.push(chain.last()?.find_subcommand(name)?);
    }
    (!chain.last()?.has_subcommands()).then_some(chain)
}

/// Whether an argument is a global one of an outer command, which is looked up there.
fn is_inherited(argument: &Arg, command: &Command, chain: &[&Command]) -> bool {
    let outer = chain.iter().take_while(|outer| !std::ptr::eq(**outer, command));
    let has = |outer: &&Command| outer.get_arguments().any(|it| it.get_id() == argument.get_id());
    argument.is_global_set() && outer.into_iter().any(has)
}

fn is_on_command_line(matches: &ArgMatches, id: &Id) -> bool {
    matches.ids().any(|known| known == id)
        && matches.value_source(id.as_str()) == Some(ValueSource::CommandLine)
}

/// The arguments that can't be set together with this one.
fn rivals<'a>(command: &'a Command, argument: &Arg) -> Vec<&'a Arg> {
    let excludes = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|it| it.get_id() == other.get_id())
    };
    let is_rival = |other: &&Arg| excludes(argument, other) || excludes(other, argument);
    command.get_arguments().filter(|other| other.get_env().is_some()).filter(is_rival).collect()
}

/// A list with exactly one delimiter between its items, also where people write spaces.
fn as_list(argument: &Arg, value: OsString) -> OsString {
    let (Some(delimiter), Some(text)) = (argument.get_value_delimiter(), value.to_str()) else {
        return value;
    };
    let items: Vec<_> = text
        .split(|c: char| c == delimiter || c.is_whitespace())
        .filter(|item| !item.is_empty())
        .collect();
    items.join(&delimiter.to_string()).into()
}

/// Parses a value as its argument alone does.
fn check(argument: &Arg, value: &OsStr) -> Result<(), clap::Error> {
    let Some(flag) = argument.get_long() else { return Ok(()) };
    let alone = argument
        .clone()
        .env(Resettable::Reset)
        .conflicts_with(Resettable::Reset)
        .required(false)
        .global(false);
    let alone = match alone.get_action() {
        ArgAction::SetTrue => alone.action(ArgAction::Set).num_args(1),
        _ => alone,
    };
    let given = [OsStr::new("--"), OsStr::new(flag), OsStr::new("="), value];
    let command = Command::new("tickerd").no_binary_name(true).disable_help_flag(true).arg(alone);
    command.try_get_matches_from([given.into_iter().collect::<OsString>()]).map(drop)
}

/// What clap says about a value, without the value if it is secret or a URL with a password.
fn message(argument: &Arg, value: &OsStr, mut error: clap::Error) -> String {
    let has_password = |url: &str| url.split_once("://").is_some_and(|it| it.1.contains('@'));
    if argument.is_hide_env_values_set() || value.to_str().is_some_and(has_password) {
        error.insert(ContextKind::InvalidValue, ContextValue::String("...".to_owned()));
    }
    let text = error.render().to_string();
    let text = text.split("\n\nFor more information").next().unwrap_or_default();
    text.trim_start_matches("error: ").trim_end().to_owned()
}

fn missing(argument: &Arg, name: &str) -> String {
    let meaning = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let file = if PathBuf::from(".env").is_file() {
        "This directory has a file .env: read it with --env-file .env"
    } else {
        "A file of variables is read with --env-file FILE"
    };
    let flag = argument.get_long().unwrap_or_default();
    format!("{name} is not set, nor is --{flag}. Expected: {meaning}.\n{file}.")
}

/// Changes every argument of a command and its subcommands.
fn every_argument(command: Command, change: &mut impl FnMut(Arg) -> Arg) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    let command = command.mut_args(&mut *change);
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |subcommand| every_argument(subcommand, change))
    })
}

/// Changes the arguments of a command and of the subcommands along `path`.
fn along(command: Command, path: &[String], change: &mut impl FnMut(Arg) -> Arg) -> Command {
    let command = command.mut_args(&mut *change);
    match path.split_first() {
        Some((name, rest)) => command.mut_subcommand(name, |it| along(it, rest, change)),
        None => command,
    }
}
