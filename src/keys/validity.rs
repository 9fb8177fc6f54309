//! How operators write the expiry of a key and the grace period of a rotation.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// The longest time until an expiry. A key with a longer lifetime should have no expiry.
const EXPIRES_IN_DAYS_MAX: i64 = 36_500;
/// The longest grace period. A holder should have two keys only for a transition.
const GRACE_DAYS_MAX: i64 = 90;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidityError {
    #[error(
        "expected a time in the future, within {EXPIRES_IN_DAYS_MAX} days: 2027-01-31 (its start \
         in UTC), 2027-01-31T12:00:00Z, or 90d"
    )]
    Expiry,
    #[error("expected 0s to {GRACE_DAYS_MAX}d: a whole number of s, m, h or d, such as 24h")]
    Grace,
}

/// How long an old key stays valid beside the key that replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace(TimeDelta);

impl Grace {
    /// # Errors
    /// [`ValidityError::Grace`] if it is longer than 90 days.
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
    /// One day, so that the holder can deploy the new key.
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

/// Parses the expiry of a key: a day, a time, or a span from `now`.
///
/// # Errors
/// [`ValidityError::Expiry`] if the text is none of these, or the time is not within the next
/// 36,500 days.
pub fn expiry(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, ValidityError> {
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .map(|day| day.and_time(NaiveTime::MIN).and_utc())
    };
    let time = || DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let from_now = || span(text).and_then(|span| now.checked_add_signed(span));
    let expires_at = from_now().or_else(day).or_else(time).ok_or(ValidityError::Expiry)?;
    if expires_at > now && expires_at - now <= TimeDelta::days(EXPIRES_IN_DAYS_MAX) {
        Ok(expires_at)
    } else {
        Err(ValidityError::Expiry)
    }
}

/// Parses a whole number of seconds, minutes, hours or days, such as `90d`.
fn span(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    // `parse` would also accept "+5".
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
    fn a_grace_period_is_at_most_90_days() {
        assert_eq!("24h".parse(), Ok(Grace::default()));
        assert!("0s".parse::<Grace>().unwrap().is_none());
        assert!("90d".parse::<Grace>().is_ok());
        for text in ["91d", "9223372036854775807d", "7776001s", "1w", "", "d"] {
            assert_eq!(text.parse::<Grace>(), Err(ValidityError::Grace), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_rejected_without_a_panic(text in "[0-9]{0,20}[smhd]?|.{0,30}") {
            let _ = (expiry(&text, now()), text.parse::<Grace>());
        }
    }

    proptest! {
        #[test]
        fn a_span_has_the_same_length_in_every_unit(
            seconds in prop_oneof![1i64..10_000_000, 1i64..4_000_000_000],
        ) {
            let now: DateTime<Utc> = "2026-07-14T12:00:00Z".parse().unwrap();
            for (unit, unit_s) in [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)] {
                let count = seconds / unit_s;
                let text = format!("{count}{unit}");
                let span_s = count * unit_s;
                let expires_in_s = expiry(&text, now).ok().map(|at| (at - now).num_seconds());
                let is_expiry = span_s > 0 && span_s <= 36_500 * 86_400;
                prop_assert_eq!(expires_in_s, is_expiry.then_some(span_s), "{}", text);
                let grace = text.parse::<Grace>().ok();
                let grace_s = grace.map(|grace| TimeDelta::from(grace).num_seconds());
                prop_assert_eq!(grace_s, (span_s <= 90 * 86_400).then_some(span_s), "{}", text);
            }
        }

        #[test]
        fn a_formatted_expiry_is_parsed_to_the_same_time(ahead_s in 1i64..3_000_000_000) {
            let now: DateTime<Utc> = "2026-07-14T12:00:00Z".parse().unwrap();
            let at = now + TimeDelta::seconds(ahead_s);
            prop_assert_eq!(expiry(&at.to_rfc3339(), now).unwrap(), at);
            let day = at.date_naive().and_time(NaiveTime::MIN).and_utc();
            let parsed_day = expiry(&at.date_naive().to_string(), now).ok();
            prop_assert_eq!(parsed_day, Some(day).filter(|day| *day > now));
        }
    }
}
