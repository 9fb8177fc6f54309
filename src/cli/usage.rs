//! `tickerd usage`: who used how much.

use chrono::{Days, NaiveDate, Utc};
use clap::{Args, ValueEnum};

use super::keys::key_id;
use super::{Failure, print_line};
use crate::caller::KeyId;
use crate::config::DatabaseConfig;
use crate::market::parse_date;
use crate::store::{Store, UsageBy, UsageFilter, UsageTotal};

/// Days that are shown where none are asked for, the current one included.
const DAYS_DEFAULT: u64 = 30;

#[derive(Debug, Args)]
pub struct UsageArgs {
    /// Only this key's, by its id
    #[arg(long, value_parser = key_id)]
    key: Option<KeyId>,
    /// Only this owner's
    #[arg(long)]
    owner: Option<String>,
    /// Only this day's (UTC)
    #[arg(long, value_parser = date, conflicts_with_all = ["start", "end"])]
    day: Option<NaiveDate>,
    /// The first day (UTC); 30 days up to the last one where it is left out
    #[arg(long, value_parser = date)]
    start: Option<NaiveDate>,
    /// The last day (UTC), included; today where it is left out
    #[arg(long, value_parser = date)]
    end: Option<NaiveDate>,
    /// What totals are taken by, as in day,key
    #[arg(long, value_delimiter = ',', default_values = ["day", "key"])]
    by: Vec<By>,
    /// How it is printed on stdout
    #[arg(long, default_value = "table")]
    format: Format,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Day,
    Key,
    Owner,
    Route,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

pub async fn run(args: UsageArgs) -> Result<(), Failure> {
    let by = |what| args.by.contains(&what);
    let by =
        UsageBy { day: by(By::Day), key: by(By::Key), owner: by(By::Owner), route: by(By::Route) };
    let (start, end) = days(&args, Utc::now().date_naive())?;
    let filter = UsageFilter { start, end, key: args.key, owner: args.owner };
    let totals = Store::new(&args.database)?.usage(&filter, by).await?;
    let format = if args.json { Format::Json } else { args.format };
    let text = match format {
        Format::Json => serde_json::to_string(&totals)?,
        Format::Csv => csv(&rows(by, &totals))?,
        Format::Table if totals.is_empty() => {
            eprintln!("Nothing was used from {start} to {end}.");
            return Ok(());
        }
        Format::Table => table(&rows(by, &totals)),
    };
    print_line(&text)
}

fn days(args: &UsageArgs, today: NaiveDate) -> Result<(NaiveDate, NaiveDate), Failure> {
    if let Some(day) = args.day {
        return Ok((day, day));
    }
    let end = args.end.unwrap_or(today);
    let start =
        args.start.or_else(|| end.checked_sub_days(Days::new(DAYS_DEFAULT - 1))).unwrap_or(end);
    if start > end {
        return Err(format!("--start ({start}) is after --end ({end})").into());
    }
    Ok((start, end))
}

/// The head and a row for each total, without what totals were not taken by.
fn rows(by: UsageBy, totals: &[UsageTotal]) -> Vec<Vec<String>> {
    let names = [(by.day, "day"), (by.key, "key"), (by.owner, "owner"), (by.route, "route")];
    let counts = ["requests", "refusals", "cacheHits", "bytes", "lastUsedAt"];
    let head = names.iter().filter(|(wanted, _)| *wanted).map(|(_, name)| *name).chain(counts);
    let row = |total: &UsageTotal| {
        let day = total.day.map(|day| day.to_string());
        let of = [day, total.key.clone(), total.owner.clone(), total.route.clone()];
        let counts = [total.requests, total.refusals, total.cache_hits, total.bytes]
            .map(|count| count.to_string());
        let last_used_at = total.last_used_at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        of.into_iter().flatten().chain(counts).chain([last_used_at]).collect()
    };
    std::iter::once(head.map(str::to_owned).collect()).chain(totals.iter().map(row)).collect()
}

fn csv(rows: &[Vec<String>]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.write_record(row))?;
    Ok(String::from_utf8(writer.into_inner()?)?.trim_end().to_owned())
}

/// Columns side by side, numbers to the right.
fn table(rows: &[Vec<String>]) -> String {
    let widths: Vec<_> = (0..rows[0].len())
        .map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0))
        .collect();
    let is_number = |cell: &str| cell.bytes().all(|b| b.is_ascii_digit());
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
            let right = rows[1..].iter().all(|row| is_number(&row[at]));
            if right { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn date(text: &str) -> Result<NaiveDate, &'static str> {
    parse_date(text).ok_or("expected a day, as YYYY-MM-DD")
}
