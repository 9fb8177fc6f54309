//! The table `prices`, a stock at a time.

use super::bar_columns::bar;
use super::{Params, Snapshot, StockRef, StoreError};
use crate::market::{Bar, DateRange, Order};

macro_rules! bars_sql {
    ($direction:literal) => {
        concat!(
            "SELECT ",
            bar_columns!(),
            " FROM prices
             WHERE stock_id = $1 AND date >= $2 AND date <= coalesce($3, 'infinity'::date)
             ORDER BY date ",
            $direction,
            " LIMIT $4"
        )
    };
}

/// The statement of [`Snapshot::bars`]. It takes the id of a stock, not a symbol: finding the stock
/// by its symbol would take as long as reading the bars.
pub const fn bars_sql(order: Order) -> &'static str {
    match order {
        Order::Desc => bars_sql!("DESC"),
        Order::Asc => bars_sql!("ASC"),
    }
}

impl Snapshot<'_> {
    /// The first `limit` bars of a range, in this order.
    pub async fn bars(
        &self,
        stock: StockRef,
        range: DateRange,
        order: Order,
        limit: u32,
    ) -> Result<Vec<Bar>, StoreError> {
        let params: Params<'_> = &[&stock.id, &range.start(), &range.end(), &i64::from(limit)];
        self.query(stock.version, bars_sql(order), params).await?.iter().map(bar).collect()
    }
}
