//! The comparison of clocks.

use chrono::{DateTime, TimeDelta, Utc};

use super::finding::Finding;
use super::finding::Level::{Ok as Fine, Warning};

/// A difference that says that one of the two clocks is not synchronised.
const DIFFERENCE_MAX: TimeDelta = TimeDelta::seconds(2);

/// Compares the clock of a server with that of this machine, read at the same moment.
pub fn compare(server: &str, (theirs, ours): (DateTime<Utc>, DateTime<Utc>)) -> Finding {
    let difference = (theirs - ours).abs();
    let seconds = difference.as_seconds_f64();
    if difference > DIFFERENCE_MAX {
        let hint = "synchronise both with NTP: keys expire and days begin by these clocks";
        let message = format!("this clock and that of {server} differ by {seconds:.1} s: {hint}");
        return Finding::new("clock", Warning, message);
    }
    Finding::new("clock", Fine, format!("{seconds:.2} s beside the clock of {server}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_by_more_than_two_seconds_are_a_warning_in_both_directions() {
        let now = Utc::now();
        for (milliseconds, level) in [(0, Fine), (1999, Fine), (-2001, Warning), (2001, Warning)] {
            let other = now + TimeDelta::milliseconds(milliseconds);
            assert_eq!(compare("Redis", (other, now)).level, level, "{milliseconds}");
        }
    }
}
