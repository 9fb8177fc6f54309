//! The corporate actions that have taken effect, as SQL for several statements, and read by name.

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::StoreError;
use super::bar_columns::array;
use crate::market::{
    ActionType, AdjustedCloseOrigin, Adjustments, Effect, EffectiveAction, factors,
};

/// Selects one row with the actions in effect of a stock `s`, whose newest bar has the date
/// `newest.date`, as arrays: those after the day `$after`, which bars from that day on are adjusted
/// by, or all if it is null. The dividends are left out unless `$with_dividends` holds and the
/// adjusted closes of the stock are computed: nothing else depends on them.
macro_rules! effective_actions {
    ($with_dividends:literal, $after:literal) => {
        concat!(
            "SELECT array_agg(a.ex_date) AS action_days, array_agg(a.type) AS action_types,
                    array_agg(a.split_from) AS action_split_from,
                    array_agg(a.split_to) AS action_split_to,
                    array_agg(a.dividend) AS action_dividend,
                    array_agg(CASE WHEN a.kind = 'dividend' THEN (
                        SELECT close FROM prices WHERE stock_id = a.stock_id AND date >= a.ex_date
                        ORDER BY date LIMIT 1) END) AS action_close,
                    array_agg(CASE WHEN a.kind = 'dividend' THEN (
                        SELECT date FROM prices WHERE stock_id = a.stock_id AND date >= a.ex_date
                        ORDER BY date LIMIT 1) END) AS action_bar_date
             FROM corporate_actions a
             WHERE a.stock_id = s.id AND a.ex_date <= newest.date
               AND a.ex_date > coalesce(",
            $after,
            "::date, '-infinity')
               AND (a.kind = 'split' OR (s.computes_adjusted_close AND ",
            $with_dividends,
            "))"
        )
    };
}

/// The adjustments in a row with the columns of [`effective_actions!`] and
/// `computes_adjusted_close`.
pub(super) fn adjustments(row: &Row) -> Result<Adjustments, StoreError> {
    let days: Vec<NaiveDate> = array(row, "action_days")?;
    let types: Vec<&str> = array(row, "action_types")?;
    let from: Vec<Option<f64>> = array(row, "action_split_from")?;
    let to: Vec<Option<f64>> = array(row, "action_split_to")?;
    let dividends: Vec<Option<f64>> = array(row, "action_dividend")?;
    let closes: Vec<Option<f64>> = array(row, "action_close")?;
    let bar_dates: Vec<Option<NaiveDate>> = array(row, "action_bar_date")?;
    let action = |(n, ex_date): (usize, NaiveDate)| {
        let bar = closes[n].zip(bar_dates[n]);
        let dividend = dividends[n].zip(bar).map(|(amount, (close, date))| (amount, close, date));
        effective_action(ex_date, types[n], from[n].zip(to[n]), dividend)
    };
    let actions = days.into_iter().enumerate().map(action).collect::<Result<_, _>>()?;
    let origin = match row.try_get("computes_adjusted_close")? {
        true => AdjustedCloseOrigin::Computed,
        false => AdjustedCloseOrigin::Feed,
    };
    Ok(Adjustments { factors: factors(actions), origin })
}

/// An action from its columns. `dividend` is its amount, and the close and the date of the first
/// bar from its ex-date on.
pub(super) fn effective_action(
    ex_date: NaiveDate,
    kind: &str,
    split: Option<(f64, f64)>,
    dividend: Option<(f64, f64, NaiveDate)>,
) -> Result<EffectiveAction, StoreError> {
    let effect = Effect::of(action_type(kind)?, split, dividend);
    let effect = effect.map_err(|error| StoreError::Corrupt(error.to_owned()))?;
    Ok(EffectiveAction { ex_date, effect })
}

pub(super) fn action_type(text: &str) -> Result<ActionType, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt(format!("{text:?} is not a type of event")))
}
