//! `tickerd cache clear`: lets every instance forget all cached responses.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::console::CliError;
use super::operator::{OperatorArgs, notify_of_data};

#[derive(Debug, Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// Forget all cached responses, on every instance and in Redis
    ///
    /// Loads and corrections need no clearing. It helps after a change of rows by hand.
    Clear,
}

#[derive(Serialize)]
struct ClearJson {
    /// The revision from which on responses are cached anew.
    revision: i64,
}

pub async fn run(args: CacheArgs) -> Result<(), CliError> {
    let CacheArgs { command: CacheCommand::Clear, operator } = args;
    let revision = operator.store()?.forget_cached_responses().await?;
    notify_of_data(operator.redis()?).await;
    operator.report(&ClearJson { revision }, || {
        "No response that was cached before is served any more: instances read all data again."
            .to_owned()
    })
}
