//! Exchanges as vendors and clients write them.

use std::collections::HashMap;

/// The codes of exchanges, and their other names as [`normalized`]: MICs, the codes of Yahoo, and
/// common names.
const NAMES: [(&str, &[&str]); 5] = [
    ("NYSE", &["XNYS", "NYQ", "NYS", "NEWYORKSTOCKEXCHANGE", "NEWYORKSTOCKEXCHANGEINC"]),
    (
        "NASDAQ",
        &[
            "XNAS",
            "XNGS",
            "XNMS",
            "XNCM",
            "NMS",
            "NGM",
            "NCM",
            "NAS",
            "NASDAQGS",
            "NASDAQGM",
            "NASDAQCM",
            "NASDAQNMS",
            "NASDAQSTOCKMARKET",
            "NASDAQGLOBALSELECT",
            "NASDAQGLOBALSELECTMARKET",
            "NASDAQGLOBALMARKET",
            "NASDAQCAPITALMARKET",
        ],
    ),
    ("NYSEAMER", &["XASE", "ASE", "AMEX", "NYSEMKT", "NYSEAMERICAN", "NYSEAMEX"]),
    ("NYSEARCA", &["ARCX", "ARCA", "PCX"]),
    ("BATS", &["BTS", "BZX", "CBOE", "CBOEBZX", "CBOEUS", "BATSBZX", "XCBO"]),
];

/// The code of an exchange; case, spaces and punctuation do not matter. `known` has each code under
/// the code itself and under other names of it.
pub fn exchange_code<'a>(text: &str, known: &'a HashMap<String, String>) -> Option<&'a str> {
    if let Some(code) = known.get(text) {
        return Some(code);
    }
    let name = normalized(text);
    let is_same = |(known, _): &(&String, &String)| normalized(known) == name;
    if let Some((_, code)) = known.iter().find(is_same) {
        return Some(code);
    }
    let (code, _) = NAMES.iter().find(|(_, names)| names.contains(&name.as_str()))?;
    known.get(*code).map(String::as_str)
}

fn normalized(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(codes: &[&str]) -> HashMap<String, String> {
        codes.iter().map(|code| (code.to_string(), code.to_string())).collect()
    }

    #[test]
    fn mics_and_common_names_are_known_in_any_case() {
        let known = known(&["NYSE", "NASDAQ", "NYSEAMER", "NYSEARCA", "BATS", "XETRA"]);
        for (text, code) in [
            ("NYSE", Some("NYSE")),
            ("XNYS", Some("NYSE")),
            ("nyq", Some("NYSE")),
            ("Nasdaq", Some("NASDAQ")),
            ("NasdaqGS", Some("NASDAQ")),
            ("Nasdaq Global Select Market", Some("NASDAQ")),
            ("NMS", Some("NASDAQ")),
            ("XNAS", Some("NASDAQ")),
            ("NYSE ARCA", Some("NYSEARCA")),
            ("NYSEArca", Some("NYSEARCA")),
            ("ARCX", Some("NYSEARCA")),
            ("NYSE MKT", Some("NYSEAMER")),
            ("XASE", Some("NYSEAMER")),
            ("Cboe BZX", Some("BATS")),
            ("Xetra", Some("XETRA")),
            ("OTC", None),
            ("XLON", None),
            ("", None),
        ] {
            assert_eq!(exchange_code(text, &known), code, "{text}");
        }
    }

    #[test]
    fn a_code_of_the_operator_comes_first() {
        let known = known(&["NYSE", "XNYS"]);
        assert_eq!(exchange_code("xnys", &known), Some("XNYS"));
        assert_eq!(exchange_code("ARCX", &known), None);
    }
}
