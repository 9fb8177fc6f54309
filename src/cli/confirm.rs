//! Asks before something is lost.

use std::io::{IsTerminal, Write, stderr, stdin};

use super::Failure;

/// Says what would be lost and waits for a yes. Where nobody can be asked, `--yes` has to have said it before.
///
/// # Errors
/// When the answer is no, or nobody can be asked.
pub fn confirmed(loss: &str, may_ask: bool) -> Result<(), Failure> {
    if !(may_ask && stdin().is_terminal() && stderr().is_terminal()) {
        return Err(format!("{loss}: nothing was changed, pass --yes to do it").into());
    }
    write!(stderr(), "{loss}. Go on? [y/N] ")?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err("nothing was changed".into())
}
