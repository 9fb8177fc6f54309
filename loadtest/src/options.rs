//! The command line of the load test.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::LoadtestError;
use crate::bare::BareArgs;

/// Measures a tickerd server under load over loopback, next to a ceiling of the same machine
#[derive(Debug, Parser)]
#[command(name = "loadtest/run", args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct LoadtestCli {
    #[command(subcommand)]
    pub command: Option<LoadtestCommand>,
    #[command(flatten)]
    pub options: Options,
}

#[derive(Debug, Subcommand)]
pub enum LoadtestCommand {
    /// Serve the same bytes for every request: the ceiling of the comparison
    #[command(hide = true)]
    Bare(BareArgs),
    /// Print the statement that the server issues for a range of prices
    #[command(hide = true)]
    Sql,
}

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The duration of each turn of a case in seconds
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// The number of connections, and of clients of pgbench (the local Postgres allows 100, of
    /// which the server uses 16)
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=80))]
    pub connections: u16,
    /// The number of rounds; in each, the ceiling and the server take one turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub rounds: u32,
    /// The duration of the traffic at its real rate in seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub paced_seconds: u64,
    /// The cases to run; by default all but loads
    #[arg(value_name = "CASE")]
    pub cases: Vec<Case>,
    /// The binary of the server
    #[arg(long, default_value = "target/release/tickerd", hide = true)]
    pub tickerd: PathBuf,
    /// The binary of the load generator
    #[arg(long, default_value = "target/tools/bin/oha", hide = true)]
    pub oha: PathBuf,
    /// The directory for data, keys and logs, which later runs reuse
    #[arg(long, default_value = "target/loadtest", hide = true)]
    pub dir: PathBuf,
    /// The directory for the results of all cases; results of some cases go to DIR/results
    #[arg(long, default_value = "loadtest/results", hide = true)]
    pub results: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// Repeated responses from memory: 20 rows, 250 rows, 250 rows gzipped, 304; against a bare
    /// server
    Cached,
    /// Other routes and formats from memory: CSV, adjusted, weeks, many stocks, a day, events, a
    /// search, a chart; against a bare server
    Shapes,
    /// A different range in every request: 20 and 250 rows; against pgbench
    Uncached,
    /// Whole histories as streamed CSV; against COPY, and to slow readers
    Histories,
    /// Keys far beyond their limit; against a bare server
    Storm,
    /// 800 keys, thousands of symbols: at the real rate, and at full speed
    Mixed,
    /// Five times the request rate within one second
    Opening,
    /// From the start of the process to its first responses
    Cold,
    /// Loads of 950,000 bars: fresh, again, and all corrected; against COPY. On request only: a
    /// round takes a minute
    Loads,
}

impl Options {
    /// Checks the options, rather than failing minutes later.
    pub fn check(&self) -> Result<(), LoadtestError> {
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
        let is_default = self.cases.is_empty() && case != Case::Loads;
        is_default || self.cases.contains(&case)
    }

    /// The directory for the results. Results of some cases must not replace those of all.
    pub fn results(&self) -> PathBuf {
        if self.cases.is_empty() { self.results.clone() } else { self.dir.join("results") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_some_cases_have_their_own_directory() {
        let all = LoadtestCli::parse_from(["run"]).options;
        let some = LoadtestCli::parse_from(["run", "--rounds", "2", "cached", "cold"]).options;
        assert!(all.wants(Case::Storm) && !some.wants(Case::Storm) && some.wants(Case::Cold));
        let loads = LoadtestCli::parse_from(["run", "loads"]).options;
        assert!(!all.wants(Case::Loads) && loads.wants(Case::Loads));
        assert_ne!(all.results(), some.results());
    }

    #[test]
    fn the_ceiling_is_a_subcommand() {
        let cli = LoadtestCli::parse_from(["run", "bare", "--body", "x"]);
        assert!(matches!(cli.command, Some(LoadtestCommand::Bare(_))));
    }
}
