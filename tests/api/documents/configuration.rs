//! docs/configuration.md is generated from the command line's definition of each setting.

use clap::{Arg, ArgAction};

use super::{between, is_as_generated, read};

const PAGE: &str = "docs/configuration.md";
/// The heading of settings without a group.
const NO_GROUP: &str = "Other";
const LINE_CHARS_MAX: usize = 110;

/// The settings of `serve`, by group, in the order of their definition.
fn groups() -> Vec<(String, Vec<Arg>)> {
    let command = tickerd::cli::command();
    let serve = command.find_subcommand("serve").expect("tickerd serve");
    let mut groups: Vec<(String, Vec<Arg>)> = Vec::new();
    let settings = serve.get_arguments().chain(command.get_arguments());
    for setting in settings.filter(|argument| argument.get_env().is_some()) {
        let heading = setting.get_help_heading().unwrap_or(NO_GROUP);
        match groups.iter_mut().find(|(known, _)| known == heading) {
            Some((_, group)) => group.push(setting.clone()),
            None => groups.push((heading.to_owned(), vec![setting.clone()])),
        }
    }
    groups.sort_by_key(|(heading, _)| heading == NO_GROUP);
    groups
}

fn variable(setting: &Arg) -> &str {
    setting.get_env().unwrap().to_str().unwrap()
}

fn default_of(setting: &Arg) -> String {
    match setting.get_default_values() {
        [default] => format!("`{}`", default.to_str().unwrap()),
        _ if matches!(setting.get_action(), ArgAction::SetTrue) => "`false`".to_owned(),
        _ if setting.is_required_set() => "required".to_owned(),
        _ => "none".to_owned(),
    }
}

/// The first paragraph of the help, and the rest of it.
fn meaning(setting: &Arg) -> (String, Option<String>) {
    let short = setting.get_help().expect("each setting has a help text").to_string();
    let long = setting.get_long_help().map(ToString::to_string);
    let rest = long.and_then(|long| Some(long.strip_prefix(&short)?.trim().to_owned()));
    (short, rest.filter(|rest| !rest.is_empty()))
}

/// A list item, wrapped.
fn item(text: &str) -> String {
    let mut lines = vec!["-".to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().unwrap();
        if line.chars().count() + 1 + word.chars().count() > LINE_CHARS_MAX {
            lines.push(format!("  {word}"));
        } else {
            *line = format!("{line} {word}");
        }
    }
    lines.join("\n") + "\n"
}

/// One section of the page: a table, and a list of details.
fn section(heading: &str, settings: &[Arg]) -> String {
    let mut table = String::from("| setting | default | meaning |\n|---|---|---|\n");
    let mut details = String::new();
    for setting in settings {
        let (name, default, (short, rest)) =
            (variable(setting), default_of(setting), meaning(setting));
        assert!(!short.contains('|'), "{name}: a cell has no |");
        table += &format!("| `{name}` | {default} | {short} |\n");
        if let Some(rest) = rest {
            details += &item(&format!("`{name}`: {rest}"));
        }
    }
    let details = if details.is_empty() { details } else { format!("\n{details}") };
    format!("\n## {heading}\n\n{table}{details}")
}

#[test]
fn the_page_of_settings_is_what_the_code_writes() {
    let page = read(PAGE);
    let (before, _, after) = between(&page, "<!-- generated", "<!-- end of the generated");
    let sections: String =
        groups().iter().map(|(heading, settings)| section(heading, settings)).collect();
    is_as_generated(PAGE, &format!("{before}{sections}\n{after}"));
}

#[test]
fn each_setting_has_the_name_of_its_flag() {
    for (_, settings) in groups() {
        for setting in settings {
            let flag = setting.get_long().expect("each setting is a flag");
            assert_eq!(flag.replace('-', "_").to_uppercase(), variable(&setting));
        }
    }
}
