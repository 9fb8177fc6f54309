//! How far a load is, on a terminal; elsewhere nothing is drawn.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Between two pictures of what doesn't move by itself.
const REDRAW_MS: u64 = 100;
/// Between two looks at how many rows there are.
const ROWS_BETWEEN: u64 = 4096;

#[derive(Clone)]
pub struct Progress {
    bar: ProgressBar,
    rows: Arc<AtomicU64>,
}

impl Progress {
    /// Without a length, as for stdin, what is left can't be told.
    pub fn start(length_bytes: Option<u64>) -> Self {
        let (bar, template) = match length_bytes {
            Some(length) => {
                (ProgressBar::new(length), "{bar:30} {bytes}/{total_bytes}, {msg}, {eta} left")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {bytes} read, {msg}, {elapsed} so far"),
        };
        bar.set_style(style(template));
        let progress = Self { bar, rows: Arc::default() };
        progress.say_rows(0);
        progress
    }

    /// Counts the bytes that are read.
    pub fn wrap(&self, raw: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        Box::new(self.bar.wrap_read(raw))
    }

    /// Counts a row.
    pub fn row(&self) {
        let rows = self.rows.fetch_add(1, Ordering::Relaxed) + 1;
        if rows.is_multiple_of(ROWS_BETWEEN) {
            self.say_rows(rows);
        }
    }

    fn say_rows(&self, rows: u64) {
        let rate = rows as f64 / self.bar.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!("{rows} rows, {rate:.0} a second"));
    }

    /// All is read. Postgres merges in one statement, which doesn't say how far it is.
    pub fn merging(&self) {
        self.bar.set_style(style("{spinner} {msg}, {elapsed} so far"));
        self.bar.set_message(format!("merging {} rows", self.rows.load(Ordering::Relaxed)));
        self.bar.enable_steady_tick(Duration::from_millis(REDRAW_MS));
    }
}

impl Drop for Progress {
    /// Whatever is said next is not to stand behind a bar.
    fn drop(&mut self) {
        if Arc::strong_count(&self.rows) == 1 {
            self.bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
