//! `tickerd keys ...`, as it is typed.

use std::io::{BufRead, Read};

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args, Subcommand};

use crate::caller::{KeyId, KeyIdError, Label, Note, TextError, TierName};
use crate::cli::operator::OperatorArgs;
use crate::keys::{Grace, TOKEN_PREFIX, ValidityError, expiry};
use crate::store::{ENTRIES_PER_PAGE_MAX, KeyChange, Search};

/// What is read of stdin for a token of 59 characters.
const LINE_BYTES_MAX: u64 = 256;

#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    pub command: KeysCommand,
    #[command(flatten)]
    pub operator: OperatorArgs,
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Issue a key: its token goes to stdout, alone and only now
    Issue {
        /// Whose key it is
        #[arg(long)]
        owner: Label,
        /// What the owner calls it
        #[arg(long)]
        name: Label,
        /// What operators want to remember of it
        #[arg(long)]
        note: Option<Note>,
        /// The tier that sets its limit
        #[arg(long, default_value = "free")]
        tier: TierName,
        /// When it ends: 2027-01-31 (its start in UTC), 2027-01-31T12:00:00Z or 90d; otherwise
        /// never
        #[arg(long, value_parser = expires)]
        expires: Option<DateTime<Utc>>,
    },
    /// Issue a key that takes over from another, on one limit: its token goes to stdout, alone and
    /// only now
    Rotate {
        /// The old key's id, or its token; - reads it from stdin
        #[arg(value_parser = key_id)]
        id: KeyId,
        /// How long the old key goes on: 30m, 24h, 7d; 0s asks first
        #[arg(long, default_value = "24h")]
        grace: Grace,
        /// When the new key ends; otherwise when the old one did
        #[arg(long, value_parser = expires)]
        expires: Option<DateTime<Utc>>,
        /// Refuse the old key at once without being asked
        #[arg(long)]
        yes: bool,
    },
    /// List keys, newest first; never a secret
    List {
        /// Only this owner's
        #[arg(long)]
        owner: Option<Label>,
        /// Only those of this tier
        #[arg(long)]
        tier: Option<TierName>,
        /// Only those that are neither revoked nor expired
        #[arg(long)]
        active: bool,
        /// Only those with all of these words, or words that begin so, in owner, name or note
        #[arg(long)]
        search: Option<Search>,
    },
    /// Show all that is known of a key
    Show {
        /// The key's id, or its token; - reads it from stdin
        #[arg(value_parser = key_id)]
        id: KeyId,
    },
    /// Change a key, without a new token
    Set(SetArgs),
    /// Refuse a key from now on, on every instance; asks first
    Revoke {
        /// The key's id: in the list, and in a token between `tk_live_` and the next `_`
        #[arg(value_parser = key_id)]
        id: KeyId,
        /// Revoke an active key without being asked
        #[arg(long)]
        yes: bool,
    },
    /// Who changed keys and tiers, when and what, newest first
    Audit {
        /// Only changes of this key
        #[arg(value_parser = key_id)]
        id: Option<KeyId>,
        /// Changes at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(ENTRIES_PER_PAGE_MAX)))]
        limit: u32,
        /// Only changes before this one, by its number in --json
        #[arg(long)]
        before: Option<i64>,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub struct SetArgs {
    /// The key's id, or its token; - reads it from stdin
    #[arg(value_parser = key_id)]
    pub id: KeyId,
    /// The tier that sets its limit
    #[arg(long, group = "change")]
    tier: Option<TierName>,
    /// Whose key it is
    #[arg(long, group = "change")]
    owner: Option<Label>,
    /// What the owner calls it
    #[arg(long, group = "change")]
    name: Option<Label>,
    /// What operators want to remember of it; '' for nothing
    #[arg(long, group = "change", value_parser = note)]
    note: Option<OrNone<Note>>,
    /// When it ends: 2027-01-31 (its start in UTC), 2027-01-31T12:00:00Z or 90d; never for never
    #[arg(long, group = "change", value_parser = expires_or_never)]
    expires: Option<OrNone<DateTime<Utc>>>,
}

/// A new value, or none any more.
#[derive(Debug, Clone)]
struct OrNone<T>(Option<T>);

impl From<SetArgs> for KeyChange {
    fn from(set: SetArgs) -> Self {
        let SetArgs { tier, owner, name, note, expires, .. } = set;
        Self {
            owner,
            name,
            tier,
            note: note.map(|note| note.0),
            expires_at: expires.map(|expires| expires.0),
        }
    }
}

/// The id of a key, also where a token was given: it must not be shown in an error. `-` stands for
/// either on stdin: while a command runs, its arguments are there for all users of the machine.
pub fn key_id(text: &str) -> Result<KeyId, KeyIdError> {
    if text == "-" {
        let mut line = String::new();
        let read = std::io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line);
        return read.map_err(|_| KeyIdError).and_then(|_| id_in(line.trim()));
    }
    id_in(text)
}

fn id_in(text: &str) -> Result<KeyId, KeyIdError> {
    let id = text.strip_prefix(TOKEN_PREFIX).and_then(|rest| rest.split('_').next());
    id.unwrap_or(text).parse()
}

fn note(text: &str) -> Result<OrNone<Note>, TextError> {
    Ok(OrNone(if text.is_empty() { None } else { Some(text.parse()?) }))
}

fn expires(text: &str) -> Result<DateTime<Utc>, ValidityError> {
    expiry(text, Utc::now())
}

fn expires_or_never(text: &str) -> Result<OrNone<DateTime<Utc>>, ValidityError> {
    Ok(OrNone(if text == "never" { None } else { Some(expires(text)?) }))
}
