//! Checks of the rows of a stocks file.

use std::io::Write;

use super::WRITES_TO_MEMORY;
use crate::feed::error::RowError;
use crate::feed::row::FeedRow;
use crate::feed::values::{currency, exchange_code};
use crate::market::{Identifier, IdentifierKind, InstrumentType, Symbol};
use crate::store::ReferenceData;

pub(super) fn stage_stock<W: Write>(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut csv::Writer<W>,
) -> Result<(), RowError> {
    let symbol = current_symbol(row, reference)?;
    let Some(exchange) = exchange_code(row.required_text("exchange")?, &reference.exchanges) else {
        let mut codes: Vec<_> = reference.exchanges.values().map(String::as_str).collect();
        codes.sort_unstable();
        codes.dedup();
        let codes = codes.join(", ");
        let expected = format!("expected a known exchange, a row of the table exchanges ({codes})");
        return Err(row.error("exchange", expected));
    };
    let Some(currency) = currency(row.text("currency")) else {
        let expected = "expected an ISO 4217 code such as USD, or a minor unit such as GBX";
        return Err(row.error("currency", expected));
    };
    let market_cap = match row.is_blank("market_cap") {
        true => None,
        false => Some(row.whole_number("market_cap")?.number),
    };
    out.serialize((
        row.line,
        symbol.as_str(),
        row.required_text("name")?,
        exchange,
        row.optional_text("sector")?,
        row.optional_text("industry")?,
        currency,
        market_cap,
        instrument_type(row)?,
        country(row)?,
        identifier(row, "isin", IdentifierKind::Isin)?,
        identifier(row, "cusip", IdentifierKind::Cusip)?,
        identifier(row, "figi", IdentifierKind::Figi)?,
        identifier(row, "cik", IdentifierKind::Cik)?,
    ))
    .expect(WRITES_TO_MEMORY);
    Ok(())
}

/// The current symbol of the stock in a row of stocks. Under a former symbol the row must have the
/// stored name of the stock: another company may have the symbol by now.
fn current_symbol(row: &FeedRow<'_>, reference: &ReferenceData) -> Result<Symbol, RowError> {
    let written = row.symbol("symbol")?;
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
        _ => Ok(current),
    }
}

fn instrument_type(row: &FeedRow<'_>) -> Result<Option<&'static str>, RowError> {
    let text = row.text("type");
    if text.is_empty() {
        return Ok(None);
    }
    let known = InstrumentType::of_vendor(text).map(|of| Some(of.as_str()));
    known.ok_or_else(|| {
        let words = InstrumentType::WORDS.join(", ");
        row.error("type", format!("expected a type of instrument ({words})"))
    })
}

/// A country by its code of two or three letters (ISO 3166-1).
fn country(row: &FeedRow<'_>) -> Result<Option<&'static str>, RowError> {
    let code = row.text("country").to_ascii_uppercase();
    if code.is_empty() {
        return Ok(None);
    }
    let known = rust_iso3166::from_alpha2(&code).or_else(|| rust_iso3166::from_alpha3(&code));
    known.map(|country| Some(country.alpha2)).ok_or_else(|| {
        row.error("country", "expected the ISO 3166 code of a country, such as US or USA")
    })
}

fn identifier(
    row: &FeedRow<'_>,
    column: &'static str,
    kind: IdentifierKind,
) -> Result<Option<String>, RowError> {
    let text = row.text(column);
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = Identifier::parse(kind, text);
    parsed
        .map(|identifier| Some(identifier.as_str().to_owned()))
        .map_err(|error| row.error(column, error.to_string()))
}
