//! Who the synthetic stocks are.

use super::random::Random;
use super::records::Stock;

/// The most stocks a plan may have: every four- and five-letter symbol except
/// those of [`RESERVED`].
pub const MAX_STOCKS: u32 = FOUR_LETTERS + FIVE_LETTERS - RESERVED.len() as u32;

/// Symbols of real stocks which a synthetic one never takes, in order. (The
/// other real ones, FB and IBM, are shorter than any synthetic symbol.)
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

pub(super) fn stock(random: &mut Random, index: u32) -> Stock {
    let symbol = symbol(index);
    let (sector, industry) = random.pick(&BUSINESSES);
    Stock {
        name: format!("Synthetic {symbol} Inc."),
        symbol,
        exchange: random.pick(&["NASDAQ", "NYSE"]),
        sector,
        industry,
        currency: "USD",
    }
}

/// AAAA, AAAB, ... ZZZZ, AAAAA, ... without the reserved ones.
pub(super) fn symbol(index: u32) -> String {
    let mut number = index;
    for reserved in RESERVED {
        let taken = reserved.iter().fold(0, |sum, letter| sum * 26 + u32::from(letter - b'A'));
        number += u32::from(number >= taken);
    }
    let (mut rest, length) = match number.checked_sub(FOUR_LETTERS) {
        None => (number, 4),
        Some(beyond) => (beyond, 5),
    };
    let mut letters = ['A'; 5];
    for letter in letters[..length].iter_mut().rev() {
        *letter = char::from(b'A' + (rest % 26) as u8);
        rest /= 26;
    }
    letters[..length].iter().collect()
}
