//! `tickerd tiers list|set`: classes of service.

use clap::{Args, Subcommand};

use super::confirm::confirm;
use super::operator::{OperatorArgs, heard};
use super::{Failure, print_line};
use crate::caller::{RequestsPerMinute, TierName};
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
    /// List tiers, smallest first
    List,
    /// Give a tier this limit, and make it where there is none of that name; asks before it lowers
    /// a limit
    Set {
        name: TierName,
        /// Requests in any trailing 60 seconds, 1 to 10,000,000
        #[arg(long)]
        requests_per_minute: RequestsPerMinute,
        /// Lower a limit without being asked
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(args: TiersArgs) -> Result<(), Failure> {
    let (operator, registry) = (&args.operator, args.operator.registry()?);
    match args.command {
        TiersCommand::List => {
            let tiers = registry.store().list_tiers().await?;
            if operator.json {
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
            if let Some(loss) = loss(&registry, &name, requests_per_minute).await? {
                confirm(yes, &loss)?;
            }
            let is_new =
                matches!(registry.find_tier(&name).await, Err(KeyServiceError::NoTier { .. }));
            let told = registry.set_tier(&name, requests_per_minute).await?;
            operator.answer(&told, || {
                let Notified { result, instances_notified } = &told;
                let what = if is_new { "The new tier" } else { "Tier" };
                let (limit, heard) = (result.requests_per_minute, heard(*instances_notified));
                format!("{what} {name} has {limit} requests a minute. {heard}")
            })
        }
    }
}

/// What holders of keys would lose by this limit.
async fn loss(
    registry: &KeyService,
    name: &TierName,
    limit: RequestsPerMinute,
) -> Result<Option<String>, Failure> {
    let tier = match registry.find_tier(name).await {
        Ok(tier) => tier,
        Err(KeyServiceError::NoTier { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (now, then) = (tier.requests_per_minute, limit.get());
    let loses = tier.active_keys > 0 && i64::from(then) < i64::from(now);
    Ok(loses.then(|| {
        let keys = tier.active_keys;
        format!("the active keys ({keys}) of tier {name} would get {then} requests a minute instead of {now}")
    }))
}
