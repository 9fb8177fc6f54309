//! Shows on stderr how far the start of the demo is.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Between two frames of the spinner.
const SPIN_MS: u64 = 100;

/// Prints a line per step. On a terminal, a spinner below it shows that the step goes on.
pub struct Steps {
    spinner: ProgressBar,
}

impl Steps {
    pub fn new() -> Self {
        let spinner = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{spinner} {elapsed}");
        spinner.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        spinner.enable_steady_tick(Duration::from_millis(SPIN_MS));
        Self { spinner }
    }

    /// Begins the next step.
    pub fn begin(&self, step: &str) {
        self.note(&format!("{step} ..."));
        self.spinner.reset_elapsed();
    }

    /// Prints a line about the current step.
    pub fn note(&self, line: &str) {
        if self.spinner.is_hidden() {
            eprintln!("{line}");
        }
        self.spinner.println(line);
    }

    /// Ends the last step.
    pub fn end(&self) {
        self.spinner.finish_and_clear();
    }
}
