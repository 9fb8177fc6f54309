//! The arguments of `tickerd keys`.

use std::io::{BufRead, Read};

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args, Subcommand};

use crate::caller::{KeyId, KeyIdError, Label, Note, TextError, TierName};
use crate::cli::operator::OperatorArgs;
use crate::keys::{Grace, TOKEN_PREFIX, ValidityError, expiry};
use crate::store::{ENTRIES_PER_PAGE_MAX, KeyChange, KeySearch};

/// The longest line read from stdin. A token has 59 characters.
const LINE_BYTES_MAX: u64 = 256;
/// The range of `keys audit --limit`.
const AUDIT_LIMIT: std::ops::RangeInclusive<i64> = 1..=ENTRIES_PER_PAGE_MAX as i64;

#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    pub command: KeysCommand,
    #[command(flatten)]
    pub operator: OperatorArgs,
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Issue a key; prints its token on stdout, which is shown only this once
    Issue {
        /// The owner of the key
        #[arg(long)]
        owner: Label,
        /// The owner's name for the key
        #[arg(long)]
        name: Label,
        /// A note for operators
        #[arg(long)]
        note: Option<Note>,
        /// The tier, which sets the limit
        #[arg(long, default_value = "free")]
        tier: TierName,
        /// When the key expires: 2027-01-31 (start of the day in UTC), 2027-01-31T12:00:00Z or
        /// 90d; by default never
        #[arg(long, value_parser = expires)]
        expires: Option<DateTime<Utc>>,
    },
    /// Issue a key that replaces another and shares its limit; prints the token on stdout, which is
    /// shown only this once
    Rotate {
        /// The old key's id or token; - reads it from stdin
        #[arg(value_parser = key_id)]
        id: KeyId,
        /// How long the old key stays valid: 30m, 24h, 7d; 0s asks first
        #[arg(long, default_value = "24h")]
        grace: Grace,
        /// When the new key expires; by default when the old key would have
        #[arg(long, value_parser = expires)]
        expires: Option<DateTime<Utc>>,
        /// With --grace 0s, reject the old key immediately without asking
        #[arg(long)]
        yes: bool,
    },
    /// List keys, newest first, without secrets
    List {
        /// Only keys of this owner
        #[arg(long)]
        owner: Option<Label>,
        /// Only keys of this tier
        #[arg(long)]
        tier: Option<TierName>,
        /// Only keys that are neither revoked nor expired
        #[arg(long)]
        active: bool,
        /// Only keys with all of these words, or words that start with them, in owner, name or note
        #[arg(long)]
        search: Option<KeySearch>,
    },
    /// Show the details of a key
    Show {
        /// The key's id or token; - reads it from stdin
        #[arg(value_parser = key_id)]
        id: KeyId,
    },
    /// Change a key; its token stays the same
    Set(SetArgs),
    /// Reject a key for good, on every instance; asks first
    Revoke {
        /// The key's id: as in the list, or in a token between `tk_live_` and the next `_`
        #[arg(value_parser = key_id)]
        id: KeyId,
        /// Revoke an active key without asking
        #[arg(long)]
        yes: bool,
    },
    /// List changes of keys and tiers, newest first: who changed what, and when
    Audit {
        /// Only changes of this key
        #[arg(value_parser = key_id)]
        id: Option<KeyId>,
        /// The maximum number of changes
        #[arg(
            long,
            default_value_t = 100,
            value_parser = clap::value_parser!(u32).range(AUDIT_LIMIT),
        )]
        limit: u32,
        /// Only changes before this one, by its number in --json
        #[arg(long)]
        before: Option<i64>,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub struct SetArgs {
    /// The key's id or token; - reads it from stdin
    #[arg(value_parser = key_id)]
    pub id: KeyId,
    /// The tier, which sets the limit
    #[arg(long, group = "change")]
    tier: Option<TierName>,
    /// The owner of the key
    #[arg(long, group = "change")]
    owner: Option<Label>,
    /// The owner's name for the key
    #[arg(long, group = "change")]
    name: Option<Label>,
    /// A note for operators; '' removes it
    #[arg(long, group = "change", value_parser = note)]
    note: Option<Clearable<Note>>,
    /// When the key expires: 2027-01-31 (start of the day in UTC), 2027-01-31T12:00:00Z, 90d or
    /// never
    #[arg(long, group = "change", value_parser = expires_or_never)]
    expires: Option<Clearable<DateTime<Utc>>>,
}

/// A new value, or `None` to remove the old one.
#[derive(Debug, Clone)]
struct Clearable<T>(Option<T>);

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

/// Reads the id of a key from an id or a token. `-` reads either from stdin, as all users of the
/// machine can see the arguments of a running command. Errors never contain the token.
pub fn key_id(text: &str) -> Result<KeyId, KeyIdError> {
    if text == "-" {
        let mut line = String::new();
        let read = std::io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line);
        return read.map_err(|_| KeyIdError).and_then(|_| id_or_token(line.trim()));
    }
    id_or_token(text)
}

fn id_or_token(text: &str) -> Result<KeyId, KeyIdError> {
    let id = text.strip_prefix(TOKEN_PREFIX).and_then(|rest| rest.split('_').next());
    id.unwrap_or(text).parse()
}

fn note(text: &str) -> Result<Clearable<Note>, TextError> {
    Ok(Clearable(if text.is_empty() { None } else { Some(text.parse()?) }))
}

fn expires(text: &str) -> Result<DateTime<Utc>, ValidityError> {
    expiry(text, Utc::now())
}

fn expires_or_never(text: &str) -> Result<Clearable<DateTime<Utc>>, ValidityError> {
    Ok(Clearable(if text == "never" { None } else { Some(expires(text)?) }))
}
