//! Checks of the rows of a stocks file.

use super::RowNotes;
use super::country::country;
use crate::feed::error::RowError;
use crate::feed::row::FeedRow;
use crate::market::{
    Identifier, IdentifierKind, InstrumentType, KnownExchange, Symbol, currency, exchange_code,
};
use crate::store::{ReferenceData, StagedRows};

pub(super) fn stage_stock(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut StagedRows,
) -> Result<RowNotes, RowError> {
    let mut details = Details { row, unread: Vec::new() };
    let written = row.symbol("symbol")?;
    let (found, symbol) = current_symbol(row, reference, written)?;
    // Two stocks, if the file lists the other spelling as well.
    let other_spelling = written.has_other_mark_than(found).then(|| written.as_str());
    let Some(exchange) = exchange_code(row.required_text("exchange")?, &reference.exchanges) else {
        return Err(row.error("exchange", expected_exchange(row.text("exchange"), reference)));
    };
    let Some(currency) = currency(row.text("currency")) else {
        let expected = "expected an ISO 4217 code such as USD, or a minor unit such as GBX";
        return Err(row.error("currency", expected));
    };
    let market_cap = match row.is_blank("market_cap") {
        true => None,
        false => Some(row.whole_number("market_cap")?.number),
    };
    out.push(&[
        &row.line.cast_signed(),
        &symbol.as_str(),
        &other_spelling,
        &row.required_text("name")?,
        &exchange,
        &non_empty(row.optional_text("sector")?),
        &non_empty(row.optional_text("industry")?),
        &currency,
        &market_cap,
        &details.read("type", instrument_type),
        &details.read("country", country),
        &details.read("isin", |text| identifier(IdentifierKind::Isin, text)),
        &details.read("cusip", |text| identifier(IdentifierKind::Cusip, text)),
        &details.read("figi", |text| identifier(IdentifierKind::Figi, text)),
        &details.read("cik", |text| identifier(IdentifierKind::Cik, text)),
    ]);
    Ok(RowNotes { unread: details.unread, ..RowNotes::default() })
}

fn non_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// What was expected in the place of an exchange that is not stored.
fn expected_exchange(text: &str, reference: &ReferenceData) -> String {
    let mut codes: Vec<_> = reference.exchanges.values().map(String::as_str).collect();
    codes.sort_unstable();
    codes.dedup();
    let codes = codes.join(", ");
    match KnownExchange::of(&text.to_ascii_uppercase()) {
        Some(KnownExchange { code, name, .. }) => {
            format!("expected a known exchange ({codes}): tickerd exchanges add {code} adds {name}")
        }
        None => format!(
            "expected a known exchange ({codes}), or one that tickerd exchanges add has added"
        ),
    }
}

/// Reads the details of a stock. A detail that can't be read is left out: the stock and its prices
/// are worth more than its type.
struct Details<'a> {
    row: &'a FeedRow<'a>,
    unread: Vec<RowError>,
}

impl Details<'_> {
    fn read<T>(
        &mut self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.row.is_blank(column) {
            return None;
        }
        match parse(self.row.text(column)) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.unread.push(self.row.error(column, expected));
                None
            }
        }
    }
}

/// The spelling of a written symbol that finds a stock, and the current symbol of the stock. Under
/// a former symbol the row must have the stored name of the stock: another company may have the
/// symbol by now.
fn current_symbol(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    written: Symbol,
) -> Result<(Symbol, Symbol), RowError> {
    let (symbol, current) =
        reference.find(written).map_or((written, written), |(found, stock)| (found, stock.symbol));
    match reference.inherited.get(&symbol) {
        Some(inherited) if inherited.name != row.text("name") => {
            let name = &inherited.name;
            let expected = format!(
                "expected {name:?}, the name of {current}, which was {symbol} (--reuse {symbol} \
                 for another company)"
            );
            Err(row.error("name", expected))
        }
        _ => Ok((symbol, current)),
    }
}

fn instrument_type(text: &str) -> Result<&'static str, String> {
    let known = InstrumentType::of_vendor(text).map(InstrumentType::as_str);
    known.ok_or_else(|| {
        format!("expected a type of instrument ({})", InstrumentType::WORDS.join(", "))
    })
}

fn identifier(kind: IdentifierKind, text: &str) -> Result<String, String> {
    let parsed = Identifier::parse(kind, text).map_err(|error| error.to_string())?;
    Ok(parsed.as_str().to_owned())
}
