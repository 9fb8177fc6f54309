//! The exchanges whose calendar is built in, with what the table `exchanges` says of each.

use super::Calendar;
use super::{euronext, us, xasx, xetr, xhkg, xkrx, xlon, xmil, xnse, xshg, xsto, xswx, xtks, xtse};

/// An exchange that `tickerd exchanges add CODE` needs no further options for.
#[derive(Debug)]
pub struct KnownExchange {
    /// The code in the table `exchanges`. Outside the US it is the MIC.
    pub code: &'static str,
    /// The market identifier code (ISO 10383).
    pub mic: &'static str,
    pub name: &'static str,
    /// ISO 3166-1, two letters.
    pub country: &'static str,
    /// ISO 4217. London quotes most shares in pence of it.
    pub currency: &'static str,
    pub calendar: &'static Calendar,
}

impl KnownExchange {
    /// All of them: those of the US first, then by MIC.
    pub const ALL: [Self; 21] = [
        us("NYSE", "XNYS", "New York Stock Exchange"),
        us("NASDAQ", "XNAS", "Nasdaq Stock Market"),
        us("NYSEAMER", "XASE", "NYSE American"),
        us("NYSEARCA", "ARCX", "NYSE Arca"),
        us("BATS", "BATS", "Cboe BZX"),
        of("Euronext Amsterdam", "NL", "EUR", &euronext::AMSTERDAM),
        of("Australian Securities Exchange", "AU", "AUD", &xasx::CALENDAR),
        of("Euronext Brussels", "BE", "EUR", &euronext::BRUSSELS),
        of("Xetra", "DE", "EUR", &xetr::CALENDAR),
        of("Hong Kong Stock Exchange", "HK", "HKD", &xhkg::CALENDAR),
        of("Korea Exchange", "KR", "KRW", &xkrx::CALENDAR),
        of("London Stock Exchange", "GB", "GBP", &xlon::CALENDAR),
        of("Euronext Milan", "IT", "EUR", &xmil::CALENDAR),
        of("National Stock Exchange of India", "IN", "INR", &xnse::CALENDAR),
        of("Euronext Paris", "FR", "EUR", &euronext::PARIS),
        of("Shenzhen Stock Exchange", "CN", "CNY", &xshg::SHENZHEN),
        of("Shanghai Stock Exchange", "CN", "CNY", &xshg::CALENDAR),
        of("Nasdaq Stockholm", "SE", "SEK", &xsto::CALENDAR),
        of("SIX Swiss Exchange", "CH", "CHF", &xswx::CALENDAR),
        of("Tokyo Stock Exchange", "JP", "JPY", &xtks::CALENDAR),
        of("Toronto Stock Exchange", "CA", "CAD", &xtse::CALENDAR),
    ];

    /// The exchange with this code or this MIC.
    pub fn of(code_or_mic: &str) -> Option<&'static Self> {
        const ALL: &[KnownExchange] = &KnownExchange::ALL;
        ALL.iter().find(|known| known.code == code_or_mic || known.mic == code_or_mic)
    }
}

const fn us(code: &'static str, mic: &'static str, name: &'static str) -> KnownExchange {
    KnownExchange { code, mic, name, country: "US", currency: "USD", calendar: &us::CALENDAR }
}

const fn of(
    name: &'static str,
    country: &'static str,
    currency: &'static str,
    calendar: &'static Calendar,
) -> KnownExchange {
    KnownExchange { code: calendar.mic, mic: calendar.mic, name, country, currency, calendar }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::DEFAULT_EXCHANGE;

    #[test]
    fn an_exchange_is_found_by_its_code_and_by_its_mic() {
        for known in &KnownExchange::ALL {
            for name in [known.code, known.mic] {
                assert_eq!(KnownExchange::of(name).map(|found| found.code), Some(known.code));
                assert_eq!(Calendar::of(name), Some(known.calendar), "{name}");
            }
        }
        assert_eq!(Calendar::of(DEFAULT_EXCHANGE), Some(Calendar::US));
        for unknown in ["XETRA", "xetr", ""] {
            assert_eq!(Calendar::of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn no_code_or_mic_names_two_exchanges() {
        let mut names: Vec<_> = KnownExchange::ALL
            .iter()
            .flat_map(|known| [(known.code, known.code), (known.mic, known.code)])
            .collect();
        names.sort_unstable();
        names.dedup();
        let all = names.len();
        names.dedup_by_key(|(name, _)| *name);
        assert_eq!(names.len(), all);
    }
}
