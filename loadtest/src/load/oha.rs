//! One turn of oha.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::Failure;
use crate::figures::Figures;
use crate::load::tally::ERROR;
use crate::options::Options;
use crate::stage::to_end;

/// Beyond the load itself.
const EXTRA_TIMEOUT_S: u64 = 30;
/// oha cuts off what is under way when its time is over: neither an answer nor an error.
const CUT_OFF: &str = "aborted due to deadline";

pub struct Oha<'a> {
    pub url: String,
    /// `name: value`, the key among them: visible to `ps`, and good for these local servers only.
    pub headers: &'a [String],
    /// Without it, no `Accept-Encoding` is sent.
    pub gzip: bool,
    /// Whether `url` is a pattern from which each request's is drawn.
    pub pattern: bool,
}

impl Oha<'_> {
    pub async fn run(&self, options: &Options) -> Result<Figures, Failure> {
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
        let printed = to_end(command, &options.oha, timeout).await?;
        figures(&printed).ok_or_else(|| {
            "expected figures in JSON of oha: is it the version of loadtest/run?".into()
        })
    }
}

fn figures(printed: &str) -> Option<Figures> {
    let json: Value = serde_json::from_str(printed).ok()?;
    let counts = |name: &str| -> Option<BTreeMap<String, u64>> {
        json[name].as_object()?.iter().map(|(key, n)| Some((key.clone(), n.as_u64()?))).collect()
    };
    let mut statuses = counts("statusCodeDistribution")?;
    let requests = statuses.values().sum();
    let errors: u64 = counts("errorDistribution")?
        .iter()
        .filter(|(error, _)| *error != CUT_OFF)
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_oha_prints() {
        let printed = r#"{"summary":{"requestsPerSec":1000.5},
            "latencyPercentiles":{"p50":0.001,"p99":0.002,"p99.9":0.0035},
            "statusCodeDistribution":{"200":4000,"503":2},
            "errorDistribution":{"aborted due to deadline":50,"connection closed":1}}"#;
        let figures = figures(printed).unwrap();
        assert_eq!(
            (figures.requests, figures.requests_per_s, figures.p50_ms, figures.p999_ms),
            (4002, 1000.5, 1.0, 3.5)
        );
        assert_eq!(figures.statuses.into_values().collect::<Vec<_>>(), [4000, 2, 1]);
    }

    #[test]
    fn other_output_is_no_figures() {
        assert!(figures("{}").is_none() && figures("oops").is_none());
    }
}
