//! `tickerd keys`: issues, changes and lists API keys, and shows the audit.

mod args;
mod print;

use std::io::Write;

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;

pub use args::{KeysArgs, key_id};
use args::{KeysCommand, SetArgs};

use super::console::{CliError, confirm, print_line};
use super::operator::{OperatorArgs, notified_text};
use crate::caller::KeyId;
use crate::http::admin::json::{AuditEntryJson, IssuedJson, KeyJson, NotifiedJson};
use crate::keys::{Grace, IssueRequest, Issued, KeyService};
use crate::store::{AuditFilter, KEYS_PER_PAGE_MAX, KeyFilter, KeyRecord, KeyStatus};

pub async fn run(args: KeysArgs) -> Result<(), CliError> {
    let operator = &args.operator;
    let service = operator.key_service()?;
    match args.command {
        KeysCommand::Issue { owner, name, note, tier, expires } => {
            let request = IssueRequest { id: None, owner, name, note, tier, expires_at: expires };
            let issued = service.issue(&request).await?;
            let Issued { key, .. } = &issued;
            let text = format!(
                "Issued {} on tier {} for {}. The token is shown only now:",
                key.id, key.tier, key.owner
            );
            print_token(operator, &issued, &IssuedJson::from(&issued), &text)
        }
        KeysCommand::Rotate { id, grace, expires, yes } => {
            if grace.is_none() {
                confirm_rejection(&service, id, yes, "immediately").await?;
            }
            rotate(operator, &service, id, grace, expires).await
        }
        KeysCommand::List { owner, tier, active, search } => {
            let filter =
                KeyFilter { owner, tier, active_only: active, search, ..KeyFilter::default() };
            list(operator, &service, filter).await
        }
        KeysCommand::Show { id } => {
            let key = service.find(id).await?;
            print_line(&if operator.json {
                serde_json::to_string(&KeyJson::from(&key))?
            } else {
                print::details(&key)
            })
        }
        KeysCommand::Set(set) => change(operator, &service, set).await,
        KeysCommand::Revoke { id, yes } => {
            confirm_rejection(&service, id, yes, "immediately and for good").await?;
            revoke(operator, &service, id).await
        }
        KeysCommand::Audit { id, limit, before } => {
            let subject = id.map(|id| id.to_string());
            audit(operator, &service, AuditFilter { subject, before, limit }).await
        }
    }
}

/// Asks for confirmation if the key is active.
async fn confirm_rejection(
    service: &KeyService,
    id: KeyId,
    yes: bool,
    when: &str,
) -> Result<(), CliError> {
    let key = service.find(id).await?;
    if key.status == KeyStatus::Active {
        confirm(yes, &format!("{} would be rejected {when}", description(&key)))?;
    }
    Ok(())
}

async fn rotate(
    operator: &OperatorArgs,
    service: &KeyService,
    id: KeyId,
    grace: Grace,
    expires: Option<DateTime<Utc>>,
) -> Result<(), CliError> {
    let rotated = service.rotate(id, grace, expires).await?;
    let issued = &rotated.result.new;
    let text = format!(
        "Issued {}, which replaces {id} and shares its limit; {id} stays valid until {}. {}\n\
         The token is shown only now:",
        issued.key.id,
        print::time(rotated.result.old_expires_at),
        notified_text(rotated.instances_notified)
    );
    print_token(operator, issued, &NotifiedJson::<IssuedJson<'_>>::from(&rotated), &text)
}

async fn list(
    operator: &OperatorArgs,
    service: &KeyService,
    mut filter: KeyFilter,
) -> Result<(), CliError> {
    filter.limit = KEYS_PER_PAGE_MAX;
    let mut all = Vec::new();
    loop {
        let page = service.store().list_keys(&filter).await?;
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
    if !operator.json {
        return Ok(());
    }
    let all: Vec<_> = all.iter().map(KeyJson::from).collect();
    print_line(&serde_json::to_string(&all)?)
}

async fn change(
    operator: &OperatorArgs,
    service: &KeyService,
    set: SetArgs,
) -> Result<(), CliError> {
    let id = set.id;
    let changed = service.change(id, &set.into()).await?;
    operator.report(&NotifiedJson::<KeyJson<'_>>::from(&changed), || {
        let notified = notified_text(changed.instances_notified);
        format!("Changed {id}. {notified}\n{}", print::details(&changed.result))
    })
}

async fn revoke(operator: &OperatorArgs, service: &KeyService, id: KeyId) -> Result<(), CliError> {
    let revoked_before = service.find(id).await?.revoked_at;
    let revoked = service.revoke(id).await?;
    let json = NotifiedJson::<KeyJson<'_>>::from(&revoked);
    operator.report(&json, || {
        let notified = notified_text(revoked.instances_notified);
        match revoked_before {
            Some(at) => format!("{id} was already revoked on {}. {notified}", print::time(at)),
            None => format!("Revoked {id}. {notified}"),
        }
    })
}

async fn audit(
    operator: &OperatorArgs,
    service: &KeyService,
    filter: AuditFilter,
) -> Result<(), CliError> {
    let entries = service.store().list_audit(&filter).await?;
    if operator.json {
        let entries: Vec<_> = entries.iter().map(AuditEntryJson::from).collect();
        return print_line(&serde_json::to_string(&entries)?);
    }
    entries.iter().try_for_each(|entry| print_line(&print::entry(entry)))?;
    if let Some(oldest) = entries.last().filter(|_| entries.len() == filter.limit as usize) {
        eprintln!("There may be older entries: --before {}", oldest.id);
    }
    Ok(())
}

/// Describes an active key for a confirmation.
fn description(key: &KeyRecord) -> String {
    let last_used = key
        .last_used_at
        .map_or_else(|| "not used yet".to_owned(), |at| format!("last used {}", print::time(at)));
    format!(
        "the active key {} of {} ({}, tier {}, {last_used})",
        key.id, key.owner, key.name, key.tier
    )
}

/// Prints a token, alone or as JSON. Unlike with `print_line`, a closed pipe is an error, since the
/// token would be lost.
fn print_token(
    operator: &OperatorArgs,
    issued: &Issued,
    json: &impl Serialize,
    text: &str,
) -> Result<(), CliError> {
    let line = if operator.json {
        serde_json::to_string(json)?
    } else {
        eprintln!("{text}");
        issued.token.expose_secret().to_owned()
    };
    Ok(writeln!(std::io::stdout(), "{line}").map_err(|error| {
        format!("the token can't be shown ({error}): rotate {} for another", issued.key.id)
    })?)
}
