//! Servers whose clocks are wrong.

use std::process::Command;

use chrono::{DateTime, Utc};

use super::{App, Database, scratch};

/// The clock of a process. libfaketime reads the offset from a file each time that the process
/// reads the time.
pub struct Clock {
    scratch: tempfile::TempDir,
}

impl Clock {
    /// A clock with this offset, in seconds.
    pub fn with_offset_s(seconds: i64) -> Self {
        let clock = Self { scratch: scratch() };
        clock.set_offset_s(seconds);
        clock
    }

    /// Steps the clock to this offset, in seconds.
    pub fn set_offset_s(&self, seconds: i64) {
        let (new, file) = (self.scratch.path().join("new"), self.scratch.path().join("off"));
        std::fs::write(&new, format!("{seconds:+}\n")).expect("a temporary file");
        // Readers see the old or the new content.
        std::fs::rename(new, file).expect("a temporary directory");
    }

    /// Steps the clock to a time.
    pub fn set(&self, to: DateTime<Utc>) {
        self.set_offset_s((to - Utc::now()).num_seconds());
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

    /// A server with this clock.
    pub async fn app(&self, database: &Database, variables: &[(&str, &str)]) -> App {
        let own = self.variables();
        let all = own
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(variables.iter().copied());
        App::with(database, &all.collect::<Vec<_>>()).await
    }
}

/// The path of libfaketime, as its own program prints it.
fn library() -> String {
    let output = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let printed = output.expect("faketime runs: deploy/install-tools faults").stdout;
    String::from_utf8(printed).expect("a path").trim().to_owned()
}
