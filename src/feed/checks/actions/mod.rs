//! Checks of the rows of a file of corporate actions. A row holds a split, a dividend, both or, in
//! a history of prices, neither.

mod ratio;
mod words;

use chrono::{Months, NaiveDate};

use self::ratio::Split;
use super::{RowNotes, check_currency, check_trading_day, stock_on};
use crate::feed::error::RowError;
use crate::feed::row::FeedRow;
use crate::feed::values;
use crate::market::{ActionType, EventKind, type_of_ratio};
use crate::store::{KnownStock, ReferenceData, StagedRows};

/// How far in the future an announced day may lie.
const MONTHS_AHEAD_MAX: Months = Months::new(120);
/// The columns that hold a split or a dividend.
const VALUES: [&str; 5] = ["split_from", "split_to", "split", "dividend", "capital_gains"];
/// The columns of splits in which some vendors write the old shares first, and others the new ones.
const AMBIGUOUS: [&str; 3] = ["from_factor", "to_factor", "ratio"];

pub(super) fn stage_action(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut StagedRows,
) -> Result<RowNotes, RowError> {
    check_columns(row)?;
    let given = Given::of(row)?;
    let (split, dividend) = (split(row)?, cash(row, "dividend")?);
    let capital_gain = cash(row, "capital_gains")?;
    given.check(row, split.is_some(), dividend.is_some())?;
    if split.is_none() && dividend.is_none() && capital_gain.is_none() {
        return Ok(RowNotes { has_no_action: true, ..RowNotes::default() });
    }
    let (stock, ex_date) = stock_on(row, reference, "ex_date")?;
    check_is_near(row, reference, "ex_date", ex_date)?;
    let trading_day = check_trading_day(row, reference, stock, "ex_date", ex_date)?;
    let details = Details {
        line: row.line,
        stock_id: stock.id,
        ex_date,
        declaration_date: optional_date(row, "declaration_date", stock)?,
        record_date: optional_date(row, "record_date", stock)?,
        pay_date: optional_date(row, "pay_date", stock)?,
        frequency: frequency(row)?,
    };
    // All checks come first: a row is staged as a whole or not at all.
    if dividend.is_some() || capital_gain.is_some() {
        check_currency(row, stock, reference)?;
    }
    let mut notes = RowNotes {
        is_on_closed_day: trading_day.is_closed,
        is_on_unknown_weekend: trading_day.is_unknown_weekend,
        ..RowNotes::default()
    };
    if let Some(Split { from, to }) = split {
        let given = given.action_of(EventKind::Split);
        let action = given.unwrap_or_else(|| type_of_ratio(from, to));
        notes.is_taken_for_spin_off = given.is_none() && action == ActionType::SpinOff;
        details.stage(action, given.is_some(), (Some(from), Some(to), None), out);
    }
    if let Some(dividend) = dividend {
        let given = given.action_of(EventKind::Dividend);
        let action = given.unwrap_or(ActionType::Cash);
        // Beside its capital gains, the dividend of a fund is no sum.
        let is_stated = given.is_some() || row.has("capital_gains");
        details.stage(action, is_stated, (None, None, Some(dividend)), out);
    }
    if let Some(gain) = capital_gain {
        details.stage(ActionType::CapitalGain, true, (None, None, Some(gain)), out);
    }
    Ok(notes)
}

/// Rejects the rows of a file in which splits or dividends would be overlooked.
fn check_columns(row: &FeedRow<'_>) -> Result<(), RowError> {
    if let Some(column) = AMBIGUOUS.into_iter().find(|column| row.has(column)) {
        let expected = "expected split_from and split_to instead: some vendors write the old \
                        shares first here, others the new ones";
        return Err(row.error(column, expected));
    }
    if !VALUES.iter().any(|column| row.has(column)) {
        return Err(row.error("dividend", "expected a column with dividends or splits"));
    }
    Ok(())
}

/// What a row says about the type of its action.
#[derive(Debug, Clone, Copy)]
struct Given {
    kind: Option<EventKind>,
    action: Option<ActionType>,
}

impl Given {
    fn of(row: &FeedRow<'_>) -> Result<Self, RowError> {
        let action = words::action_type(if row.is_blank("type") { "" } else { row.text("type") })
            .map_err(|_| {
            row.error("type", format!("expected {}", ActionType::WORDS.join(", ")))
        })?;
        let kind = match row.text("kind").to_ascii_lowercase() {
            text if values::is_blank(&text) => None,
            text => {
                Some(text.parse().map_err(|_| row.error("kind", "expected split or dividend"))?)
            }
        };
        Ok(Self { kind, action })
    }

    /// The type that the row says, if it is one of this kind.
    fn action_of(self, kind: EventKind) -> Option<ActionType> {
        self.action.filter(|action| action.kind() == kind)
    }

    /// Rejects a row that says it is a split or a dividend, and has no value of that kind.
    fn check(self, row: &FeedRow<'_>, has_split: bool, has_dividend: bool) -> Result<(), RowError> {
        for kind in self.kind.into_iter().chain(self.action.map(ActionType::kind)) {
            match kind {
                EventKind::Split if !has_split => {
                    let expected = "expected a ratio other than 1 to 1, as the row is of a split";
                    let column = if row.has("split") { "split" } else { "split_to" };
                    return Err(row.error(column, expected));
                }
                EventKind::Dividend if !has_dividend => {
                    let expected = "expected an amount above 0, as the row is of a dividend";
                    return Err(row.error("dividend", expected));
                }
                EventKind::Split | EventKind::Dividend => {}
            }
        }
        Ok(())
    }
}

/// The split of a row; `None` if it has none.
fn split(row: &FeedRow<'_>) -> Result<Option<Split>, RowError> {
    let from = row.optional_number("split_from")?;
    let to = row.optional_number("split_to")?;
    let in_two = match (from, to) {
        (None, None) => None,
        (Some(from), Some(to)) => Some(Split::of(from, to).ok_or_else(|| {
            row.error("split_to", "expected split_from and split_to, both above 0")
        })?),
        _ => return Err(row.error("split_to", "expected split_from and split_to, both above 0")),
    };
    let in_one = match row.text("split") {
        text if values::is_blank(text) => None,
        text => Some(Split::parse(text).ok_or_else(|| {
            let expected = "expected the ratio of new to old shares, as 4:1, 4/1 or 4.0";
            row.error("split", expected)
        })?),
    };
    let is_same = |a: Split, b: Split| a.from * b.to == a.to * b.from;
    let split = match (in_two, in_one) {
        (Some(two), Some(one)) if !is_same(two, one) => {
            return Err(row.error("split", "expected the ratio of split_to to split_from"));
        }
        (two, one) => two.or(one),
    };
    Ok(split.filter(|split| !split.is_none()))
}

/// The amount of a dividend in a column; `None` if the row has none.
fn cash(row: &FeedRow<'_>, column: &'static str) -> Result<Option<f64>, RowError> {
    match row.optional_number(column)? {
        Some(amount) if amount < 0.0 => Err(row.error(column, "expected a dividend above 0")),
        amount => Ok(amount.filter(|amount| *amount > 0.0)),
    }
}

fn optional_date(
    row: &FeedRow<'_>,
    column: &'static str,
    stock: KnownStock,
) -> Result<Option<NaiveDate>, RowError> {
    if row.is_blank(column) { Ok(None) } else { row.date(column, stock.zone).map(Some) }
}

/// Rejects a day so far in the future that a digit of its year must be wrong.
fn check_is_near(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    column: &'static str,
    day: NaiveDate,
) -> Result<(), RowError> {
    let last = reference.now.and_then(|now| now.date_naive().checked_add_months(MONTHS_AHEAD_MAX));
    match last.filter(|last| day > *last) {
        Some(last) => {
            let expected = format!("expected a day up to {last}, in ten years");
            Err(row.error(column, expected))
        }
        None => Ok(()),
    }
}

fn frequency(row: &FeedRow<'_>) -> Result<Option<u16>, RowError> {
    match row.text("frequency") {
        text if values::is_blank(text) => Ok(None),
        text => words::frequency(text)
            .map(Some)
            .ok_or_else(|| row.error("frequency", "expected payments a year, as 4 or quarterly")),
    }
}

/// What the events of one row share.
struct Details {
    line: u64,
    stock_id: i32,
    ex_date: NaiveDate,
    declaration_date: Option<NaiveDate>,
    record_date: Option<NaiveDate>,
    pay_date: Option<NaiveDate>,
    frequency: Option<u16>,
}

impl Details {
    /// Writes an event. `values` are the sides of a split and a dividend.
    fn stage(
        &self,
        action: ActionType,
        has_type: bool,
        values: (Option<f64>, Option<f64>, Option<f64>),
        out: &mut StagedRows,
    ) {
        let kind = action.kind().as_str();
        let (from, to, dividend) = values;
        out.push(&[
            &self.line.cast_signed(),
            &self.stock_id,
            &self.ex_date,
            &kind,
            &action.as_str(),
            &has_type,
            &from,
            &to,
            &dividend,
            &self.declaration_date,
            &self.record_date,
            &self.pay_date,
            &self.frequency.map(u16::cast_signed),
        ]);
    }
}
