//! Types and frequencies of corporate actions in the words of vendors.

use crate::market::ActionType;

/// The type that a word stands for; `Ok(None)` if the word says that it is not known.
pub(super) fn action_type(text: &str) -> Result<Option<ActionType>, UnknownType> {
    Ok(Some(match normalized(text).as_str() {
        "" | "unknown" | "dividend" | "dividends" => return Ok(None),
        // Massive: CD, SC, LT, ST; or recurring, special, supplemental, irregular.
        "cash" | "cd" | "regular" | "recurring" | "ordinary" | "income" | "cashdividend" => {
            ActionType::Cash
        }
        "special" | "sc" | "specialcash" | "supplemental" | "irregular" | "extra" => {
            ActionType::Special
        }
        "capitalgain" | "capitalgains" => ActionType::CapitalGain,
        "longtermcapitalgain" | "longtermcapitalgains" | "lt" => ActionType::LongTermCapitalGain,
        "shorttermcapitalgain" | "shorttermcapitalgains" | "st" => ActionType::ShortTermCapitalGain,
        "returnofcapital" | "roc" => ActionType::ReturnOfCapital,
        // A stock dividend is paid in shares. It needs a ratio: an amount is refused.
        "split" | "stocksplit" | "forwardsplit" | "reversesplit" | "stock" | "stockdividend" => {
            ActionType::Split
        }
        "spinoff" => ActionType::SpinOff,
        _ => return Err(UnknownType),
    }))
}

pub(super) struct UnknownType;

/// Payments a year, as a number or a word; 0 for one that is paid once.
pub(super) fn frequency(text: &str) -> Option<u16> {
    let count = match normalized(text).as_str() {
        "annual" | "annually" | "yearly" => 1,
        "semiannual" | "semiannually" | "halfyearly" | "biannual" => 2,
        "quarterly" => 4,
        "bimonthly" => 6,
        "monthly" => 12,
        "weekly" => 52,
        "irregular" | "special" | "onetime" | "once" => 0,
        _ => text.trim().trim_end_matches(".0").parse().ok()?,
    };
    (count <= 366).then_some(count)
}

fn normalized(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_from_its_own_word_and_from_those_of_vendors() {
        for action in ActionType::ALL {
            assert_eq!(action_type(action.as_str()).ok().flatten(), Some(action));
        }
        for (text, action) in [
            ("CD", ActionType::Cash),
            ("SC", ActionType::Special),
            ("LT", ActionType::LongTermCapitalGain),
            ("ST", ActionType::ShortTermCapitalGain),
            ("Capital Gain", ActionType::CapitalGain),
            ("Spin-off", ActionType::SpinOff),
            ("forward_split", ActionType::Split),
        ] {
            assert_eq!(action_type(text).ok().flatten(), Some(action), "{text}");
        }
        assert!(matches!(action_type(""), Ok(None)));
        assert!(action_type("merger").is_err());
    }

    #[test]
    fn a_frequency_is_a_number_or_a_word() {
        for (text, count) in [
            ("4", Some(4)),
            ("12.0", Some(12)),
            ("Quarterly", Some(4)),
            ("Semi-Annual", Some(2)),
            ("0", Some(0)),
            ("irregular", Some(0)),
            ("often", None),
            ("-1", None),
            ("1000", None),
        ] {
            assert_eq!(frequency(text), count, "{text}");
        }
    }
}
