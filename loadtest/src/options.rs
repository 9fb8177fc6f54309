//! What can be chosen.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::Failure;
use crate::bare::BareArgs;

/// Loads a tickerd server over loopback and says what it did, beside what the machine can do
#[derive(Debug, Parser)]
#[command(name = "loadtest/run", args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub options: Options,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer every request with the same bytes: the ceiling that servers are compared with
    #[command(hide = true)]
    Bare(BareArgs),
    /// Print the statement that the server issues for a range of prices
    #[command(hide = true)]
    Sql,
}

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Seconds that each turn of a case takes
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Connections, and clients of pgbench (a local Postgres takes 100, and the server has 16 of
    /// them)
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=80))]
    pub connections: u16,
    /// Turns that the server and its ceiling take, one after the other
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub rounds: u32,
    /// Seconds of the traffic that comes at its real pace
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub paced_seconds: u64,
    /// Cases to run; all when left out
    #[arg(value_name = "CASE")]
    pub cases: Vec<Case>,
    /// The server's binary
    #[arg(long, default_value = "target/release/tickerd", hide = true)]
    pub tickerd: PathBuf,
    /// The load generator's binary
    #[arg(long, default_value = "target/tools/bin/oha", hide = true)]
    pub oha: PathBuf,
    /// Where data, keys and logs are kept between runs
    #[arg(long, default_value = "target/loadtest", hide = true)]
    pub dir: PathBuf,
    /// Where a run of all cases is written; one of some cases goes to DIR/results
    #[arg(long, default_value = "loadtest/results", hide = true)]
    pub results: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// The same answer from memory: 20 rows, 250 rows, 250 rows gzipped, 304; against a bare server
    Cached,
    /// The other shapes of answers from memory: lines, adjusted, weeks, many stocks, a day, events,
    /// a search, a chart; against a bare server
    Shapes,
    /// Every request another range: 20 and 250 rows; against pgbench
    Uncached,
    /// Whole histories as CSV, streamed; against COPY, and to slow readers
    Histories,
    /// Keys far over their limit; against a bare server
    Storm,
    /// 800 keys, thousands of symbols: at the real pace, and as fast as it goes
    Mixed,
    /// Five times the requests within one second
    Opening,
    /// From the start of the process to its first answers
    Cold,
}

impl Options {
    /// What would otherwise fail minutes later.
    pub fn check(&self) -> Result<(), Failure> {
        for (binary, name) in [(&self.tickerd, "tickerd"), (&self.oha, "oha")] {
            if !binary.is_file() {
                return Err(format!(
                    "expected {name} at {}: start this with loadtest/run",
                    binary.display()
                )
                .into());
            }
        }
        Ok(())
    }

    pub fn wants(&self, case: Case) -> bool {
        self.cases.is_empty() || self.cases.contains(&case)
    }

    /// A part of the cases must not replace the results of all.
    pub fn results(&self) -> PathBuf {
        if self.cases.is_empty() { self.results.clone() } else { self.dir.join("results") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_cases_is_written_elsewhere() {
        let all = Cli::parse_from(["run"]).options;
        let some = Cli::parse_from(["run", "--rounds", "2", "cached", "cold"]).options;
        assert!(all.wants(Case::Storm) && !some.wants(Case::Storm) && some.wants(Case::Cold));
        assert_ne!(all.results(), some.results());
    }

    #[test]
    fn the_ceiling_is_a_command_of_its_own() {
        let cli = Cli::parse_from(["run", "bare", "--body", "x"]);
        assert!(matches!(cli.command, Some(Command::Bare(_))));
    }
}
