//! Where log lines go: stderr, as text for people and as JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::config::{LogConfig, LogFormat};

/// Starts logging.
///
/// # Errors
/// When the levels can't be read.
pub fn start(config: &LogConfig) -> Result<(), Failure> {
    let levels = EnvFilter::try_new(&config.log)
        .map_err(|e| format!("LOG is not usable ({e}): expected levels such as info or tickerd=debug,warn"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(levels).with_writer(std::io::stderr).with_target(false);
    let is_terminal = std::io::stderr().is_terminal();
    match (config.log_format, is_terminal) {
        (LogFormat::Json, _) | (LogFormat::Auto, false) => lines.json().flatten_event(true).init(),
        (LogFormat::Text, _) | (LogFormat::Auto, true) => lines.with_ansi(is_terminal).init(),
    }
    Ok(())
}
