//! Runs one turn of oha.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::LoadtestError;
use crate::figures::Figures;
use crate::load::response_stats::ERROR;
use crate::options::Options;
use crate::stage::run_command;

/// Time for starting and reporting, in addition to the load.
const EXTRA_TIMEOUT_S: u64 = 30;
/// The error of requests that oha aborts at the end. They count neither as responses nor as errors.
const ABORTED: &str = "aborted due to deadline";

pub struct Oha<'a> {
    pub url: String,
    /// As `name: value`. `ps` shows the key among them, which is valid only on these local servers.
    pub headers: &'a [String],
    /// Whether to send `Accept-Encoding`.
    pub gzip: bool,
    /// Whether `url` is a regular expression, from which oha draws the URL of each request.
    pub pattern: bool,
}

impl Oha<'_> {
    pub async fn run(&self, options: &Options) -> Result<Figures, LoadtestError> {
        let mut command = Command::new(&options.oha);
        command.args(["--no-tui", "--output-format", "json", "-t", "10s"]);
        command
            .arg("-z")
            .arg(format!("{}s", options.seconds))
            .arg("-c")
            .arg(options.connections.to_string());
        if !self.gzip {
            command.arg("--disable-compression");
        }
        if self.pattern {
            command.arg("--rand-regex-url");
        }
        for header in self.headers {
            command.arg("-H").arg(header);
        }
        command.arg(&self.url);
        let timeout = Duration::from_secs(options.seconds + EXTRA_TIMEOUT_S);
        let output = run_command(command, &options.oha, timeout).await?;
        figures(&output).ok_or_else(|| {
            "the output of oha is not as expected: is it the version of loadtest/run?".into()
        })
    }
}

fn figures(output: &str) -> Option<Figures> {
    let json: Value = serde_json::from_str(output).ok()?;
    let counts = |name: &str| -> Option<BTreeMap<String, u64>> {
        json[name].as_object()?.iter().map(|(key, n)| Some((key.clone(), n.as_u64()?))).collect()
    };
    let mut statuses = counts("statusCodeDistribution")?;
    let requests = statuses.values().sum();
    let errors: u64 = counts("errorDistribution")?
        .iter()
        .filter(|(error, _)| *error != ABORTED)
        .map(|(_, n)| n)
        .sum();
    if errors > 0 {
        statuses.insert(ERROR.to_owned(), errors);
    }
    let at_ms = |name: &str| Some(json["latencyPercentiles"][name].as_f64()? * 1e3);
    Some(Figures {
        requests,
        requests_per_s: json["summary"]["requestsPerSec"].as_f64()?,
        p50_ms: at_ms("p50")?,
        p99_ms: at_ms("p99")?,
        p999_ms: at_ms("p99.9")?,
        statuses,
        cpu_us: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_oha_is_parsed() {
        let output = r#"{"summary":{"requestsPerSec":1000.5},
            "latencyPercentiles":{"p50":0.001,"p99":0.002,"p99.9":0.0035},
            "statusCodeDistribution":{"200":4000,"503":2},
            "errorDistribution":{"aborted due to deadline":50,"connection closed":1}}"#;
        let figures = figures(output).unwrap();
        assert_eq!(
            (figures.requests, figures.requests_per_s, figures.p50_ms, figures.p999_ms),
            (4002, 1000.5, 1.0, 3.5)
        );
        assert_eq!(figures.statuses.into_values().collect::<Vec<_>>(), [4000, 2, 1]);
    }

    #[test]
    fn other_output_is_rejected() {
        assert!(figures("{}").is_none() && figures("oops").is_none());
    }
}
