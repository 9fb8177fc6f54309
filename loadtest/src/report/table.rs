//! The report as Markdown, with aligned columns that are also readable on a terminal.

use super::{CaseResult, LoadSpeeds, Machine, Report, number};
use crate::probe::PROCESSES;

const MISSING: &str = "-";

pub fn text(report: &Report) -> String {
    let mut parts = vec!["# Load test\n".to_owned()];
    parts.extend((!report.rows.is_empty()).then(|| table(&report.rows)));
    if report.rows.iter().any(|row| row.usage.is_none()) {
        parts.push("The usage of processes is missing: it needs Linux's /proc.\n".to_owned());
    }
    let notes = report.rows.iter().filter(|row| !row.notes.is_empty());
    let notes: Vec<_> =
        notes.map(|row| format!("- {}: {}\n", row.case, row.notes.join("; "))).collect();
    parts.extend((!notes.is_empty()).then(|| notes.concat()));
    parts.extend(report.cold.as_ref().map(|cold| {
        let list =
            |all: &[f64]| all.iter().map(|ms| format!("{ms:.0}")).collect::<Vec<_>>().join(", ");
        format!(
            "Cold start, from the start of the process, median of {}: first 200 of `/health` after \
             {:.0} ms ({}), of prices with a key after {:.0} ms ({}).\n",
            cold.health_ms_each.len(),
            cold.health_ms,
            list(&cold.health_ms_each),
            cold.prices_ms,
            list(&cold.prices_ms_each)
        )
    }));
    parts.extend(report.loads.as_ref().map(loads));
    parts.push(conditions(report));
    parts.join("\n")
}

fn loads(speeds: &LoadSpeeds) -> String {
    let LoadSpeeds { rows, rounds, fresh_to_copy, same_to_fresh, corrected_to_fresh, .. } = speeds;
    let [copy, fresh, same, corrected] = [
        speeds.copy_rows_per_s,
        speeds.fresh_rows_per_s,
        speeds.same_rows_per_s,
        speeds.corrected_rows_per_s,
    ]
    .map(number);
    let rows = number(*rows as f64);
    format!(
        "Loads of {rows} bars, rows/s of elapsed time, medians of {rounds} rounds:\n\n\
         | load | rows/s | ratio | to |\n\
         |---|--:|--:|---|\n\
         | COPY into a plain table | {copy} | | |\n\
         | ingest prices, fresh stocks | {fresh} | {fresh_to_copy:.2} | COPY |\n\
         | the same file again | {same} | {same_to_fresh:.2} | fresh |\n\
         | every bar corrected | {corrected} | {corrected_to_fresh:.2} | fresh |\n"
    )
}

fn conditions(report: &Report) -> String {
    let Machine { cores, cpu, memory_mb, kernel, tickerd, commit, postgres, redis, oha } =
        &report.machine;
    let commit = commit.as_ref().map(|commit| format!(" ({commit})")).unwrap_or_default();
    let settings = &report.settings;
    format!(
        "tickerd {tickerd}{commit} with default settings, Postgres {postgres}, Redis {redis} and \
         the load (oha {oha}) on the same machine: {cores} cores, {cpu}, {memory_mb} MB, {kernel}. \
         {} connections, {} rounds of {} s, {} s at the real rate.\n",
        settings.connections, settings.rounds, settings.seconds, settings.paced_seconds
    )
}

fn table(rows: &[CaseResult]) -> String {
    let mut header = vec!["case".to_owned()];
    header.extend(["requests/s", "p50 ms", "p99 ms", "p99.9 ms", "statuses"].map(str::to_owned));
    header.extend(PROCESSES.map(|name| format!("{name} cores, MB")));
    header.extend(["Redis calls a request", "hit rate", "CPU us a request"].map(str::to_owned));
    header.extend(["against", "its requests/s", "its CPU us a request"].map(str::to_owned));
    header.extend(["requests/s ratio", "p99 ratio", "CPU ratio"].map(str::to_owned));
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let columns = 0..header.len();
    let widths: Vec<usize> = columns
        .map(|i| cells.iter().map(|row| row[i].len()).chain([header[i].len()]).max().unwrap_or(0))
        .collect();
    // The first column is text. The others are numbers and right-aligned, as the line below the
    // header specifies.
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate();
        let padded = padded.map(|(i, (cell, width))| match i {
            0 => format!(" {cell:<width$} |"),
            _ => format!(" {cell:>width$} |"),
        });
        format!("|{}\n", padded.collect::<String>())
    };
    let rule = widths.iter().enumerate().map(|(i, width)| match i {
        0 => format!("-{}-|", "-".repeat(*width)),
        _ => format!("-{}:|", "-".repeat(*width)),
    });
    let rule = format!("|{}\n", rule.collect::<String>());
    [line(&header), rule, cells.iter().map(|row| line(row)).collect()].concat()
}

fn cells(row: &CaseResult) -> Vec<String> {
    let figures = &row.figures;
    let statuses: Vec<_> =
        figures.statuses.iter().map(|(status, n)| format!("{status} x {n}")).collect();
    let mut cells = vec![row.case.clone(), number(figures.requests_per_s)];
    cells.extend([figures.p50_ms, figures.p99_ms, figures.p999_ms].map(|ms| format!("{ms:.2}")));
    cells.push(statuses.join(", "));
    for i in 0..PROCESSES.len() {
        let usage = row
            .usage
            .as_ref()
            .map(|usage| format!("{:.2}, {:.0}", usage.cores[i], usage.memory_mb[i]));
        cells.push(usage.unwrap_or_else(|| MISSING.to_owned()));
    }
    cells.push(format!("{:.3}", row.redis_calls_per_request));
    cells.push(
        row.hit_rate.map_or_else(|| MISSING.to_owned(), |rate| format!("{:.1} %", rate * 100.0)),
    );
    cells.push(or_missing(figures.cpu_us, 1));
    match &row.ceiling {
        None => cells.extend([MISSING; 6].map(str::to_owned)),
        Some(ceiling) => {
            cells.extend([ceiling.name.to_owned(), number(ceiling.figures.requests_per_s)]);
            cells.push(or_missing(ceiling.figures.cpu_us, 1));
            cells.extend(
                [ceiling.requests_ratio, ceiling.p99_ratio].map(|ratio| format!("{ratio:.2}")),
            );
            cells.push(or_missing(ceiling.cpu_ratio, 2));
        }
    }
    cells
}

fn or_missing(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| MISSING.to_owned(), |figure| format!("{figure:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn all_lines_of_the_table_have_equal_length() {
        let table = table(&sample().rows);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{table}");
        assert!(
            lines[2].contains("70,000")
                && lines[2].contains("0.70")
                && lines[2].contains("200 x 99, 503 x 1")
        );
    }

    #[test]
    fn the_text_mentions_cold_starts_and_missing_usage() {
        let mut report = sample();
        assert!(text(&report).contains("median of 1: first 200 of `/health` after 15 ms (15)"));
        assert!(!text(&report).contains("is missing"));
        assert!(text(&report).contains("| every bar corrected | 50,000 | 0.50 | fresh |"));
        report.rows[1].usage = None;
        assert!(text(&report).contains("is missing"));
    }
}
