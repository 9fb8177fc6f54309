//! `tickerd keys ...`: who may call, and who changed that.

mod args;
mod print;

use std::io::Write;

use chrono::Utc;
use secrecy::ExposeSecret;
use serde::Serialize;

pub use args::{KeysArgs, key_id};
use args::{KeysCommand, SetArgs};

use super::confirm::confirm;
use super::operator::{OperatorArgs, heard};
use super::{Failure, print_line};
use crate::caller::KeyId;
use crate::keys::{Grace, IssueRequest, Issued, KeyService, Notified};
use crate::store::{AuditFilter, KEYS_PER_PAGE_MAX, KeyFilter, KeyState, KeyStatus};

pub async fn run(args: KeysArgs) -> Result<(), Failure> {
    let (operator, registry) = (&args.operator, args.operator.registry()?);
    match args.command {
        KeysCommand::Issue { owner, name, note, tier, expires } => {
            let order = IssueRequest { id: None, owner, name, note, tier, expires_at: expires };
            let issued = registry.issue(&order).await?;
            let Issued { key, .. } = &issued;
            let text = format!(
                "Issued {} on tier {} for {}. The token is shown only now:",
                key.id, key.tier, key.owner
            );
            hand_out(operator, &issued, &issued.reveal(), &text)
        }
        KeysCommand::Rotate { id, grace, expires, yes } => {
            rotate(operator, &registry, (id, grace), expires, yes).await
        }
        KeysCommand::List { owner, tier, active, search } => {
            let filter =
                KeyFilter { owner, tier, active_only: active, search, ..KeyFilter::default() };
            list(operator, &registry, filter).await
        }
        KeysCommand::Show { id } => {
            let key = registry.find(id).await?;
            print_line(&if operator.json {
                serde_json::to_string(&key)?
            } else {
                print::details(&key)
            })
        }
        KeysCommand::Set(set) => change(operator, &registry, set).await,
        KeysCommand::Revoke { id, yes } => revoke(operator, &registry, id, yes).await,
        KeysCommand::Audit { id, limit, before } => {
            let subject = id.map(|id| id.to_string());
            audit(operator, &registry, AuditFilter { subject, before, limit }).await
        }
    }
}

async fn rotate(
    operator: &OperatorArgs,
    registry: &KeyService,
    (id, grace): (KeyId, Grace),
    expires: Option<chrono::DateTime<Utc>>,
    yes: bool,
) -> Result<(), Failure> {
    if grace.is_none() {
        let key = registry.find(id).await?;
        if key.status == KeyState::Active {
            confirm(yes, &format!("{} would be refused at once", described(&key)))?;
        }
    }
    let told = registry.rotate(id, grace, expires).await?;
    let (issued, until) = (&told.result.new, print::time(told.result.old_expires_at));
    let text = format!(
        "Issued {} in place of {id}, on the same limit; {id} goes on until {until}. {}\nThe token is shown only now:",
        issued.key.id,
        heard(told.instances_notified)
    );
    let document =
        Notified { result: issued.reveal(), instances_notified: told.instances_notified };
    hand_out(operator, issued, &document, &text)
}

async fn list(
    operator: &OperatorArgs,
    registry: &KeyService,
    mut filter: KeyFilter,
) -> Result<(), Failure> {
    filter.limit = KEYS_PER_PAGE_MAX;
    let mut all = Vec::new();
    loop {
        let page = registry.store().list_keys(&filter).await?;
        if !operator.json && filter.after.is_none() {
            print_line(&print::heading())?;
        }
        filter.after = page.last().map(|key| key.id.parse()).transpose()?;
        let is_last = page.len() < KEYS_PER_PAGE_MAX as usize;
        if operator.json {
            all.extend(page);
        } else {
            page.iter().try_for_each(|key| print_line(&print::line(key)))?;
        }
        if is_last {
            break;
        }
    }
    if operator.json { print_line(&serde_json::to_string(&all)?) } else { Ok(()) }
}

async fn change(
    operator: &OperatorArgs,
    registry: &KeyService,
    set: SetArgs,
) -> Result<(), Failure> {
    let id = set.id;
    let told = registry.change(id, &set.into()).await?;
    operator.answer(&told, || {
        format!(
            "Changed {id}. {}\n{}",
            heard(told.instances_notified),
            print::details(&told.result)
        )
    })
}

async fn revoke(
    operator: &OperatorArgs,
    registry: &KeyService,
    id: KeyId,
    yes: bool,
) -> Result<(), Failure> {
    let key = registry.find(id).await?;
    if key.status == KeyState::Active {
        confirm(yes, &format!("{} would be refused at once, for good", described(&key)))?;
    }
    let told = registry.revoke(id).await?;
    operator.answer(&told, || format!("Revoked {id}. {}", heard(told.instances_notified)))
}

async fn audit(
    operator: &OperatorArgs,
    registry: &KeyService,
    filter: AuditFilter,
) -> Result<(), Failure> {
    let entries = registry.store().list_audit(&filter).await?;
    if operator.json {
        return print_line(&serde_json::to_string(&entries)?);
    }
    entries.iter().try_for_each(|entry| print_line(&print::entry(entry)))?;
    if let Some(oldest) = entries.last().filter(|_| entries.len() == filter.limit as usize) {
        eprintln!("There may be older ones: --before {}", oldest.id);
    }
    Ok(())
}

/// A key as its operator knows it, and what it does right now.
fn described(key: &KeyStatus) -> String {
    let last_used = key
        .last_used_at
        .map_or_else(|| "not used yet".to_owned(), |at| format!("last used {}", print::time(at)));
    format!(
        "the active key {} of {} ({}, tier {}, {last_used})",
        key.id, key.owner, key.name, key.tier
    )
}

/// Prints a token, alone or as JSON. Not with print_line(): a token that nobody read is lost.
fn hand_out(
    operator: &OperatorArgs,
    issued: &Issued,
    document: &impl Serialize,
    text: &str,
) -> Result<(), Failure> {
    let line = if operator.json {
        serde_json::to_string(document)?
    } else {
        eprintln!("{text}");
        issued.token.expose_secret().to_owned()
    };
    let lost = |e| format!("the token can't be shown ({e}): rotate {} for another", issued.key.id);
    Ok(writeln!(std::io::stdout(), "{line}").map_err(lost)?)
}
