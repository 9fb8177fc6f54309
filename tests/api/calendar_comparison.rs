//! The built-in calendars against those of the Python package exchange_calendars.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{Datelike, NaiveDate, NaiveTime, Utc};
use serde::Deserialize;
use tickerd::market::{Calendar, KnownExchange};

/// The differences that are explained, each with its reason.
const EXPLAINED: &str = include_str!("../calendars/explained.txt");

/// What the package knows of one exchange: see tests/calendars/sessions.py.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    trading_days: BTreeSet<NaiveDate>,
    early_closes: BTreeMap<NaiveDate, String>,
    /// Open, start and end of the break, close.
    hours: [Option<String>; 4],
}

/// A difference: what tickerd says of a day.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    mic: &'static str,
    day: NaiveDate,
    says: String,
}

fn path(inside: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(inside)
}

/// The name of a calendar in the package. It lacks two, whose days are those of another exchange of
/// the country.
fn name_of(calendar: &Calendar) -> &'static str {
    match calendar.mic {
        "XNSE" => "XBOM",
        "XSHE" => "XSHG",
        mic => mic,
    }
}

/// The years to compare: those that are known, up to the next one.
fn years(calendar: &Calendar) -> (i32, i32) {
    (calendar.first_year, calendar.last_year.min(Utc::now().year() + 1))
}

fn calendars() -> Vec<&'static Calendar> {
    let mut calendars: Vec<_> = KnownExchange::ALL.iter().map(|known| known.calendar).collect();
    calendars.dedup();
    calendars
}

fn references() -> BTreeMap<String, Reference> {
    let arguments = calendars().into_iter().map(|calendar| {
        let (first, last) = years(calendar);
        format!("{}:{first}:{last}", name_of(calendar))
    });
    let output = Command::new(path("target/calendars/bin/python"))
        .arg(path("tests/calendars/sessions.py"))
        .args(arguments)
        .output()
        .expect("Python of `make test-calendars`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn minutes(time: NaiveTime) -> String {
    time.format("%H:%M").to_string()
}

/// Every day on which the two disagree.
fn differences(calendar: &'static Calendar, reference: &Reference) -> Vec<Difference> {
    let (first, last) = years(calendar);
    let start = NaiveDate::from_ymd_opt(first, 1, 1).unwrap();
    let days = start.iter_days().take_while(|day| day.year() <= last);
    let says = |day: NaiveDate| {
        let (closure, is_open) = (calendar.closure(day), reference.trading_days.contains(&day));
        // The package has no other hours than the regular ones.
        let special = calendar.special_session(day);
        let is_special = special.is_some_and(|special| special.hours != Some(calendar.hours));
        let early = calendar.early_close(day).map(|early| minutes(early.closes_at));
        match closure {
            Some(why) if is_open => Some(format!("closed ({why})")),
            Some(_) => None,
            None if !is_open || is_special => {
                Some(format!("open ({})", special.map_or("regular", |special| special.name)))
            }
            None if early.as_ref() != reference.early_closes.get(&day) => {
                Some(early.map_or("no early close".to_owned(), |at| format!("early close {at}")))
            }
            None => None,
        }
    };
    days.filter_map(|day| Some(Difference { mic: calendar.mic, day, says: says(day)? })).collect()
}

/// The explained differences as (MIC, first day, last day, what tickerd says).
fn explained() -> Vec<(&'static str, NaiveDate, NaiveDate, &'static str)> {
    let lines = EXPLAINED.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (fact, reason) = line.split_once(": ").expect("a reason");
            assert!(!reason.trim().is_empty(), "{line}");
            let mut words = fact.splitn(4, ' ');
            let mut word = || words.next().unwrap_or_else(|| panic!("{line}"));
            let (mic, first, last) = (word(), word().parse(), word().parse());
            (mic, first.unwrap(), last.unwrap(), word())
        })
        .collect()
}

#[test]
#[ignore = "needs Python and PyPI: make test-calendars"]
fn every_difference_from_exchange_calendars_is_explained() {
    let references = references();
    let found = calendars()
        .into_iter()
        .flat_map(|calendar| differences(calendar, &references[name_of(calendar)]));
    let (explained, mut used) = (explained(), BTreeSet::new());
    let mut unexplained = 0;
    for difference in found {
        let Difference { mic, day, says } = &difference;
        let matching = explained.iter().position(|(of, first, last, what)| {
            of == mic && (first..=last).contains(&day) && what == says
        });
        match matching {
            Some(line) => {
                used.insert(line);
            }
            None => {
                unexplained += 1;
                println!("NOT EXPLAINED {mic} {day} {day} {says}");
            }
        }
    }
    for (line, entry) in explained.iter().enumerate() {
        assert!(used.contains(&line), "this is no difference any more: {entry:?}");
    }
    assert_eq!(
        unexplained, 0,
        "differences are neither mended nor in tests/calendars/explained.txt"
    );
}

#[test]
#[ignore = "needs Python and PyPI: make test-calendars"]
fn regular_hours_are_those_of_exchange_calendars() {
    let references = references();
    for calendar in calendars() {
        let hours = calendar.hours;
        let pause = |time: fn(tickerd::market::Pause) -> NaiveTime| hours.pause.map(time);
        let ours = [
            Some(hours.opens_at),
            pause(|pause| pause.starts_at),
            pause(|pause| pause.ends_at),
            Some(hours.closes_at),
        ];
        let reference = &references[name_of(calendar)];
        assert_eq!(ours.map(|time| time.map(minutes)), reference.hours, "{}", calendar.mic);
    }
}
