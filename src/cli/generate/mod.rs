//! `tickerd generate`: writes synthetic history in the format that `tickerd ingest` reads.

mod files;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::NaiveDate;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use self::files::{FILES, Staging, Tables};
use crate::feed::generate::{Plan, PlanError};
use crate::market;

/// Write synthetic daily history: stocks.csv, prices.csv.gz, corporate_actions.csv
#[derive(Debug, Clone, clap::Args)]
pub struct GenerateArgs {
    /// The number of stocks
    #[arg(long, value_name = "N")]
    pub stocks: u32,
    /// First day, as YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    pub from: NaiveDate,
    /// Last day, as YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    pub to: NaiveDate,
    /// The same seed writes the same files
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Directory to write into, created if missing
    #[arg(long, value_name = "DIR", default_value = "generated")]
    pub out: PathBuf,
    /// Replace existing files
    #[arg(long)]
    pub yes: bool,
    /// Print what was written as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// The reason why no files were generated. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("{} is already there: pass --yes to replace it or choose another --out", .0.display())]
    Exists(PathBuf),
    #[error("can't write in {}: {source}; make room or choose another --out", dir.display())]
    Write { dir: PathBuf, source: io::Error },
    #[error("the files were written but stdout can't be: {0}; leave out --json")]
    Stdout(io::Error),
}

/// The number of rows in each file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct RowCounts {
    stocks: u64,
    prices: u64,
    actions: u64,
}

/// Generates the files and reports their size in rows.
///
/// # Errors
/// [`GenerateError`] if the plan is invalid, a file exists and `--yes` is missing, or the directory
/// can't be written. Then this run leaves no file under its final name.
pub fn run(args: &GenerateArgs) -> Result<(), GenerateError> {
    let start = Instant::now();
    let plan = Plan { stocks: args.stocks, from: args.from, to: args.to, seed: args.seed };
    let counts = write_files(plan, &args.out, args.yes)?;
    let seconds = start.elapsed().as_secs_f64();
    let RowCounts { stocks, prices, actions } = counts;
    eprintln!(
        "Wrote {stocks} stocks, {prices} daily rows and {actions} corporate actions to {} \
         in {seconds:.1} s",
        args.out.display()
    );
    if args.json {
        let report = json!({
            "out": args.out.display().to_string(),
            "files": FILES,
            "stocks": stocks,
            "prices": prices,
            "corporate_actions": actions,
            "from": args.from,
            "to": args.to,
            "seed": args.seed,
            "seconds": seconds,
        });
        writeln!(io::stdout(), "{report}").map_err(GenerateError::Stdout)?;
    }
    Ok(())
}

fn write_files(plan: Plan, dir: &Path, replace: bool) -> Result<RowCounts, GenerateError> {
    let histories = plan.histories()?;
    if !replace
        && let Some(path) = FILES.map(|name| dir.join(name)).into_iter().find(|path| path.exists())
    {
        return Err(GenerateError::Exists(path));
    }
    let write = || {
        let staging = Staging::create(dir)?;
        let mut tables = Tables::create(&staging)?;
        let mut counts = RowCounts::default();
        for history in progress(plan.stocks).wrap_iter(histories) {
            tables.write(&history)?;
            counts.stocks += 1;
            counts.prices += history.bars.len() as u64;
            counts.actions += history.actions.len() as u64;
        }
        tables.finish()?;
        staging.publish()?;
        Ok(counts)
    };
    write().map_err(|source| GenerateError::Write { dir: dir.to_owned(), source })
}

/// A progress bar on stderr. indicatif draws nothing if stderr is not a terminal.
fn progress(stocks: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} stocks, {eta} left");
    ProgressBar::new(u64::from(stocks))
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn parse_date(text: &str) -> Result<NaiveDate, &'static str> {
    market::parse_date(text).ok_or("write a day that exists as YYYY-MM-DD, such as 2024-05-31")
}

#[cfg(test)]
mod tests;
