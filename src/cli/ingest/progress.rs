//! The progress bar of a load. It is drawn only on a terminal.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The time between two frames of a spinner.
const FRAME_MS: u64 = 100;
/// The number of rows between two updates of the text.
const UPDATE_ROWS: u64 = 4096;

#[derive(Clone)]
pub struct LoadProgress {
    bar: ProgressBar,
    rows: Arc<AtomicU64>,
}

impl LoadProgress {
    /// Without a length, as for stdin, it can't show the remaining time.
    pub fn start(length_bytes: Option<u64>) -> Self {
        let (bar, template) = match length_bytes {
            Some(length) => {
                (ProgressBar::new(length), "{bar:30} {bytes}/{total_bytes}, {msg}, {eta} left")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {bytes} read, {msg}, {elapsed} so far"),
        };
        bar.set_style(style(template));
        let progress = Self { bar, rows: Arc::default() };
        progress.show_rows(0);
        progress
    }

    /// Counts the bytes that `raw` reads.
    pub fn wrap(&self, raw: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        Box::new(self.bar.wrap_read(raw))
    }

    /// Counts a row.
    pub fn row(&self) {
        let rows = self.rows.fetch_add(1, Ordering::Relaxed) + 1;
        if rows.is_multiple_of(UPDATE_ROWS) {
            self.show_rows(rows);
        }
    }

    fn show_rows(&self, rows: u64) {
        let rate = rows as f64 / self.bar.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!("{rows} rows, {rate:.0} a second"));
    }

    /// Shows that the file is read and Postgres merges the rows. That is one statement without
    /// progress.
    pub fn merging(&self) {
        self.bar.set_style(style("{spinner} {msg}, {elapsed} so far"));
        self.bar.set_message(format!("merging {} rows", self.rows.load(Ordering::Relaxed)));
        self.bar.enable_steady_tick(Duration::from_millis(FRAME_MS));
    }
}

impl Drop for LoadProgress {
    /// Removes the bar, so that the next message starts on an empty line.
    fn drop(&mut self) {
        if Arc::strong_count(&self.rows) == 1 {
            self.bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
