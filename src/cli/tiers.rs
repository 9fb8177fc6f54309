//! `tickerd tiers list|set|delete`: the tiers and their limits.

use clap::{Args, Subcommand};

use super::console::{CliError, confirm, print_line};
use super::operator::{OperatorArgs, notified_text};
use crate::caller::{RequestsPerMinute, TierName};
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
    /// List tiers, smallest limit first
    List,
    /// Create a tier or change its limit; asks before it lowers a limit
    Set {
        name: TierName,
        /// Requests in any trailing 60 seconds, 1 to 10,000,000
        #[arg(long)]
        requests_per_minute: RequestsPerMinute,
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
            print_line(&format!("{:32}  {:>10}  {:>11}", "TIER", "LIMIT/MIN", "ACTIVE KEYS"))?;
            for tier in &tiers {
                print_line(&format!(
                    "{:32}  {:>10}  {:>11}",
                    tier.name, tier.requests_per_minute, tier.active_keys
                ))?;
            }
            Ok(())
        }
        TiersCommand::Set { name, requests_per_minute, yes } => {
            if let Some(loss) = loss(&service, &name, requests_per_minute).await? {
                confirm(yes, &loss)?;
            }
            let is_new =
                matches!(service.find_tier(&name).await, Err(KeyServiceError::NoTier { .. }));
            let changed = service.set_tier(&name, requests_per_minute).await?;
            operator.report(&NotifiedJson::<TierJson<'_>>::from(&changed), || {
                let Notified { result, instances_notified } = &changed;
                let subject = if is_new { "The new tier" } else { "Tier" };
                let limit = result.requests_per_minute;
                let notified = notified_text(*instances_notified);
                format!("{subject} {name} has {limit} requests a minute. {notified}")
            })
        }
        TiersCommand::Delete { name, yes } => {
            let tier = service.find_tier(&name).await?;
            let limit = tier.requests_per_minute;
            confirm(
                yes,
                &format!("the tier {name} of {limit} requests a minute would be deleted"),
            )?;
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
    limit: RequestsPerMinute,
) -> Result<Option<String>, CliError> {
    let tier = match service.find_tier(name).await {
        Ok(tier) => tier,
        Err(KeyServiceError::NoTier { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (old, new) = (tier.requests_per_minute, limit.get());
    let is_loss = tier.active_keys > 0 && i64::from(new) < i64::from(old);
    Ok(is_loss.then(|| {
        let keys = tier.active_keys;
        format!(
            "the active keys ({keys}) of tier {name} would get {new} requests a minute \
             instead of {old}"
        )
    }))
}
