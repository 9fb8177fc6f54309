//! Clocks that are wrong, for real servers.

use std::process::Command;

use chrono::{DateTime, Utc};

use super::{App, Database, scratch};

/// The clock of a process. libfaketime reads how far it is off from a file, each time that the
/// process looks at it.
pub struct Clock {
    scratch: tempfile::TempDir,
}

impl Clock {
    /// One that is off by so many seconds.
    pub fn off_by(seconds: i64) -> Self {
        let clock = Self { scratch: scratch() };
        clock.set_off_by(seconds);
        clock
    }

    /// Steps: from now on it is off by so many seconds.
    pub fn set_off_by(&self, seconds: i64) {
        let (new, file) = (self.scratch.path().join("new"), self.scratch.path().join("off"));
        std::fs::write(&new, format!("{seconds:+}\n")).expect("a file of the test's own");
        // Readers see the one or the other.
        std::fs::rename(new, file).expect("a directory of the test's own");
    }

    /// Steps, to a time.
    pub fn set(&self, to: DateTime<Utc>) {
        self.set_off_by((to - Utc::now()).num_seconds());
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let file = self.scratch.path().join("off");
        vec![
            ("LD_PRELOAD", library()),
            ("FAKETIME_TIMESTAMP_FILE", file.to_str().expect("a path of ASCII").to_owned()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// An instance by this clock.
    pub async fn app(&self, database: &Database, variables: &[(&str, &str)]) -> App {
        let own = self.variables();
        let all = own
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(variables.iter().copied());
        App::with(database, &all.collect::<Vec<_>>()).await
    }
}

/// Where libfaketime is, as its own program says.
fn library() -> String {
    let asked = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let printed = asked.expect("faketime runs: deploy/install-tools faults").stdout;
    String::from_utf8(printed).expect("a path").trim().to_owned()
}
