//! Currencies as vendors write them.

/// Minor units: the spellings of vendors, and the code that stands for the unit. They are kept as
/// what they are, because a price in pence is not one in pounds.
const MINOR_UNITS: [(&str, &str); 6] = [
    ("GBp", "GBX"),
    ("GBX", "GBX"),
    ("ZAc", "ZAC"),
    ("ZAC", "ZAC"),
    ("ILa", "ILA"),
    ("ILA", "ILA"),
];

/// The code of a currency. Lower case is folded; mixed case is `None` unless it is a known minor
/// unit.
pub fn currency(text: &str) -> Option<String> {
    if let Some((_, code)) = MINOR_UNITS.iter().find(|(spelling, _)| *spelling == text) {
        return Some((*code).to_owned());
    }
    let is_all = |is_case: fn(&u8) -> bool| text.as_bytes().iter().all(is_case);
    let is_code = is_all(u8::is_ascii_uppercase) || is_all(u8::is_ascii_lowercase);
    (text.len() == 3 && is_code).then(|| text.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pence_stay_pence_and_unknown_mixed_case_is_refused() {
        for (text, code) in [
            ("USD", Some("USD")),
            ("usd", Some("USD")),
            ("GBP", Some("GBP")),
            ("GBp", Some("GBX")),
            ("GBX", Some("GBX")),
            ("gbx", Some("GBX")),
            ("ZAc", Some("ZAC")),
            ("ILA", Some("ILA")),
            ("Usd", None),
            ("GbP", None),
            ("EUr", None),
            ("US", None),
            ("USDT", None),
            ("U$D", None),
            ("", None),
        ] {
            assert_eq!(currency(text).as_deref(), code, "{text}");
        }
    }
}
