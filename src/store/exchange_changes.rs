//! Changes of the table `exchanges` by operators. The audit records them under the operator's name.

use chrono::NaiveTime;
use tokio_postgres::{Client, Row};

use super::{Database, StoreError};
use crate::caller::Actor;

/// What an operator sets of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeFields {
    pub name: String,
    /// ISO 10383, upper case.
    pub mic: Option<String>,
    /// ISO 3166-1, two upper-case letters.
    pub country: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// IANA name.
    pub time_zone: String,
    /// Local time, as `closes_at` is.
    pub opens_at: Option<NaiveTime>,
    pub closes_at: NaiveTime,
    /// The MIC of a built-in calendar, or `NONE`. `None` means that of the MIC or of the code.
    pub calendar: Option<String>,
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeChange {
    Done,
    /// The exchange had these values before; nothing changed.
    Unchanged,
}

/// Why a change of an exchange was rejected.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeChangeError {
    #[error("no exchange has the code {0}: see tickerd exchanges list")]
    Unknown(String),
    #[error("the exchange {0} exists already: change it with tickerd exchanges set")]
    Exists(String),
    #[error("the MIC {mic} is that of the exchange {code}: expected another one")]
    MicTaken { mic: String, code: String },
    #[error("{0}")]
    Invalid(String),
}

impl Database {
    /// Adds an exchange.
    ///
    /// # Errors
    /// If Postgres fails: then nothing was changed.
    pub async fn add_exchange(
        &self,
        actor: &Actor,
        code: &str,
        fields: &ExchangeFields,
    ) -> Result<Result<(), ExchangeChangeError>, StoreError> {
        let client = begin(self, actor).await?;
        let sql = "SELECT FROM exchanges WHERE code = $1";
        if client.query_opt(sql, &[&code]).await?.is_some() {
            return Ok(Err(ExchangeChangeError::Exists(code.to_owned())));
        }
        if let Some(taken) = mic_taken(&client, code, fields).await? {
            return Ok(Err(taken));
        }
        let sql = "
            WITH next AS (SELECT next_revision() AS current)
            INSERT INTO exchanges (code, name, mic, country, currency, time_zone, opens_at,
                                   closes_at, calendar, revision)
            SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::time, $8::time,
                   $9::text, current
            FROM next";
        write(&client, sql, code, fields).await?;
        client.batch_execute("COMMIT").await?;
        Ok(Ok(()))
    }

    /// Changes an exchange by `change`, which gets its present values. All its stocks get a new
    /// data version, because their answers depend on the zone and the calendar.
    ///
    /// # Errors
    /// If Postgres fails: then nothing was changed.
    pub async fn change_exchange(
        &self,
        actor: &Actor,
        code: &str,
        change: impl FnOnce(&mut ExchangeFields) -> Result<(), String>,
    ) -> Result<Result<ExchangeChange, ExchangeChangeError>, StoreError> {
        let client = begin(self, actor).await?;
        let sql = "
            SELECT name, mic, country, currency, time_zone, opens_at, closes_at, calendar
            FROM exchanges WHERE code = $1 FOR NO KEY UPDATE";
        let Some(row) = client.query_opt(sql, &[&code]).await? else {
            return Ok(Err(ExchangeChangeError::Unknown(code.to_owned())));
        };
        let before = fields(&row)?;
        let mut after = before.clone();
        if let Err(problem) = change(&mut after) {
            return Ok(Err(ExchangeChangeError::Invalid(problem)));
        }
        if after == before {
            return Ok(Ok(ExchangeChange::Unchanged));
        }
        if let Some(taken) = mic_taken(&client, code, &after).await? {
            return Ok(Err(taken));
        }
        // In the order of a load, so that one waits for the other.
        let sql = "SELECT FROM stocks WHERE exchange = $1 ORDER BY symbol FOR NO KEY UPDATE";
        client.execute(sql, &[&code]).await?;
        let sql = "
            WITH next AS (SELECT next_revision() AS current),
            touched AS (UPDATE stocks SET data_version = next.current
                        FROM next WHERE exchange = $1)
            UPDATE exchanges
            SET name = $2, mic = $3, country = $4, currency = $5, time_zone = $6, opens_at = $7,
                closes_at = $8, calendar = $9, revision = next.current
            FROM next WHERE code = $1";
        write(&client, sql, code, &after).await?;
        client.batch_execute("COMMIT").await?;
        Ok(Ok(ExchangeChange::Done))
    }
}

/// Begins a transaction of an operator. Dropping the client before the commit rolls it back.
async fn begin(database: &Database, actor: &Actor) -> Result<Client, StoreError> {
    let client = database.connect_unpooled().await?;
    client.batch_execute("BEGIN").await?;
    client.execute("SELECT set_config('tickerd.actor', $1, true)", &[&actor.as_str()]).await?;
    Ok(client)
}

async fn mic_taken(
    client: &Client,
    code: &str,
    fields: &ExchangeFields,
) -> Result<Option<ExchangeChangeError>, StoreError> {
    let Some(mic) = &fields.mic else { return Ok(None) };
    let sql = "SELECT code FROM exchanges WHERE mic = $1 AND code <> $2";
    let Some(row) = client.query_opt(sql, &[mic, &code]).await? else { return Ok(None) };
    Ok(Some(ExchangeChangeError::MicTaken { mic: mic.clone(), code: row.try_get("code")? }))
}

/// Writes the values by a statement that draws the next revision. Runs last before the commit,
/// because that locks the counter which every change draws from.
async fn write(
    client: &Client,
    sql: &str,
    code: &str,
    fields: &ExchangeFields,
) -> Result<(), StoreError> {
    let ExchangeFields { name, mic, country, currency, time_zone, opens_at, closes_at, calendar } =
        fields;
    client
        .execute(
            sql,
            &[&code, name, mic, country, currency, time_zone, opens_at, closes_at, calendar],
        )
        .await?;
    Ok(())
}

fn fields(row: &Row) -> Result<ExchangeFields, StoreError> {
    Ok(ExchangeFields {
        name: row.try_get("name")?,
        mic: row.try_get("mic")?,
        country: row.try_get("country")?,
        currency: row.try_get("currency")?,
        time_zone: row.try_get("time_zone")?,
        opens_at: row.try_get("opens_at")?,
        closes_at: row.try_get("closes_at")?,
        calendar: row.try_get("calendar")?,
    })
}
