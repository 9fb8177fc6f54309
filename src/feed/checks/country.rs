//! Countries by their codes and English names.

use rust_iso3166::CountryCode;

use crate::market;

/// English names that ISO 3166 does not have, in lower case, and their codes.
const OTHER_NAMES: [(&str, &str); 16] = [
    ("united states", "US"),
    ("u.s.", "US"),
    ("u.s.a.", "US"),
    ("uk", "GB"),
    ("united kingdom", "GB"),
    ("great britain", "GB"),
    ("south korea", "KR"),
    ("russia", "RU"),
    ("vietnam", "VN"),
    ("turkey", "TR"),
    ("czech republic", "CZ"),
    ("ivory coast", "CI"),
    ("macau", "MO"),
    ("cape verde", "CV"),
    ("curacao", "CW"),
    ("laos", "LA"),
];
/// The names without brackets that several countries share.
const SHARED_NAMES: [&str; 4] = ["korea", "congo", "virgin islands", "saint martin"];

/// The code of two letters of a country, by a code of two or three letters or an English name.
///
/// # Errors
/// If it is none of these, as a sentence.
pub(super) fn country(text: &str) -> Result<&'static str, String> {
    let name = text.to_lowercase();
    let by_other_name = || {
        let (_, code) = OTHER_NAMES.iter().find(|(other, _)| *other == name)?;
        Some(*code)
    };
    let by_name = || {
        let called = rust_iso3166::ALL.iter().find(|country| is_called(country, &name));
        called.map(|country| country.alpha2)
    };
    market::country(text).or_else(by_other_name).or_else(by_name).ok_or_else(|| {
        "expected the ISO 3166 code of a country, such as US or USA, or its English name".to_owned()
    })
}

/// Whether a country has this name, with or without the words in brackets: `Taiwan (Province of
/// China)`.
fn is_called(country: &CountryCode, name: &str) -> bool {
    let own = country.name.to_lowercase();
    let short = own.split(" (").next().unwrap_or_default();
    own == name || short == name && !SHARED_NAMES.contains(&short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_known_by_its_codes_and_its_english_names() {
        for (text, code) in [
            ("US", "US"),
            ("usa", "US"),
            ("United States", "US"),
            ("United States of America", "US"),
            ("UK", "GB"),
            ("United Kingdom", "GB"),
            ("South Korea", "KR"),
            ("Taiwan", "TW"),
            ("Netherlands", "NL"),
            ("Germany", "DE"),
            ("Hong Kong", "HK"),
            ("Switzerland", "CH"),
        ] {
            assert_eq!(country(text), Ok(code), "{text}");
        }
        for text in ["", "Korea", "Virgin Islands", "Atlantis", "United"] {
            assert!(country(text).is_err(), "{text}");
        }
        for (_, code) in OTHER_NAMES {
            assert!(rust_iso3166::from_alpha2(code).is_some(), "{code}");
        }
    }
}
