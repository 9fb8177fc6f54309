//! A role for `tickerd serve` with no more rights than it needs: `deploy/roles.sql`.

use tokio_postgres::Client;

use super::error::describe;
use super::{Database, StoreError};

pub const SERVER_ROLE: &str = "tickerd_serve";
/// Creates the role if it does not exist, and grants it its rights.
const SQL: &str = include_str!("../../deploy/roles.sql");

impl Database {
    /// Creates the role in a migrated database, if it does not exist, with this password of letters
    /// and digits. To an existing role, the migration has granted its rights.
    ///
    /// # Errors
    /// If the role of this connection may not create roles.
    pub async fn create_server_role(&self, password: &str) -> Result<(), StoreError> {
        let client = self.connect_unpooled().await?;
        if !has_server_role(&client).await? {
            client.batch_execute(SQL).await?;
        }
        // It takes no parameters.
        let sql = format!("ALTER ROLE {SERVER_ROLE} PASSWORD '{password}'");
        Ok(client.batch_execute(&sql).await?)
    }
}

/// Grants the role what it needs, also on new tables, if it exists.
pub(super) async fn grant_to_server(client: &Client) -> Result<(), StoreError> {
    if has_server_role(client).await?
        && let Err(error) = client.batch_execute(SQL).await
    {
        tracing::warn!(
            cause = describe(&error),
            "the role {SERVER_ROLE} did not get its rights: run deploy/roles.sql as their owner"
        );
    }
    Ok(())
}

async fn has_server_role(client: &Client) -> Result<bool, StoreError> {
    let sql = "SELECT FROM pg_roles WHERE rolname = $1";
    Ok(!client.query(sql, &[&SERVER_ROLE]).await?.is_empty())
}
