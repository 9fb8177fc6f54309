//! What one connection finds out about a database: whether the server can work with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::error::NO_ANSWER;
use super::migrations::{EXTENSION, TABLES, embedded};
use super::{Database, StoreError};
use crate::config::{DatabaseConfig, Pooler};

/// For the statements of an inspection, which each take milliseconds.
const STATEMENTS_TIMEOUT: Duration = Duration::from_secs(5);

/// A database as one connection finds it.
#[derive(Debug)]
pub struct Inspection {
    /// As in `16.4 (Debian 16.4-1)`.
    pub server_version: String,
    pub role: String,
    /// The clock of the server, and that of this machine at the same moment.
    pub clocks: (DateTime<Utc>, DateTime<Utc>),
    /// Of one statement.
    pub round_trip: Duration,
    /// Connections that the server allows to all of its clients.
    pub connections_max: i32,
    pub is_read_only: bool,
    /// Whether the extension that the tables need is there.
    pub has_extension: bool,
    /// Whether the tables are there, of any release.
    pub has_tables: bool,
    /// The names of migrations that are not applied.
    pub pending_migrations: Vec<String>,
    /// What the role may not do: privileges, and the tables that each is missing on.
    missing_privileges: BTreeMap<String, Vec<String>>,
}

impl Inspection {
    /// The statements that grant the role what it lacks.
    pub fn missing_grants(&self) -> Vec<String> {
        let missing = self.missing_privileges.iter();
        let grant = |(privilege, tables): (&String, &Vec<String>)| {
            let kind = if privilege == "USAGE" { "SCHEMA " } else { "" };
            format!("GRANT {privilege} ON {kind}{} TO {}", tables.join(", "), self.role)
        };
        missing.map(grant).collect()
    }
}

impl Database {
    /// Connects as requests do, through a pooler if there is one, and looks around.
    ///
    /// # Errors
    /// If Postgres can't be reached or does not answer in time. An error that waiting can't mend is
    /// [`StoreError::Refused`].
    pub async fn inspect(config: &DatabaseConfig) -> Result<Inspection, StoreError> {
        let mut database = Self::at("DATABASE_URL", &config.database_url, config)?;
        if config.pooler() == Pooler::None {
            // A transaction pooler rejects options, which is how it is detected.
            database.add_options("-c statement_timeout=5s");
        }
        let client = database.connect().await?;
        tokio::time::timeout(STATEMENTS_TIMEOUT, inspect(&client))
            .await
            .map_err(|_| StoreError::Unreachable(NO_ANSWER.to_owned()))?
    }
}

async fn inspect(client: &Client) -> Result<Inspection, StoreError> {
    let sent = (Instant::now(), Utc::now());
    let sql = "SELECT clock_timestamp() AS clock, current_setting('server_version') AS version,
                      quote_ident(current_user) AS role,
                      current_setting('max_connections')::int AS connections_max,
                      current_setting('transaction_read_only') = 'on' AS is_read_only,
                      EXISTS (SELECT FROM pg_extension WHERE extname = $1) AS has_extension,
                      to_regclass('refinery_schema_history') IS NOT NULL AS has_tables";
    let row = client.query_typed_one(sql, &[(&EXTENSION, Type::TEXT)]).await?;
    let round_trip = sent.0.elapsed();
    let has_tables = row.try_get("has_tables")?;
    let (applied, missing_privileges) = if has_tables {
        (applied_migrations(client).await?, missing_privileges(client).await?)
    } else {
        (Vec::new(), BTreeMap::new())
    };
    let is_pending = |(version, _): &(i32, String)| !applied.contains(version);
    Ok(Inspection {
        server_version: row.try_get("version")?,
        role: row.try_get("role")?,
        clocks: (row.try_get("clock")?, sent.1 + round_trip / 2),
        round_trip,
        connections_max: row.try_get("connections_max")?,
        is_read_only: row.try_get("is_read_only")?,
        has_extension: row.try_get("has_extension")?,
        has_tables,
        pending_migrations: embedded().filter(is_pending).map(|(_, name)| name).collect(),
        missing_privileges,
    })
}

/// The versions of the migrations that are applied.
async fn applied_migrations(client: &Client) -> Result<Vec<i32>, StoreError> {
    let rows = client.query_typed("SELECT version FROM refinery_schema_history", &[]).await?;
    rows.iter().map(|row| Ok(row.try_get("version")?)).collect()
}

/// What the server does beyond reading, as deploy/roles.sql grants it: (privilege, tables).
const WRITES: [(&str, &[&str]); 3] = [
    (
        "INSERT",
        &[
            "api_keys",
            "audit",
            "drawn_revisions",
            "kept_windows",
            "key_usage",
            "tiers",
            "usage_batches",
            "watchlists",
        ],
    ),
    ("UPDATE", &["api_keys", "key_usage", "revision", "tiers", "usage_batches", "watchlists"]),
    ("DELETE", &["kept_windows", "usage_batches", "watchlists"]),
];

/// The schema with the data of earlier times, and its views.
const AS_OF: &str = "as_of";
const AS_OF_VIEWS: [&str; 5] = [
    "as_of.corporate_actions",
    "as_of.former_symbols",
    "as_of.inherited_symbols",
    "as_of.prices",
    "as_of.stocks",
];

/// The privileges that the role lacks, each with its tables.
async fn missing_privileges(client: &Client) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    // A table of a migration that is not applied is missing for another reason. Without the right
    // to use the schema, its views are found in the catalogue alone.
    let sql = "SELECT name AS table_name, privilege
               FROM unnest($1, $2) AS needed (name, privilege)
               CROSS JOIN LATERAL (SELECT CASE WHEN name LIKE 'as_of.%' THEN (
                       SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                       WHERE n.nspname = 'as_of' AND c.relname = substr(name, 7))
                   WHEN privilege <> 'USAGE' THEN to_regclass(name)::oid END AS oid) AS found
               WHERE CASE privilege
                   WHEN 'USAGE' THEN to_regnamespace(name) IS NOT NULL
                       AND NOT has_schema_privilege(name, privilege)
                   ELSE oid IS NOT NULL AND NOT has_table_privilege(oid, privilege) END
               ORDER BY table_name";
    let views = AS_OF_VIEWS.iter().map(|view| ("SELECT", *view));
    let reads = TABLES.iter().map(|table| ("SELECT", *table)).chain(views);
    let writes = WRITES
        .iter()
        .flat_map(|(privilege, tables)| tables.iter().map(move |table| (*privilege, *table)));
    let (privileges, names): (Vec<&str>, Vec<&str>) =
        reads.chain(writes).chain([("USAGE", AS_OF)]).unzip();
    let (names, privileges): (&(dyn ToSql + Sync), &(dyn ToSql + Sync)) = (&names, &privileges);
    let params = [(names, Type::TEXT_ARRAY), (privileges, Type::TEXT_ARRAY)];
    let mut missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in client.query_typed(sql, &params).await? {
        missing.entry(row.try_get("privilege")?).or_default().push(row.try_get("table_name")?);
    }
    Ok(missing)
}
