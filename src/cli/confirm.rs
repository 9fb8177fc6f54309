//! Asking before something is lost.

use std::io::{BufRead, IsTerminal};

use super::Failure;

/// Nobody is there to be asked: wrong usage.
#[derive(Debug, thiserror::Error)]
#[error("{loss}: add --yes to do it without being asked")]
pub struct ConfirmationRequired {
    loss: String,
}

/// Goes on only with consent: `--yes`, or a person's at a terminal. `loss` says what would be lost,
/// as a sentence without its full stop.
///
/// # Errors
/// [`ConfirmationRequired`] where there is nobody to ask; another failure where the answer is no.
pub fn confirm(yes: bool, loss: &str) -> Result<(), Failure> {
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

/// What is refused where consent is missing and nobody can be asked for it.
pub fn confirmation_required(loss: &str) -> Failure {
    ConfirmationRequired { loss: loss.to_owned() }.into()
}
