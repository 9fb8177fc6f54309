//! Checks of the rows of a file of corporate actions.

use std::io::Write;

use super::{WRITES_TO_MEMORY, stock_on};
use crate::feed::error::RowError;
use crate::feed::row::FeedRow;
use crate::market::{Action, ActionKind};
use crate::store::ReferenceData;

pub(super) fn stage_action<W: Write>(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut csv::Writer<W>,
) -> Result<(), RowError> {
    let (stock, ex_date) = stock_on(row, reference, "ex_date")?;
    let action = Action { ex_date, kind: action_kind(row)? };
    let (kind, from, to, dividend) = match action.kind {
        ActionKind::Split { from, to } => ("split", Some(from), Some(to), None),
        ActionKind::Dividend(dividend) => ("dividend", None, None, Some(dividend)),
    };
    out.serialize((row.line, stock.id, action.ex_date, kind, from, to, dividend))
        .expect(WRITES_TO_MEMORY);
    Ok(())
}

fn action_kind(row: &FeedRow<'_>) -> Result<ActionKind, RowError> {
    let from = row.optional_number("split_from")?;
    let to = row.optional_number("split_to")?;
    match (from, to, row.optional_number("dividend")?) {
        (Some(from), Some(to), None) if from > 0.0 && to > 0.0 => {
            Ok(ActionKind::Split { from, to })
        }
        (None, None, Some(dividend)) if dividend > 0.0 => Ok(ActionKind::Dividend(dividend)),
        (None, None, _) => {
            Err(row.error("dividend", "expected a dividend above 0, or split_from and split_to"))
        }
        (Some(_), Some(_), Some(_)) => {
            Err(row.error("dividend", "expected none beside a split: give it a row of its own"))
        }
        _ => Err(row.error("split_to", "expected split_from and split_to, both above 0")),
    }
}
