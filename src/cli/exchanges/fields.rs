//! The options that set values of an exchange.

use chrono::NaiveTime;
use clap::Args;
use clap::error::ErrorKind;

use crate::caller::Label;
use crate::market::{self, Calendar, KnownExchange};
use crate::store::ExchangeFields;

/// The value of `calendar` for an exchange whose trading days no built-in calendar knows.
const NO_CALENDAR: &str = "NONE";

#[derive(Debug, Args)]
pub struct FieldArgs {
    /// Its name
    #[arg(long)]
    name: Option<Label>,
    /// Its market identifier code (ISO 10383), such as XLON
    #[arg(long, value_parser = mic)]
    pub mic: Option<String>,
    /// Its country (ISO 3166-1), such as GB
    #[arg(long, value_parser = country)]
    country: Option<String>,
    /// The currency of most of its stocks (ISO 4217), such as GBP
    #[arg(long, value_parser = currency)]
    currency: Option<String>,
    /// Its time zone, an IANA name such as Europe/London
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    time_zone: Option<String>,
    /// The start of the regular session in local time, as HH:MM
    #[arg(long, value_name = "TIME", value_parser = time)]
    opens_at: Option<NaiveTime>,
    /// The end of the regular session in local time, as HH:MM
    #[arg(long, value_name = "TIME", value_parser = time)]
    closes_at: Option<NaiveTime>,
    /// The built-in calendar of its trading days, by MIC; none if there is no right one
    #[arg(long, value_name = "MIC", value_parser = calendar)]
    calendar: Option<String>,
}

impl FieldArgs {
    /// Exits with 2 if no option is given.
    pub fn require_any(&self) {
        let Self { name, mic, country, currency, time_zone, opens_at, closes_at, calendar } = self;
        let texts = [mic, country, currency, time_zone, calendar];
        let any = texts.iter().any(|text| text.is_some())
            || name.is_some()
            || opens_at.is_some()
            || closes_at.is_some();
        if !any {
            let message = "nothing to set: give an option, such as --closes-at 16:30\n";
            clap::Error::raw(ErrorKind::MissingRequiredArgument, message).exit();
        }
    }

    /// The values of a new exchange: the options, and for the others those of the built-in one.
    /// Exits with 2 if a required value is missing.
    pub fn complete(&self, code: &str, known: Option<&KnownExchange>) -> ExchangeFields {
        let hours = known.map(|known| known.calendar.hours);
        let name = self.name.as_ref().map(Label::as_str).or(known.map(|known| known.name));
        let zone = known.map(|known| known.calendar.zone.name().to_owned());
        let time_zone = self.time_zone.clone().or(zone);
        let closes_at = self.closes_at.or(hours.map(|hours| hours.closes_at));
        let (Some(name), Some(time_zone), Some(closes_at)) = (name, time_zone, closes_at) else {
            let message = format!(
                "{code} is not built in: give --name, --time-zone and --closes-at, or the --mic \
                 of a built-in one ({})\n",
                Calendar::known_exchanges().join(", ")
            );
            clap::Error::raw(ErrorKind::MissingRequiredArgument, message).exit();
        };
        let text = |value: fn(&KnownExchange) -> &'static str| known.map(value).map(str::to_owned);
        ExchangeFields {
            name: name.to_owned(),
            mic: self.mic.clone().or_else(|| text(|known| known.mic)),
            country: self.country.clone().or_else(|| text(|known| known.country)),
            currency: self.currency.clone().or_else(|| text(|known| known.currency)),
            time_zone,
            opens_at: self.opens_at.or(hours.map(|hours| hours.opens_at)),
            closes_at,
            calendar: self.calendar.clone().or_else(|| text(|known| known.calendar.mic)),
        }
    }

    /// Sets the given values, and leaves the others.
    pub fn apply(&self, fields: &mut ExchangeFields) {
        let set = |field: &mut Option<String>, value: &Option<String>| {
            if value.is_some() {
                field.clone_from(value);
            }
        };
        set(&mut fields.mic, &self.mic);
        set(&mut fields.country, &self.country);
        set(&mut fields.currency, &self.currency);
        set(&mut fields.calendar, &self.calendar);
        if let Some(name) = &self.name {
            name.as_str().clone_into(&mut fields.name);
        }
        if let Some(zone) = &self.time_zone {
            fields.time_zone.clone_from(zone);
        }
        fields.opens_at = self.opens_at.or(fields.opens_at);
        fields.closes_at = self.closes_at.unwrap_or(fields.closes_at);
    }
}

/// Rejects values that contradict each other.
pub fn check(code: &str, fields: &ExchangeFields) -> Result<(), String> {
    if let Some(opens_at) = fields.opens_at
        && opens_at >= fields.closes_at
    {
        let [opens_at, closes_at] = [opens_at, fields.closes_at].map(|at| at.format("%H:%M"));
        return Err(format!(
            "the session would open at {opens_at} and close at {closes_at}: expected a close after \
             the open"
        ));
    }
    let named = fields.calendar.as_deref().or(fields.mic.as_deref()).unwrap_or(code);
    match Calendar::of(named) {
        Some(calendar) if calendar.zone.name() != fields.time_zone => Err(format!(
            "the calendar {} is one of {}, and the time zone of {code} is {}: set one of them, or \
             --calendar none",
            calendar.mic,
            calendar.zone.name(),
            fields.time_zone
        )),
        _ => Ok(()),
    }
}

/// Letters and digits in upper case, if their number is `allowed`.
fn letters(text: &str, allowed: std::ops::RangeInclusive<usize>) -> Option<String> {
    let fits = allowed.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then(|| text.to_ascii_uppercase())
}

pub fn code(text: &str) -> Result<String, &'static str> {
    letters(text, 1..=12).ok_or("expected 1 to 12 letters and digits, such as XETR")
}

fn mic(text: &str) -> Result<String, &'static str> {
    letters(text, 4..=4).ok_or("expected 4 letters and digits (ISO 10383), such as XETR")
}

fn country(text: &str) -> Result<String, &'static str> {
    let code = market::country(text).ok_or("expected a country (ISO 3166-1), such as DE")?;
    Ok(code.to_owned())
}

fn currency(text: &str) -> Result<String, &'static str> {
    let code = market::currency(text).ok_or("expected a currency (ISO 4217), such as EUR")?;
    Ok(code.to_owned())
}

fn time_zone(text: &str) -> Result<String, &'static str> {
    let zone: chrono_tz::Tz =
        text.parse().map_err(|_| "expected an IANA name, such as Europe/Berlin")?;
    Ok(zone.name().to_owned())
}

fn time(text: &str) -> Result<NaiveTime, &'static str> {
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| "expected HH:MM, such as 17:30")
}

fn calendar(text: &str) -> Result<String, String> {
    let name = text.to_ascii_uppercase();
    if name == NO_CALENDAR {
        return Ok(name);
    }
    Calendar::of(&name).map(|calendar| calendar.mic.to_owned()).ok_or_else(|| {
        format!("expected none, or one of {}", Calendar::known_exchanges().join(", "))
    })
}
