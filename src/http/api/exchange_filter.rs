//! The parameters `exchange` and `sector` of lists: what a client writes, and what stocks have.

use std::collections::HashMap;

use crate::http::request::query::invalid;
use crate::http::respond::error::Problem;
use crate::http::server::state::State;
use crate::market::exchange_code;
use crate::store::Snapshot;

/// Classifications of companies have some dozens of sectors.
const SECTORS_MAX: u32 = 100;

/// The code of the exchange that a client names by its code, its MIC or a common name, in any case.
///
/// # Errors
/// If there is no such exchange: an empty list would look like an answer.
pub async fn exchange_of(state: &State, text: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let markets = state.store.markets(state.versions.to_read()).await?;
    let mut known = HashMap::new();
    for market in &markets {
        known.insert(market.code.clone(), market.code.clone());
        market.mic.iter().for_each(|mic| drop(known.insert(mic.clone(), market.code.clone())));
    }
    match exchange_code(text, &known) {
        Some(code) => Ok(Some(code.to_owned())),
        None => {
            let codes: Vec<&str> = markets.iter().map(|market| market.code.as_str()).collect();
            let expected =
                format!("is not an exchange of this server: expected {}", one_of(&codes));
            Err(invalid("exchange", expected))
        }
    }
}

/// Checks the name of a sector of which no stock was found.
///
/// # Errors
/// If no stock has it under any other filter.
pub async fn check_sector(
    snapshot: Snapshot<'_>,
    sector: &str,
    version: i64,
) -> Result<(), Problem> {
    let known = snapshot.sectors(SECTORS_MAX, version).await?;
    // There may be more: then the name may be right.
    if known.iter().any(|name| name == sector) || known.len() == SECTORS_MAX as usize {
        return Ok(());
    }
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(invalid("sector", format!("is not a sector of this server: expected {}", one_of(&names))))
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "none, because there are none".to_owned(),
        [name] => (*name).to_owned(),
        [names @ .., last] => format!("{} or {last}", names.join(", ")),
    }
}
