//! Asking before something is lost.

use std::io::{BufRead, IsTerminal};

use super::Failure;

/// Nobody is there to be asked: wrong usage.
#[derive(Debug, thiserror::Error)]
#[error("{loss}: add --yes to do it without being asked")]
pub struct Unasked {
    loss: String,
}

/// Goes on only with consent: `--yes`, or a person's at a terminal. `loss` says what would be lost,
/// as a sentence without its full stop.
///
/// # Errors
/// [`Unasked`] where there is nobody to ask; another failure where the answer is no.
pub fn consent(yes: bool, loss: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(nobody_to_ask(loss));
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
pub fn nobody_to_ask(loss: &str) -> Failure {
    Unasked { loss: loss.to_owned() }.into()
}
