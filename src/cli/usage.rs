//! `tickerd usage`: the usage of keys, by day, key, owner or route.

use chrono::{Days, NaiveDate, Utc};
use clap::{Args, ValueEnum};

use super::console::{CliError, print_line};
use super::keys::key_id;
use crate::caller::KeyId;
use crate::config::DatabaseConfig;
use crate::http::api::usage::UsageTotal;
use crate::market::parse_date;
use crate::store::{Store, UsageBy, UsageFilter, UsageRecord};

/// The default length of the range in days, including the last day.
const DAYS_DEFAULT: u64 = 30;

#[derive(Debug, Args)]
pub struct UsageArgs {
    /// Only this key, by its id
    #[arg(long, value_parser = key_id)]
    key: Option<KeyId>,
    /// Only keys of this owner
    #[arg(long)]
    owner: Option<String>,
    /// Only this day (UTC)
    #[arg(long, value_parser = date, conflicts_with_all = ["start", "end"])]
    day: Option<NaiveDate>,
    /// The first day (UTC); 29 days before the last day by default
    #[arg(long, value_parser = date)]
    start: Option<NaiveDate>,
    /// The last day (UTC), inclusive; today by default
    #[arg(long, value_parser = date)]
    end: Option<NaiveDate>,
    /// Group the totals by these, as in day,key
    #[arg(long, value_delimiter = ',', default_values = ["day", "key"])]
    by: Vec<GroupBy>,
    /// The output format
    #[arg(long, default_value = "table")]
    format: OutputFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GroupBy {
    Day,
    Key,
    Owner,
    Route,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    Table,
    Csv,
    Json,
}

pub async fn run(args: UsageArgs) -> Result<(), CliError> {
    let has = |group| args.by.contains(&group);
    let by = UsageBy {
        day: has(GroupBy::Day),
        key: has(GroupBy::Key),
        owner: has(GroupBy::Owner),
        route: has(GroupBy::Route),
    };
    let (start, end) = days(&args, Utc::now().date_naive())?;
    let filter = UsageFilter { start, end, key: args.key, owner: args.owner };
    let totals = Store::new(&args.database)?.usage(&filter, by).await?;
    let format = if args.json { OutputFormat::Json } else { args.format };
    let text = match format {
        OutputFormat::Json => {
            let totals: Vec<_> = totals.into_iter().map(UsageTotal::from).collect();
            serde_json::to_string(&totals)?
        }
        OutputFormat::Csv => csv(&rows(by, &totals))?,
        OutputFormat::Table if totals.is_empty() => {
            eprintln!("There is no usage from {start} to {end}.");
            return Ok(());
        }
        OutputFormat::Table => table(&rows(by, &totals)),
    };
    print_line(&text)
}

fn days(args: &UsageArgs, today: NaiveDate) -> Result<(NaiveDate, NaiveDate), CliError> {
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

/// A header row and one row per total. It has only the columns that totals are grouped by.
fn rows(by: UsageBy, totals: &[UsageRecord]) -> Vec<Vec<String>> {
    let groups = [(by.day, "day"), (by.key, "key"), (by.owner, "owner"), (by.route, "route")];
    let groups = groups.iter().filter(|(is_grouped, _)| *is_grouped).map(|(_, name)| *name);
    let header = groups.chain(["requests", "refusals", "cacheHits", "bytes", "lastUsedAt"]);
    let row = |total: &UsageRecord| {
        let day = total.day.map(|day| day.to_string());
        let groups = [day, total.key.clone(), total.owner.clone(), total.route.clone()];
        let counts = [total.requests, total.refusals, total.cache_hits, total.bytes]
            .map(|count| count.to_string());
        let last_used_at = total.last_used_at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        groups.into_iter().flatten().chain(counts).chain([last_used_at]).collect()
    };
    std::iter::once(header.map(str::to_owned).collect()).chain(totals.iter().map(row)).collect()
}

fn csv(rows: &[Vec<String>]) -> Result<String, CliError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.write_record(row))?;
    Ok(String::from_utf8(writer.into_inner()?)?.trim_end().to_owned())
}

/// Aligns the columns: numbers to the right, texts to the left.
fn table(rows: &[Vec<String>]) -> String {
    let widths: Vec<_> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let is_number = |cell: &str| cell.bytes().all(|b| b.is_ascii_digit());
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            let align_right = rows[1..].iter().all(|row| is_number(&row[column]));
            if align_right { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn date(text: &str) -> Result<NaiveDate, &'static str> {
    parse_date(text).ok_or("expected a day, as YYYY-MM-DD")
}
