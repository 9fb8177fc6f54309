//! Where the values of settings come from: the variables of the process, and a file of variables.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// A variable with this prefix comes before the one without it.
const PREFIX: &str = "TICKERD_";

/// The environment variables that were renamed: (old name, new name). The old flags are hidden
/// aliases of the new ones.
const RENAMED: [(&str, &str); 4] = [
    ("KEY_STATUS_BELIEVED_MS", "KEY_STATUS_STALE_MAX_MS"),
    ("CHANGES_POLL_ALONE_MS", "CHANGES_POLL_WITHOUT_REDIS_MS"),
    ("KEYLESS_REQUESTS_PER_HOUR_MAX", "ANONYMOUS_REQUESTS_PER_HOUR_MAX"),
    ("KEYLESS_ADDRESSES_MAX", "ANONYMOUS_ADDRESSES_MAX"),
];

/// The variables of a process, and those of a file.
pub struct Values {
    process: HashMap<String, OsString>,
    file: HashMap<String, OsString>,
    path: PathBuf,
}

/// The variable that a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Process(String),
    File(String, PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(name) => write!(f, "the environment variable {name}"),
            Self::File(name, path) => write!(f, "{name} in {}", path.display()),
        }
    }
}

/// The value of a setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub value: OsString,
    pub source: Source,
}

impl Values {
    /// The variables of this process.
    pub fn of_process() -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self::new(std::env::vars_os().filter_map(named))
    }

    pub fn new(process: impl IntoIterator<Item = (String, OsString)>) -> Self {
        Self { process: process.into_iter().collect(), file: HashMap::new(), path: PathBuf::new() }
    }

    /// Removes settings, under each of their names.
    pub fn without(mut self, settings: &[&str]) -> Self {
        self.process.retain(|name, _| {
            let name = name.strip_prefix(PREFIX).unwrap_or(name);
            !settings.contains(&name)
        });
        self
    }

    /// Adds the variables of a file. As in a shell, the last line of a name is the one that counts.
    ///
    /// # Errors
    /// If the file can't be read, or a line is no variable; as a sentence without values.
    pub fn read_file(&mut self, path: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("the file {} can't be read: {error}", path.display()))?;
        let text = text.trim_start_matches('\u{feff}');
        for entry in dotenvy::from_read_iter(text.as_bytes()) {
            let (name, value) = entry.map_err(|error| wrong_line(path, text, &error))?;
            self.file.insert(name, value.into());
        }
        path.clone_into(&mut self.path);
        Ok(())
    }

    /// The value of the setting `name`, if a variable has one, and what to warn about.
    ///
    /// `TICKERD_NAME` comes before `NAME`, which comes before its old name; all of the process come
    /// before all of the file. A variable that is empty counts as not set.
    pub fn find(&self, name: &str) -> (Option<Found>, Vec<String>) {
        let prefixed = format!("{PREFIX}{name}");
        let old = RENAMED.iter().find(|(_, new)| *new == name).map(|(old, _)| *old);
        let names = [Some(prefixed.as_str()), Some(name), old];
        let (mut found, mut warnings) = (None::<Found>, Vec::new());
        for (is_file, variables) in [(false, &self.process), (true, &self.file)] {
            for variable in names.into_iter().flatten() {
                let Some(value) = variables.get(variable).and_then(clean) else { continue };
                if let Some(reason) = foreign(variable, &value) {
                    warnings.push(reason);
                    continue;
                }
                if Some(variable) == old {
                    warnings.push(if found.is_some() {
                        format!("{variable} is ignored because {name} is set: remove {variable}")
                    } else {
                        format!("{variable} has a new name: set {name} instead")
                    });
                }
                let source = if is_file {
                    Source::File(variable.to_owned(), self.path.clone())
                } else {
                    Source::Process(variable.to_owned())
                };
                found.get_or_insert(Found { value, source });
            }
        }
        (found, warnings)
    }
}

/// A value without the spaces and quotes around it, which docker and others pass on; `None` if
/// nothing is left.
fn clean(value: &OsString) -> Option<OsString> {
    // A value that is no text is left to the parser of its setting.
    let Some(text) = value.to_str() else { return Some(value.clone()) };
    let text = text.trim();
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .map_or(text, str::trim);
    (!unquoted.is_empty()).then(|| unquoted.into())
}

/// Why a variable is not meant for this program, as a sentence; `None` if it is.
fn foreign(variable: &str, value: &OsString) -> Option<String> {
    let value = value.to_str()?;
    if variable == "HOST" && is_name(value) {
        return Some(format!(
            "the environment variable HOST is {value:?}, which is a name and no address: it is \
             ignored; set TICKERD_HOST to an IP address to choose where to listen"
        ));
    }
    let is_link = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    (variable.ends_with("PORT") && is_link).then(|| {
        format!(
            "{variable} is {value:?}, as Kubernetes sets it for a service of that name: it is \
             ignored; set enableServiceLinks: false for the pod, or choose the port with a flag"
        )
    })
}

/// Whether a text is the name of a machine or a platform: conda sets HOST to
/// `x86_64-conda-linux-gnu` or `arm64-apple-darwin20.0.0`. A text that could be a mistyped address
/// is none, so that a mistake in an address is still reported.
fn is_name(text: &str) -> bool {
    let is_address = text.contains('.') && !text.starts_with(|c: char| c.is_ascii_alphabetic());
    text != "localhost"
        && !is_address
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// What is wrong with a file, without the line itself: it may hold a password.
fn wrong_line(path: &Path, text: &str, error: &dotenvy::Error) -> String {
    let dotenvy::Error::LineParse(wrong, _) = error else {
        return format!("the file {} can't be read: {error}", path.display());
    };
    let line = text.lines().position(|line| line.trim() == wrong.trim());
    let place = line.map_or_else(String::new, |line| format!(", line {}", line + 1));
    format!(
        "{}{place}: expected NAME=value, with a value in single quotes if it has spaces, # or $",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(process: &[(&str, &str)], file: &[(&str, &str)]) -> Values {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, OsString)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect()
        };
        let mut values = Values::new(owned(process));
        values.file = owned(file).into_iter().collect();
        values
    }

    fn found(process: &[(&str, &str)], file: &[(&str, &str)], name: &str) -> Option<String> {
        values(process, file).find(name).0.map(|it| it.value.into_string().unwrap())
    }

    #[test]
    fn a_prefixed_variable_comes_first_then_the_plain_one_then_the_file() {
        let (prefixed, plain) = (("TICKERD_PORT", "1"), ("PORT", "2"));
        let file = [("PORT", "3"), ("TICKERD_PORT", "4")];
        assert_eq!(found(&[plain, prefixed], &file, "PORT").unwrap(), "1");
        assert_eq!(found(&[plain], &file, "PORT").unwrap(), "2");
        assert_eq!(found(&[], &file, "PORT").unwrap(), "4");
        assert_eq!(found(&[], &file[..1], "PORT").unwrap(), "3");
        assert_eq!(found(&[], &[], "PORT"), None);
    }

    #[test]
    fn empty_values_count_as_not_set_and_spaces_and_quotes_around_one_are_removed() {
        for empty in ["", " ", "\r\n", "\"\"", "''", "' '"] {
            assert_eq!(found(&[("TICKERD_PORT", empty), ("PORT", "2")], &[], "PORT").unwrap(), "2");
        }
        for value in [" 5 ", "\"5\"", "'5'", "5\r\n", "\" 5\""] {
            assert_eq!(found(&[("PORT", value)], &[], "PORT").unwrap(), "5");
        }
        assert_eq!(found(&[("LOG", "a\"b\"")], &[], "LOG").unwrap(), "a\"b\"");
    }

    #[test]
    fn the_port_of_a_service_in_kubernetes_is_no_port_of_ours() {
        for name in ["PORT", "TICKERD_PORT"] {
            let (found, warnings) = values(&[(name, "tcp://10.0.0.1:3000")], &[]).find("PORT");
            assert_eq!(found, None);
            assert!(warnings.len() == 1 && warnings[0].contains(name), "{warnings:?}");
        }
        let set = [("TICKERD_PORT", "tcp://10.0.0.1:3000"), ("PORT", "8080")];
        assert_eq!(found(&set, &[], "PORT").unwrap(), "8080");
    }

    #[test]
    fn names_are_told_from_addresses_and_mistyped_addresses() {
        for name in [
            "x86_64-conda-linux-gnu",
            "aarch64-conda-linux-gnu",
            "x86_64-apple-darwin13.4.0",
            "arm64-apple-darwin20.0.0",
            "laptop",
            "laptop.local",
            "my_machine",
        ] {
            assert!(is_name(name), "{name}");
        }
        for address in
            ["", "localhost", "0.0.0.0", "0.0.0", "127.0.0.l", "::1", "127.0.0.1:80", "0", "[::1]"]
        {
            assert!(!is_name(address), "{address}");
        }
    }

    #[test]
    fn a_name_that_is_meant_for_this_program_is_not_ignored() {
        assert_eq!(found(&[("TICKERD_HOST", "laptop")], &[], "HOST").unwrap(), "laptop");
    }

    #[test]
    fn a_file_is_read_as_shells_do_and_a_wrong_line_is_named_but_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("env");
        let text = "\u{feff}# a comment\r\nexport PORT=1\r\nPORT=\"2\" # another\nURL='a$b#c'\n";
        std::fs::write(&path, text).unwrap();
        let mut values = values(&[], &[]);
        values.read_file(&path).unwrap();
        let value = |name| values.find(name).0.unwrap().value.into_string().unwrap();
        assert_eq!((value("PORT").as_str(), value("URL").as_str()), ("2", "a$b#c"));
        let source = values.find("PORT").0.unwrap().source.to_string();
        assert_eq!(source, format!("PORT in {}", path.display()));
        std::fs::write(&path, "PORT=1\nPASSWORD: sesame\n").unwrap();
        let error = values.read_file(&path).unwrap_err();
        assert!(error.contains("line 2") && !error.contains("sesame"), "{error}");
    }
}
