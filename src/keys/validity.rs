//! How long keys are valid, as operators write it.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// A key that is to live longer than this need not expire.
const EXPIRES_IN_DAYS_MAX: i64 = 36_500;
/// Two keys for one holder are a passing state.
const GRACE_DAYS_MAX: i64 = 90;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidityError {
    #[error(
        "expected a time to come, within {EXPIRES_IN_DAYS_MAX} days, as 2027-01-31 (its start in UTC), 2027-01-31T12:00:00Z or 90d"
    )]
    Expiry,
    #[error("expected 0s to {GRACE_DAYS_MAX}d, as a whole number of s, m, h or d: 24h")]
    Grace,
}

/// How long an old key goes on beside the one that took over from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace(TimeDelta);

impl Grace {
    /// # Errors
    /// When it is longer than two keys should stand side by side.
    pub fn from_s(seconds: u64) -> Result<Self, ValidityError> {
        let span = i64::try_from(seconds)
            .ok()
            .and_then(TimeDelta::try_seconds)
            .ok_or(ValidityError::Grace)?;
        if span <= TimeDelta::days(GRACE_DAYS_MAX) {
            Ok(Self(span))
        } else {
            Err(ValidityError::Grace)
        }
    }

    pub fn is_none(self) -> bool {
        self.0.is_zero()
    }
}

impl Default for Grace {
    /// A day: a key holder's next deploy.
    fn default() -> Self {
        Self(TimeDelta::days(1))
    }
}

impl From<Grace> for TimeDelta {
    fn from(grace: Grace) -> Self {
        grace.0
    }
}

impl std::str::FromStr for Grace {
    type Err = ValidityError;

    fn from_str(text: &str) -> Result<Self, ValidityError> {
        let seconds = span(text).ok_or(ValidityError::Grace)?.num_seconds();
        u64::try_from(seconds).map_err(|_| ValidityError::Grace).and_then(Self::from_s)
    }
}

/// When a key is to expire, as a day, a time or a span from `now`.
///
/// # Errors
/// When it is none of these, or does not lie in the time to come.
pub fn expiry(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, ValidityError> {
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .map(|day| day.and_time(NaiveTime::MIN).and_utc())
    };
    let time = || DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let later = || span(text).and_then(|span| now.checked_add_signed(span));
    let at = later().or_else(day).or_else(time).ok_or(ValidityError::Expiry)?;
    if at > now && at - now <= TimeDelta::days(EXPIRES_IN_DAYS_MAX) {
        Ok(at)
    } else {
        Err(ValidityError::Expiry)
    }
}

/// A whole number of seconds, minutes, hours or days.
fn span(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    // Rust would also read "+5".
    let number: i64 = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())??;
    match unit {
        "s" => TimeDelta::try_seconds(number),
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn an_expiry_is_a_day_a_time_or_a_span() {
        for (text, at) in [
            ("2027-01-31", "2027-01-31T00:00:00Z"),
            ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
            ("2027-01-31T12:00:00+02:00", "2027-01-31T10:00:00Z"),
            ("90d", "2027-02-19T12:00:00Z"),
            ("1s", "2026-11-21T12:00:01Z"),
        ] {
            assert_eq!(
                expiry(text, now()).unwrap(),
                at.parse::<DateTime<Utc>>().unwrap(),
                "{text}"
            );
        }
        for text in [
            "",
            "0s",
            "2026-11-21",
            "2026-11-21T12:00:00Z",
            "2026-02-30",
            "tomorrow",
            "-1d",
            "1.5d",
            "90",
            "36501d",
        ] {
            assert_eq!(expiry(text, now()), Err(ValidityError::Expiry), "{text}");
        }
    }

    #[test]
    fn a_grace_is_bounded() {
        assert_eq!("24h".parse(), Ok(Grace::default()));
        assert!("0s".parse::<Grace>().unwrap().is_none());
        assert!("90d".parse::<Grace>().is_ok());
        for text in ["91d", "9223372036854775807d", "7776001s", "1w", "", "d"] {
            assert_eq!(text.parse::<Grace>(), Err(ValidityError::Grace), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[0-9]{0,20}[smhd]?|.{0,30}") {
            let _ = (expiry(&text, now()), text.parse::<Grace>());
        }
    }

    proptest! {
        #[test]
        fn a_span_is_so_many_seconds_from_now_in_whichever_unit(seconds in prop_oneof![1i64..10_000_000, 1i64..4_000_000_000]) {
            let now: DateTime<Utc> = "2026-07-14T12:00:00Z".parse().unwrap();
            for (unit, unit_s) in [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)] {
                let count = seconds / unit_s;
                let text = format!("{count}{unit}");
                let expires = expiry(&text, now).ok().map(|at| (at - now).num_seconds());
                let fits = count > 0 && count * unit_s <= 36_500 * 86_400;
                prop_assert_eq!(expires, fits.then_some(count * unit_s), "{}", text);
                let grace = text.parse::<Grace>().ok().map(|grace| TimeDelta::from(grace).num_seconds());
                prop_assert_eq!(grace, (count * unit_s <= 90 * 86_400).then_some(count * unit_s), "{}", text);
            }
        }

        #[test]
        fn an_expiry_is_read_as_it_is_written(ahead_s in 1i64..3_000_000_000) {
            let now: DateTime<Utc> = "2026-07-14T12:00:00Z".parse().unwrap();
            let at = now + TimeDelta::seconds(ahead_s);
            prop_assert_eq!(expiry(&at.to_rfc3339(), now).unwrap(), at);
            let day = at.date_naive().and_time(NaiveTime::MIN).and_utc();
            prop_assert_eq!(expiry(&at.date_naive().to_string(), now).ok(), Some(day).filter(|day| *day > now));
        }
    }
}
