//! Currencies as vendors and clients write them.

/// The current codes: ISO 4217, list one of its maintenance agency (SIX), 2026-01-01, without those
/// for tests and for no currency.
const CURRENT: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN \
    BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD \
    EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR \
    IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD \
    MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD \
    OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE \
    SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI \
    UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD \
    XPF XPT XSU XUA YER ZAR ZMW ZWG";
/// The codes of former currencies, in which old prices are: ISO 4217, list three.
const HISTORIC: &str = "\
    ADP AFA ALK ANG AOK AON AOR ARA ARP ARY ATS AYM AZM BAD BEC BEF BEL BGJ BGK BGL BGN \
    BOP BRB BRC BRE BRN BRR BUK BYB BYR CHC CSD CSJ CSK CUC CYP DDM DEM ECS ECV EEK ESA \
    ESB ESP FIM FRF GEK GHC GHP GNE GNS GQE GRD GWE GWP HRD HRK IEP ILP ILR ISJ ITL LAJ \
    LSM LTL LTT LUC LUF LUL LVL LVR MAF MGF MLF MRO MTL MTP MVQ MXP MZE MZM NIC NLG PEH \
    PEI PES PLZ PTE RHD ROK ROL RUR SDD SDP SIT SKK SLL SRG STD SUR TJR TMM TPE TRL UAK \
    UGS UGW USS UYN UYP VEB VEF VNC XEU XFO XFU XRE YDD YUD YUM YUN ZAL ZMK ZRN ZRZ ZWC \
    ZWD ZWL ZWN ZWR";

/// Codes of vendors that ISO 4217 lacks: the yuan traded outside of China.
const OTHERS: &str = "CNH";

/// A minor unit of a currency, which vendors treat as a currency of its own. It is kept as what it
/// is, because a price in pence is not one in pounds.
struct MinorUnit {
    /// Its spellings.
    spellings: &'static [&'static str],
    code: &'static str,
    /// The currency that it is a hundredth of; of the fils a thousandth.
    major: &'static str,
}

const MINOR_UNITS: [MinorUnit; 5] = [
    MinorUnit { spellings: &["GBp", "GBX"], code: "GBX", major: "GBP" },
    MinorUnit { spellings: &["ZAc", "ZAC"], code: "ZAC", major: "ZAR" },
    MinorUnit { spellings: &["ILa", "ILA"], code: "ILA", major: "ILS" },
    MinorUnit { spellings: &["KWf", "KWF"], code: "KWF", major: "KWD" },
    MinorUnit { spellings: &["USX"], code: "USX", major: "USD" },
];

/// The code of a currency that is known. Lower case is folded; mixed case is `None` unless it is a
/// known minor unit.
pub fn currency(text: &str) -> Option<&'static str> {
    if let Some(unit) = MINOR_UNITS.iter().find(|unit| unit.spellings.contains(&text)) {
        return Some(unit.code);
    }
    let is_all = |is_case: fn(&u8) -> bool| text.as_bytes().iter().all(is_case);
    if !is_all(u8::is_ascii_uppercase) && !is_all(u8::is_ascii_lowercase) {
        return None;
    }
    let code = text.to_ascii_uppercase();
    let minor = MINOR_UNITS.iter().map(|unit| unit.code);
    let all = [CURRENT, HISTORIC, OTHERS].into_iter().flat_map(str::split_ascii_whitespace);
    all.chain(minor).find(|known| *known == code)
}

/// Whether two codes are a currency and its minor unit, so that prices differ by 100 or 1000.
pub fn are_units_of_one_currency(a: &str, b: &str) -> bool {
    let is_minor_of = |minor: &str, major: &str| {
        MINOR_UNITS.iter().any(|unit| unit.code == minor && unit.major == major)
    };
    is_minor_of(a, b) || is_minor_of(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pence_stay_pence_and_unknown_currencies_are_refused() {
        for (text, code) in [
            ("USD", Some("USD")),
            ("usd", Some("USD")),
            ("GBP", Some("GBP")),
            ("GBp", Some("GBX")),
            ("GBX", Some("GBX")),
            ("gbx", Some("GBX")),
            ("ZAc", Some("ZAC")),
            ("ILA", Some("ILA")),
            ("KWF", Some("KWF")),
            ("CNH", Some("CNH")),
            ("DEM", Some("DEM")),
            ("frf", Some("FRF")),
            ("ITL", Some("ITL")),
            ("Usd", None),
            ("GbP", None),
            ("EUr", None),
            ("GPB", None),
            ("ZZZ", None),
            ("BTC", None),
            ("aaa", None),
            ("XXX", None),
            ("US", None),
            ("USDT", None),
            ("U$D", None),
            ("USD EUR", None),
            ("", None),
        ] {
            assert_eq!(currency(text), code, "{text}");
        }
    }

    #[test]
    fn each_code_is_listed_once() {
        let all = [CURRENT, HISTORIC, OTHERS].into_iter().flat_map(str::split_ascii_whitespace);
        let mut all: Vec<_> = all.chain(MINOR_UNITS.iter().map(|unit| unit.code)).collect();
        assert!(all.iter().all(|code| code.len() == 3), "{all:?}");
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
    }

    #[test]
    fn a_currency_and_its_minor_unit_are_units_of_one_currency() {
        for (a, b) in [("GBX", "GBP"), ("ZAR", "ZAC"), ("ILA", "ILS"), ("KWD", "KWF")] {
            assert!(are_units_of_one_currency(a, b), "{a} {b}");
        }
        for (a, b) in [("GBP", "GBP"), ("GBX", "GBX"), ("GBX", "ZAR"), ("USD", "EUR")] {
            assert!(!are_units_of_one_currency(a, b), "{a} {b}");
        }
    }
}
