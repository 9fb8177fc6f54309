//! `tickerd keys issue|list|revoke`: who may call.

use std::io::Write;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::{Failure, print_line};
use crate::caller::{KeyId, KeyIdFault};
use crate::config::{DatabaseConfig, RedisConfig};
use crate::keys::{TOKEN_PREFIX, Token, hash_secret};
use crate::redis::{Redis, Word};
use crate::store::{KeyStatus, NewKey, Store};

#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    redis: RedisConfig,
    /// Print the result as JSON on stdout
    #[arg(long, global = true, help_heading = "Options")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Issue a key: its token goes to stdout, alone and only now
    Issue {
        /// Whose key it is
        #[arg(long, value_parser = label)]
        owner: String,
        /// What the owner calls it
        #[arg(long, value_parser = label)]
        name: String,
        /// The tier that sets its limit
        #[arg(long, default_value = "free")]
        tier: String,
    },
    /// List keys, newest first; never a secret
    List {
        /// Only this owner's
        #[arg(long)]
        owner: Option<String>,
    },
    /// Refuse a key from now on, on every instance
    Revoke {
        /// The key's id: in the list, and in a token between `tk_live_` and the next `_`
        #[arg(value_parser = key_id)]
        id: KeyId,
    },
}

/// How long a command waits for Redis before it goes on without.
const REDIS_WAIT: Duration = Duration::from_secs(2);
const LABEL_CHARS_MAX: usize = 200;

pub async fn run(args: KeysArgs) -> Result<(), Failure> {
    let (store, redis) = (Store::new(&args.database)?, Redis::start(&args.redis)?);
    match args.command {
        KeysCommand::Issue { owner, name, tier } => {
            let (id, token) = issue(&store, &owner, &name, &tier, None).await?;
            let line = if args.json {
                let token = token.expose_secret();
                serde_json::json!({ "id": id.as_str(), "owner": owner, "name": name, "tier": tier, "token": token })
                    .to_string()
            } else {
                eprintln!("Issued {id} on tier {tier} for {owner}. The token is shown only now:");
                token.expose_secret().to_owned()
            };
            // Not print_line(): a token that nobody read is lost.
            writeln!(std::io::stdout(), "{line}")
                .map_err(|e| format!("the token can't be shown ({e}): revoke {id} and issue another"))?;
        }
        KeysCommand::List { owner } => {
            let keys = store.list_keys(owner.as_deref()).await?;
            if args.json {
                print_line(&serde_json::to_string(&keys)?)?;
            } else {
                print_line(&table(&keys))?;
            }
        }
        KeysCommand::Revoke { id } => {
            let revoked_at =
                store.revoke_key(id).await?.ok_or(format!("there is no key {id}: see tickerd keys list"))?;
            let told = tell(redis, id).await;
            if args.json {
                print_line(
                    &serde_json::json!({ "id": id.as_str(), "revokedAt": revoked_at, "instancesTold": told })
                        .to_string(),
                )?;
            } else if told > 0 {
                eprintln!("Revoked {id}, and told {told} running instances.");
            } else {
                eprintln!("Revoked {id}. {NOT_TOLD}");
            }
        }
    }
    Ok(())
}

const NOT_TOLD: &str = "No instance was told through Redis: those without one notice within 1 s, others within 30 s.";

/// Issues a key. Its token exists only in what is returned.
pub async fn issue(
    store: &Store,
    owner: &str,
    name: &str,
    tier: &str,
    expires_at: Option<DateTime<Utc>>,
) -> Result<(KeyId, secrecy::SecretString), Failure> {
    let token = Token::random();
    let secret_hash = hash_secret(&token.secret)?;
    let key = NewKey { id: token.id, secret_hash: &secret_hash, owner, name, tier, expires_at };
    if !store.insert_key(&key).await? {
        let tiers = store.list_tiers().await?;
        let names: Vec<_> = tiers.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!("there is no tier {tier:?}: expected one of {}", names.join(", ")).into());
    }
    Ok((token.id, token.reveal()))
}

/// Tells every instance that a key changed, and returns how many were told.
async fn tell(redis: Option<Redis>, id: KeyId) -> u32 {
    let Some(redis) = redis else { return 0 };
    if redis.wait_until_connected(REDIS_WAIT).await { redis.tell(Word::Key(id)).await.unwrap_or(0) } else { 0 }
}

fn table(keys: &[KeyStatus]) -> String {
    let head =
        format!("{:12}  {:10}  {:>10}  {:20}  {:8}  OWNER / NAME", "ID", "TIER", "LIMIT/MIN", "CREATED", "STATUS");
    let line = |key: &KeyStatus| {
        let status = match (key.revoked_at, key.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(at)) if at <= Utc::now() => "expired",
            _ => "active",
        };
        let created = key.created_at.format("%Y-%m-%dT%H:%M:%SZ");
        let (id, tier, limit) = (&key.id, &key.tier, key.requests_per_minute);
        format!("{id:12}  {tier:10}  {limit:>10}  {created:20}  {status:8}  {} / {}", key.owner, key.name)
    };
    std::iter::once(head).chain(keys.iter().map(line)).collect::<Vec<_>>().join("\n")
}

/// The id of a key, also where a whole token was given: it must not be shown in an error.
pub fn key_id(text: &str) -> Result<KeyId, KeyIdFault> {
    let id = text.strip_prefix(TOKEN_PREFIX).and_then(|rest| rest.split('_').next());
    id.unwrap_or(text).parse()
}

fn label(text: &str) -> Result<String, String> {
    let fits =
        !text.trim().is_empty() && text.chars().count() <= LABEL_CHARS_MAX && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(format!("expected 1 to {LABEL_CHARS_MAX} printable characters")) }
}
