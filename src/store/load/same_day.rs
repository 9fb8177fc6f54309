//! Several dividends of one stock, day and type, which the operator asks to add.

use super::rounding::EXACT_TEXTS;
use super::{Loader, Table, with_timeout};
use crate::store::StoreError;

/// Rows of dividends that were replaced by their sums.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AddedDividends {
    pub sums: u64,
    /// The staged rows that are gone: of each sum one stays.
    pub rows_gone: u64,
}

impl Loader {
    /// Replaces staged dividends of one stock, ex-date and type by their exact sum, if all of their
    /// amounts differ. Rows that are the same as an earlier one are deleted before. Dates and
    /// frequency stay where all rows have the same.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn add_same_day_dividends(&self) -> Result<AddedDividends, StoreError> {
        if self.table != Table::Actions {
            return Ok(AddedDividends::default());
        }
        with_timeout(self.timeout, self.replace_by_sums()).await
    }

    async fn replace_by_sums(&self) -> Result<AddedDividends, StoreError> {
        self.delete_identical().await?;
        self.client.batch_execute(EXACT_TEXTS).await?;
        let same = |column: &str| {
            format!(
                "CASE WHEN count({column}) = count(*) AND min({column}) = max({column})
                      THEN min({column}) END AS {column}"
            )
        };
        let details = ["declaration_date", "record_date", "pay_date", "frequency"];
        let sql = format!(
            "WITH sums AS (
                 SELECT stock_id, ex_date, type, min(line) AS line, bool_and(has_type) AS has_type,
                        sum(dividend::text::numeric)::float8 AS dividend, {}
                 FROM staging WHERE kind = 'dividend' GROUP BY stock_id, ex_date, type
                 HAVING count(*) > 1 AND count(DISTINCT dividend) = count(*)),
             kept AS (
                 UPDATE staging s SET has_type = d.has_type, dividend = d.dividend,
                        declaration_date = d.declaration_date, record_date = d.record_date,
                        pay_date = d.pay_date, frequency = d.frequency
                 FROM sums d
                 WHERE (s.stock_id, s.ex_date, s.type, s.line)
                       = (d.stock_id, d.ex_date, d.type, d.line) RETURNING 1),
             gone AS (
                 DELETE FROM staging s USING sums d
                 WHERE (s.stock_id, s.ex_date, s.type) = (d.stock_id, d.ex_date, d.type)
                   AND s.line <> d.line RETURNING 1)
             SELECT (SELECT count(*) FROM kept) AS sums, (SELECT count(*) FROM gone) AS gone",
            details.map(same).join(", ")
        );
        let row = self.client.query_one(&sql, &[]).await?;
        let count = |column| row.try_get(column).map(i64::unsigned_abs);
        Ok(AddedDividends { sums: count("sums")?, rows_gone: count("gone")? })
    }
}
