//! The short help, `-h`: one line an option. `--help` has all of their texts.

use std::ffi::OsString;

use clap::{Arg, Command};

/// Columns of a line.
const COLUMNS: usize = 100;

/// The short help that `arguments`, those of the process, ask for; `None` if they don't.
pub fn requested(command: Command, arguments: impl Iterator<Item = OsString>) -> Option<String> {
    let arguments: Vec<_> = arguments.filter_map(|it| it.into_string().ok()).collect();
    if !arguments.iter().any(|argument| argument == "-h") {
        return None;
    }
    let mut command = command;
    command.build();
    let mut asked = &command;
    for argument in arguments.iter().skip(1) {
        asked = asked.find_subcommand(argument).unwrap_or(asked);
    }
    Some(text(&mut asked.clone()))
}

fn text(command: &mut Command) -> String {
    let mut lines = vec![first_line(command.get_about()), String::new()];
    lines.push(command.render_usage().to_string());
    let visible = command.get_subcommands().filter(|it| !it.is_hide_set());
    let commands: Vec<_> =
        visible.map(|it| (it.get_name().to_owned(), first_line(it.get_about()))).collect();
    section(&mut lines, "Commands", commands);
    let positionals = command.get_positionals();
    let positionals: Vec<_> =
        positionals.map(|it| (format!("<{}>", it.get_id()), meaning(it))).collect();
    section(&mut lines, "Arguments", positionals);
    let options: Vec<_> = command.get_opts().filter(|it| !it.is_hide_set()).collect();
    let flags = command.get_arguments().filter(|it| {
        it.get_long().is_some() && !it.get_action().takes_values() && !it.is_hide_set()
    });
    let all: Vec<_> = options.into_iter().chain(flags).collect();
    let mut headings: Vec<Option<&str>> = vec![None];
    for argument in &all {
        if !headings.contains(&argument.get_help_heading()) {
            headings.push(argument.get_help_heading());
        }
    }
    for heading in headings {
        let group = all.iter().filter(|it| it.get_help_heading() == heading);
        let group = group.map(|it| (name(it), meaning(it))).collect();
        section(&mut lines, heading.unwrap_or("Options"), group);
    }
    if all.iter().any(|argument| argument.get_env().is_some()) {
        lines.push(String::new());
        lines.push(
            "Options under a heading are variables too: --keep-alive-s is KEEP_ALIVE_S, or \
             TICKERD_KEEP_ALIVE_S."
                .to_owned(),
        );
    }
    lines.push(String::new());
    lines.push("--help says more about each option.".to_owned());
    lines.join("\n")
}

/// Adds a heading and its entries: a name and its meaning, in two columns.
fn section(lines: &mut Vec<String>, heading: &str, entries: Vec<(String, String)>) {
    let Some(width) = entries.iter().map(|(name, _)| name.chars().count()).max() else { return };
    lines.extend([String::new(), format!("{heading}:")]);
    lines.extend(entries.iter().map(|(name, meaning)| cut(&format!("  {name:width$}  {meaning}"))));
}

/// A line that is at most as wide as a terminal.
fn cut(line: &str) -> String {
    if line.chars().count() <= COLUMNS {
        return line.trim_end().to_owned();
    }
    let cut: String = line.chars().take(COLUMNS - 1).collect();
    format!("{}…", cut.rsplit_once(' ').map_or(cut.as_str(), |(whole, _)| whole))
}

fn name(argument: &Arg) -> String {
    let long = format!("--{}", argument.get_long().unwrap_or_default());
    match argument.get_short() {
        Some(short) => format!("-{short}, {long}"),
        None => long,
    }
}

/// The first paragraph of the help, and the default.
fn meaning(argument: &Arg) -> String {
    let help = first_line(argument.get_help());
    match argument.get_default_values() {
        [default]
            if argument.get_action().takes_values() && !argument.is_hide_default_value_set() =>
        {
            format!("[{}] {help}", default.to_string_lossy())
        }
        _ => help,
    }
}

fn first_line(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
