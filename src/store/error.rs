//! Errors of Postgres, and the distinctions between them that callers act on.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

pub(super) const NO_ANSWER: &str = "it did not answer in time (DATABASE_CONNECT_TIMEOUT_MS)";

const UNTRUSTED: &str = "neither this certificate nor its authority is trusted: name one of them \
                         in the PEM file DATABASE_CA_FILE (sslmode=disable is for private \
                         networks only)";

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{variable} is not usable: {reason}")]
    Url { variable: &'static str, reason: String },
    #[error("the connection pool can't be created: {0}")]
    Pool(String),
    #[error(
        "migrations and loads need a session, which a transaction pooler does not keep: set \
         DATABASE_DIRECT_URL to Postgres itself, past the pooler"
    )]
    NeedsSession,
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    #[error("Postgres can't be reached: {0}")]
    Unreachable(String),
    /// Waiting does not help: somebody has to change the settings or the server.
    #[error("Postgres can't be used: {0}")]
    Refused(String),
    #[error("Postgres can't be used: {0}")]
    BehindPooler(String),
    #[error("no connection to Postgres became free in time")]
    NoConnectionFree,
    #[error("too many requests wait for a connection to Postgres (DATABASE_QUEUE_MAX)")]
    QueueFull,
    #[error("too many statements that read all stocks run or wait (DATABASE_SCANS_MAX)")]
    ScansBusy,
    #[error("Postgres did not answer within {0} ms")]
    Timeout(u128),
    #[error("Postgres: {}", describe(.0))]
    Statement(#[from] tokio_postgres::Error),
    #[error("migrations: {0}")]
    Migration(String),
    #[error("the database holds invalid data: {0}")]
    Corrupt(String),
    /// `start` is in microseconds of the epoch.
    #[error("replaced data is kept since revision {start}, after the requested time")]
    BeforeHistory { start: i64 },
}

impl StoreError {
    /// The error of an attempt to connect.
    pub(super) fn from_connecting(error: &tokio_postgres::Error) -> Self {
        if is_from_pooler(error) {
            Self::BehindPooler(describe(error))
        } else if is_permanent(error) {
            Self::Refused(describe(error))
        } else {
            Self::Unreachable(describe(error))
        }
    }

    /// Whether waiting can't mend it.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::BehindPooler(_) | Self::Url { .. } | Self::Tls(_))
    }

    /// Whether the same request may succeed soon, when Postgres is back or less busy.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::NoConnectionFree
            | Self::QueueFull
            | Self::ScansBusy
            | Self::Timeout(_) => true,
            Self::Statement(e) => {
                is_connection_failure(e)
                    || e.code().is_some_and(is_transient_state)
                    // `tickerd migrate` is still to run, or running.
                    || e.code().is_some_and(is_missing_table)
            }
            _ => false,
        }
    }

    /// Whether it is unknown if Postgres ran the statement.
    pub(super) fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Timeout(_)) || self.is_dead_connection()
    }

    pub(super) fn is_dead_connection(&self) -> bool {
        let Self::Statement(e) = self else { return false };
        let ended = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN];
        is_connection_failure(e) || e.code().is_some_and(|code| ended.contains(code))
    }

    pub(super) fn has_state(&self, state: &SqlState) -> bool {
        matches!(self, Self::Statement(e) if e.code() == Some(state))
    }

    /// Whether a write violated a constraint (class 23). That is a mistake of the caller, not a
    /// failure of Postgres.
    pub(super) fn is_constraint_violation(&self) -> bool {
        let Self::Statement(e) = self else { return false };
        e.code().is_some_and(|state| state.code().starts_with("23"))
    }

    /// The name of the constraint that a write violated.
    pub(super) fn constraint(&self) -> Option<&str> {
        let Self::Statement(e) = self else { return None };
        e.as_db_error()?.constraint()
    }
}

/// Whether the connection failed, not the statement.
fn is_connection_failure(error: &tokio_postgres::Error) -> bool {
    error.is_closed()
        || std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>())
}

/// Whether waiting can't mend a failure to connect: a wrong password, an unknown role or database
/// (class 28, 3D), a server that refuses TLS or that is not trusted, a URL without a password.
fn is_permanent(error: &tokio_postgres::Error) -> bool {
    if let Some(state) = error.code() {
        // Supabase reports an unknown project or role as an internal error.
        let is_unknown_tenant = error.as_db_error().is_some_and(|db| {
            db.message().to_ascii_lowercase().contains("tenant or user not found")
        });
        return ["28", "3D"].iter().any(|class| state.code().starts_with(class))
            || is_unknown_tenant;
    }
    let cause = std::error::Error::source(error);
    cause.is_some_and(|cause| {
        crate::tls::is_untrusted(cause) || cause.to_string().contains("does not support TLS")
    }) || error.to_string().starts_with("invalid configuration")
}

/// A table, a column or a function that a migration would create.
fn is_missing_table(state: &SqlState) -> bool {
    [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::UNDEFINED_FUNCTION]
        .contains(state)
}

/// Classes 08 (connection), 25 (read-only), 53 (resources), 57 (operator intervention).
fn is_transient_state(state: &SqlState) -> bool {
    ["08", "25", "53", "57"].iter().any(|class| state.code().starts_with(class))
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Self::NoConnectionFree,
            PoolError::Backend(e) => Self::Unreachable(describe(&e)),
            PoolError::Timeout(_) => Self::Unreachable(NO_ANSWER.to_owned()),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

/// The cause of an error. The driver's own text says only "db error" or "error connecting to
/// server".
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    if error.is_closed() {
        return "the connection was lost".to_owned();
    }
    if let Some(db) = error.as_db_error() {
        let hint = match db.code() {
            // The text of Postgres names a file of its own.
            &SqlState::DISK_FULL => {
                return "its disk is full (53100): free some space, then try again".to_owned();
            }
            code if is_missing_table(code) => ": run tickerd migrate first",
            &SqlState::INVALID_PASSWORD => ": check the user and the password in the URL",
            &SqlState::INVALID_CATALOG_NAME => ": create it, or name another one in the URL",
            &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                ": check the user in the URL, its sslmode, and pg_hba.conf of the server"
            }
            _ if is_from_pooler(error) => {
                ": behind a transaction pooler set DATABASE_POOLER=transaction"
            }
            _ => "",
        };
        return format!("{} ({}){hint}", db.message(), db.code().code());
    }
    match std::error::Error::source(error) {
        Some(cause) if crate::tls::is_untrusted(cause) => format!("{error}: {cause}; {UNTRUSTED}"),
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Whether the error is typical of a transaction pooler: it rejects session options, and a prepared
/// statement is missing on its next connection or belongs to another client.
pub(super) fn is_from_pooler(error: &tokio_postgres::Error) -> bool {
    let Some(db) = error.as_db_error() else { return false };
    let statements = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT];
    db.message().starts_with("unsupported startup parameter") || statements.contains(db.code())
}
