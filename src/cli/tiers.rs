//! `tickerd tiers list|set|delete`: the tiers and their limits.

use clap::{Args, Subcommand};

use super::console::{CliError, confirm, print_line};
use super::operator::{OperatorArgs, notified_text};
use crate::caller::{RateLimit, TierName, parse_requests, parse_window_s};
use crate::http::admin::json::{NotifiedJson, TierJson};
use crate::keys::{KeyService, KeyServiceError, Notified};

#[derive(Debug, Args)]
pub struct TiersArgs {
    #[command(subcommand)]
    command: TiersCommand,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, Subcommand)]
enum TiersCommand {
    /// List tiers, lowest rate first
    List,
    /// Create a tier or change its limit; asks before it lowers a limit
    Set {
        name: TierName,
        #[command(flatten)]
        limit: LimitArgs,
        /// Lower a limit without asking
        #[arg(long)]
        yes: bool,
    },
    /// Delete a tier that no key has; asks first
    Delete {
        name: TierName,
        /// Delete without asking
        #[arg(long)]
        yes: bool,
    },
}

/// A limit: requests per minute, or requests per window together with its length.
#[derive(Debug, Args)]
#[group(id = "limit", required = true, multiple = true)]
struct LimitArgs {
    /// Requests in any trailing 60 seconds, 1 to 10,000,000
    #[arg(
        long,
        value_name = "REQUESTS",
        value_parser = parse_requests,
        conflicts_with_all = ["requests_per_window", "window_s"]
    )]
    requests_per_minute: Option<u32>,
    /// Requests in any trailing window, 1 to 10,000,000
    #[arg(long, value_name = "REQUESTS", value_parser = parse_requests, requires = "window_s")]
    requests_per_window: Option<u32>,
    /// The length of the window in seconds, 10 to 3600
    #[arg(
        long,
        value_name = "SECONDS",
        value_parser = parse_window_s,
        requires = "requests_per_window"
    )]
    window_s: Option<u32>,
}

impl LimitArgs {
    fn limit(&self) -> RateLimit {
        match (self.requests_per_window, self.window_s) {
            (Some(requests), Some(window_s)) => RateLimit { requests, window_s },
            // One of the two ways is given.
            _ => RateLimit::per_minute(self.requests_per_minute.unwrap_or_default()),
        }
    }
}

pub async fn run(args: TiersArgs) -> Result<(), CliError> {
    let operator = &args.operator;
    let service = operator.key_service()?;
    match args.command {
        TiersCommand::List => {
            let tiers = service.store().list_tiers().await?;
            if operator.json {
                let tiers: Vec<_> = tiers.iter().map(TierJson::from).collect();
                return print_line(&serde_json::to_string(&tiers)?);
            }
            let line = |tier: &str, limit: &str, window: &str, keys: &str| {
                print_line(&format!("{tier:32}  {limit:>10}  {window:>8}  {keys:>11}"))
            };
            line("TIER", "LIMIT", "WINDOW/S", "ACTIVE KEYS")?;
            for tier in &tiers {
                let RateLimit { requests, window_s } = tier.limit;
                let (limit, window) = (requests.to_string(), window_s.to_string());
                line(&tier.name, &limit, &window, &tier.active_keys.to_string())?;
            }
            Ok(())
        }
        TiersCommand::Set { name, limit, yes } => {
            let limit = limit.limit();
            if let Some(loss) = loss(&service, &name, limit).await? {
                confirm(yes, &loss)?;
            }
            let is_new =
                matches!(service.find_tier(&name).await, Err(KeyServiceError::NoTier { .. }));
            let changed = service.set_tier(&name, limit).await?;
            operator.report(&NotifiedJson::<TierJson<'_>>::from(&changed), || {
                let Notified { result, instances_notified } = &changed;
                let subject = if is_new { "The new tier" } else { "Tier" };
                let limit = result.limit;
                let notified = notified_text(*instances_notified);
                format!("{subject} {name} has {limit}. {notified}")
            })
        }
        TiersCommand::Delete { name, yes } => {
            let tier = service.find_tier(&name).await?;
            let limit = tier.limit;
            confirm(yes, &format!("the tier {name} of {limit} would be deleted"))?;
            let deleted = service.delete_tier(&name).await?;
            operator.report(&NotifiedJson::<TierJson<'_>>::from(&deleted), || {
                format!("Tier {name} is deleted. {}", notified_text(deleted.instances_notified))
            })
        }
    }
}

/// What the holders of active keys would lose by this limit; `None` if nothing.
async fn loss(
    service: &KeyService,
    name: &TierName,
    limit: RateLimit,
) -> Result<Option<String>, CliError> {
    let tier = match service.find_tier(name).await {
        Ok(tier) => tier,
        Err(KeyServiceError::NoTier { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let is_loss = tier.active_keys > 0 && tier.limit.loses_by(limit);
    Ok(is_loss.then(|| {
        let (keys, old) = (tier.active_keys, tier.limit);
        format!("the active keys ({keys}) of tier {name} would get {limit} instead of {old}")
    }))
}
