//! Synthetic stocks and their symbols.

use super::random::Random;

/// The description of a synthetic stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntheticStock {
    pub symbol: String,
    pub name: String,
    /// `NASDAQ` or `NYSE`.
    pub exchange: &'static str,
    pub sector: &'static str,
    pub industry: &'static str,
    /// ISO 4217 code; always `USD`.
    pub currency: &'static str,
}

/// The most stocks of a plan: all four- and five-letter symbols except those in [`RESERVED`].
pub const MAX_STOCKS: u32 = FOUR_LETTERS + FIVE_LETTERS - RESERVED.len() as u32;

/// Symbols of the real stocks of the seed data, in order. Synthetic stocks never have these. (The
/// others, FB and IBM, are shorter than all synthetic symbols.)
const RESERVED: [&[u8; 4]; 3] = [b"AAPL", b"GOOG", b"MSFT"];
const FOUR_LETTERS: u32 = 26_u32.pow(4);
const FIVE_LETTERS: u32 = 26_u32.pow(5);

const BUSINESSES: [(&str, &str); 8] = [
    ("Technology", "Semiconductors"),
    ("Technology", "Software - Application"),
    ("Healthcare", "Biotechnology"),
    ("Financial Services", "Banks - Regional"),
    ("Industrials", "Specialty Industrial Machinery"),
    ("Energy", "Oil & Gas E&P"),
    ("Consumer Cyclical", "Specialty Retail"),
    ("Utilities", "Utilities - Regulated Electric"),
];

pub(super) fn stock(random: &mut Random, index: u32) -> SyntheticStock {
    let symbol = symbol(index);
    let (sector, industry) = random.pick(&BUSINESSES);
    SyntheticStock {
        name: format!("Synthetic {symbol} Inc."),
        symbol,
        exchange: random.pick(&["NASDAQ", "NYSE"]),
        sector,
        industry,
        currency: "USD",
    }
}

/// The symbol at an index: AAAA, AAAB, ... ZZZZ, AAAAA, ... without the reserved ones.
pub(super) fn symbol(index: u32) -> String {
    let mut number = index;
    for reserved in RESERVED {
        let taken = reserved.iter().fold(0, |sum, letter| sum * 26 + u32::from(letter - b'A'));
        number += u32::from(number >= taken);
    }
    let (mut rest, length) = match number.checked_sub(FOUR_LETTERS) {
        None => (number, 4),
        Some(after_four_letters) => (after_four_letters, 5),
    };
    let mut letters = ['A'; 5];
    for letter in letters[..length].iter_mut().rev() {
        *letter = char::from(b'A' + (rest % 26) as u8);
        rest /= 26;
    }
    letters[..length].iter().collect()
}
