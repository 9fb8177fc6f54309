//! Shows on stderr how far the start of the demo is.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two frames of the spinner.
const SPIN_MS: u64 = 100;

/// Shows the current step: a spinner on a terminal, a line per step elsewhere.
pub struct Steps {
    spinner: ProgressBar,
    current: Cell<Option<(String, Instant)>>,
}

impl Steps {
    pub fn new() -> Self {
        let spinner = ProgressBar::new_spinner();
        spinner.set_style(ProgressStyle::default_spinner());
        spinner.enable_steady_tick(Duration::from_millis(SPIN_MS));
        Self { spinner, current: Cell::default() }
    }

    /// Ends the current step and begins the next one.
    pub fn begin(&self, step: &str) {
        self.finish_current();
        if self.spinner.is_hidden() {
            eprintln!("{step} ...");
        }
        self.spinner.set_message(format!("{step} ..."));
        self.current.set(Some((step.to_owned(), Instant::now())));
    }

    /// Prints a line beside the steps.
    pub fn note(&self, line: &str) {
        if self.spinner.is_hidden() {
            eprintln!("{line}");
        }
        self.spinner.println(line);
    }

    /// Ends the last step.
    pub fn end(&self) {
        self.finish_current();
        self.spinner.finish_and_clear();
    }

    /// Leaves the step and its duration on the terminal.
    fn finish_current(&self) {
        if let Some((step, started)) = self.current.take() {
            self.spinner.println(format!("{step}: {:.1} s", started.elapsed().as_secs_f32()));
        }
    }
}
