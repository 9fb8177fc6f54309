//! Types of instruments.

use super::word_enum;

word_enum! {
    /// The type of an instrument.
    pub enum InstrumentType:
        "stock, etf, adr, fund, index, preferred, warrant, right, unit, bond or other" {
        /// Common stock.
        Stock = "stock",
        /// A fund or note that is traded on an exchange.
        Etf = "etf",
        /// A receipt for shares of a foreign company.
        Adr = "adr",
        /// A fund that is not traded on an exchange, or a closed-end fund.
        Fund = "fund",
        Index = "index",
        Preferred = "preferred",
        Warrant = "warrant",
        Right = "right",
        /// A bundle, often of a share and a warrant.
        Unit = "unit",
        Bond = "bond",
        Other = "other",
    }
}

/// The names that vendors use, without case, spaces and punctuation.
const VENDOR_NAMES: &[(&str, InstrumentType)] = &[
    // Massive
    ("cs", InstrumentType::Stock),
    ("os", InstrumentType::Stock),
    ("adrc", InstrumentType::Adr),
    ("gdr", InstrumentType::Adr),
    ("nyrs", InstrumentType::Adr),
    ("adrp", InstrumentType::Preferred),
    ("adrw", InstrumentType::Warrant),
    ("adrr", InstrumentType::Right),
    ("pfd", InstrumentType::Preferred),
    ("etn", InstrumentType::Etf),
    ("etv", InstrumentType::Etf),
    ("ets", InstrumentType::Etf),
    ("sp", InstrumentType::Other),
    ("basket", InstrumentType::Other),
    ("lt", InstrumentType::Other),
    ("agen", InstrumentType::Bond),
    // EODHD, Twelve Data, FMP
    ("commonstock", InstrumentType::Stock),
    ("ordinaryshares", InstrumentType::Stock),
    ("equity", InstrumentType::Stock),
    ("depositaryreceipt", InstrumentType::Adr),
    ("americandepositaryreceipt", InstrumentType::Adr),
    ("globaldepositaryreceipt", InstrumentType::Adr),
    ("preferredstock", InstrumentType::Preferred),
    ("preferredshare", InstrumentType::Preferred),
    ("mutualfund", InstrumentType::Fund),
    ("closedendfund", InstrumentType::Fund),
    ("trust", InstrumentType::Fund),
    ("exchangetradednote", InstrumentType::Etf),
    ("exchangetradedfund", InstrumentType::Etf),
];

impl InstrumentType {
    /// The type that a vendor's name means, such as `CS` or `Common Stock`.
    pub fn of_vendor(text: &str) -> Option<Self> {
        let letters = text.bytes().filter(u8::is_ascii_alphabetic);
        let name: String = letters.map(|b| char::from(b.to_ascii_lowercase())).collect();
        let known = VENDOR_NAMES.iter().find(|(vendor, _)| *vendor == name);
        known.map(|(_, of)| *of).or_else(|| name.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendors_name_is_read_in_any_case_and_spacing() {
        for (name, expected) in [
            ("CS", InstrumentType::Stock),
            ("Common Stock", InstrumentType::Stock),
            ("etf", InstrumentType::Etf),
            ("ETF", InstrumentType::Etf),
            ("Depositary Receipt", InstrumentType::Adr),
            ("Preferred Stock", InstrumentType::Preferred),
            ("INDEX", InstrumentType::Index),
        ] {
            assert_eq!(InstrumentType::of_vendor(name), Some(expected), "{name}");
        }
        for unknown in ["", "-", "crypto", "stocks and bonds"] {
            assert_eq!(InstrumentType::of_vendor(unknown), None, "{unknown}");
        }
    }
}
