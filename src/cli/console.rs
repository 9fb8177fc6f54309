//! What commands share: their error type, output for scripts, confirmation by a person, and days in
//! arguments.

use std::io::{BufRead, IsTerminal, Write};

use chrono::NaiveDate;

use crate::market::parse_date;

/// The error of a command. Its message is one sentence for the operator.
pub type CliError = Box<dyn std::error::Error + Send + Sync>;

/// A confirmation is required, and nobody is there to ask. It counts as wrong usage.
#[derive(Debug, thiserror::Error)]
#[error("{loss}: add --yes to confirm")]
pub struct ConfirmationRequired {
    loss: String,
}

/// Prints a line for a script. A closed pipe is not an error: a reader such as `head` has read
/// enough.
///
/// # Errors
/// If writing to stdout fails for any other reason.
pub fn print_line(line: &str) -> Result<(), CliError> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Returns if the operator confirms: with `--yes`, or by an answer at the terminal. `loss` says
/// what would be lost, as a sentence without its full stop.
///
/// # Errors
/// [`ConfirmationRequired`] without a terminal; another error if the answer is not yes.
pub fn confirm(yes: bool, loss: &str) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(confirmation_required(loss));
    }
    eprint!("{loss}. Go on? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        Ok(())
    } else {
        Err("nothing was changed: the answer was not yes".into())
    }
}

pub fn confirmation_required(loss: &str) -> CliError {
    ConfirmationRequired { loss: loss.to_owned() }.into()
}

/// A day in an argument.
pub fn day(text: &str) -> Result<NaiveDate, &'static str> {
    parse_date(text).ok_or("write a day that exists as YYYY-MM-DD, such as 2022-06-09")
}
