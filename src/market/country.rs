//! Countries by their codes.

/// The code of two letters of a country, by its code of two or three letters (ISO 3166-1) in any
/// case.
pub fn country(text: &str) -> Option<&'static str> {
    let code = text.to_ascii_uppercase();
    let known = rust_iso3166::from_alpha2(&code).or_else(|| rust_iso3166::from_alpha3(&code));
    known.map(|country| country.alpha2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_two_and_of_three_letters_are_read_in_any_case() {
        for text in ["US", "us", "USA", "Usa"] {
            assert_eq!(country(text), Some("US"), "{text}");
        }
        for text in ["XX", "UK", "U", "", "840", "USAA"] {
            assert_eq!(country(text), None, "{text}");
        }
    }
}
