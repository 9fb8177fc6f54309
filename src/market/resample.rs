//! Merges daily bars into bars of weeks, months and years.

use chrono::NaiveDate;

use super::ratio::weighted_average;
use super::{Bar, Calendar, Interval, Period};

/// The state of a stock's listing. It decides whether the newest period is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListingState {
    /// The newest day with a bar.
    pub newest: NaiveDate,
    /// Whether the stock no longer trades, so that no bar will follow.
    pub is_delisted: bool,
    /// The calendar of its exchange; `None` where it is not known.
    pub calendar: Option<&'static Calendar>,
}

/// The bar of a period. Its date is the last day with a bar in the period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeriodBar {
    pub bar: Bar,
    /// Whether the period has trading days to come.
    pub unfinished: bool,
}

/// Merges daily bars of one stock, in ascending or descending order.
#[derive(Debug)]
pub struct Resampler {
    interval: Interval,
    listing: ListingState,
    current: Option<(Period, Bar)>,
    /// The average prices and volumes of the current period's bars.
    averages: Vec<(f64, i64)>,
}

impl Resampler {
    pub fn new(interval: Interval, listing: ListingState) -> Self {
        Self { interval, listing, current: None, averages: Vec::new() }
    }

    /// Adds the next daily bar. Returns the previous period when the bar begins another one.
    pub fn push(&mut self, bar: Bar) -> Option<PeriodBar> {
        if let Some((period, merged)) = &mut self.current
            && (period.first..=period.last).contains(&bar.date)
        {
            *merged = merge(*merged, bar);
            self.averages.extend(bar.vwap.map(|vwap| (vwap, bar.volume)));
            return None;
        }
        let done = self.finish();
        self.current = Some((self.interval.period(bar.date), bar));
        self.averages.extend(bar.vwap.map(|vwap| (vwap, bar.volume)));
        done
    }

    /// Returns the last period, after the last daily bar.
    pub fn finish(&mut self) -> Option<PeriodBar> {
        let (period, mut bar) = self.current.take()?;
        let averages = std::mem::take(&mut self.averages);
        bar.vwap = bar.vwap.and_then(|_| weighted_average(&averages));
        Some(PeriodBar { bar, unfinished: self.listing.leaves_open(period, bar.date) })
    }
}

impl ListingState {
    /// Whether bars may still come in a period whose newest bar is of `last`. A missing bar of a
    /// past day does not keep a period open: a bar after the period ends it.
    fn leaves_open(&self, period: Period, last: NaiveDate) -> bool {
        let is_over = self.newest > period.last || self.is_delisted;
        let last_trading_day = self.calendar.and_then(|of| period.last_trading_day(of));
        let has_last_day = last_trading_day.is_some_and(|day| last >= day);
        !is_over && !has_last_day
    }
}

/// Some value if both bars have an average price, or no volume. The resampler computes it.
fn merged_average(a: Bar, b: Bar) -> Option<f64> {
    match (a.vwap, b.vwap) {
        (None, average) if a.volume == 0 => average,
        (average, None) if b.volume == 0 => average,
        (a, b) => a.and(b),
    }
}

/// Merges the bars of two consecutive trading days.
fn merge(a: Bar, b: Bar) -> Bar {
    let (earlier, later) = if a.date < b.date { (a, b) } else { (b, a) };
    Bar {
        open: earlier.open,
        high: earlier.high.max(later.high),
        low: earlier.low.min(later.low),
        volume: earlier.volume.saturating_add(later.volume),
        vwap: merged_average(earlier, later),
        trades: earlier.trades.zip(later.trades).map(|(a, b)| a.saturating_add(b)),
        ..later
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn bar(date: NaiveDate, price: f64) -> Bar {
        Bar {
            date,
            open: price,
            high: price + 2.0,
            low: price - 1.0,
            close: price + 1.0,
            adjusted_close: price,
            volume: 10,
            vwap: Some(price),
            trades: Some(3),
        }
    }

    fn listing(newest: &str) -> ListingState {
        ListingState { newest: day(newest), is_delisted: false, calendar: Some(Calendar::US) }
    }

    fn resample(interval: Interval, listing: ListingState, bars: &[Bar]) -> Vec<PeriodBar> {
        let mut resampler = Resampler::new(interval, listing);
        let mut periods: Vec<_> = bars.iter().filter_map(|bar| resampler.push(*bar)).collect();
        periods.extend(resampler.finish());
        periods
    }

    #[test]
    fn a_week_opens_with_its_first_bar_and_has_the_close_and_date_of_its_last() {
        let days = ["2013-03-25", "2013-03-26", "2013-03-28", "2013-04-01"].map(day);
        let bars: Vec<_> = days
            .iter()
            .zip([10.0, 30.0, 20.0, 40.0])
            .map(|(date, price)| bar(*date, price))
            .collect();
        let weeks = resample(Interval::Week, listing("2013-04-01"), &bars);
        // The Friday was Good Friday.
        let expected = Bar {
            date: day("2013-03-28"),
            open: 10.0,
            high: 32.0,
            low: 9.0,
            close: 21.0,
            adjusted_close: 20.0,
            volume: 30,
            vwap: Some(20.0),
            trades: Some(9),
        };
        assert_eq!(weeks[0], PeriodBar { bar: expected, unfinished: false });
        assert_eq!((weeks.len(), weeks[1].unfinished), (2, true));
    }

    #[test]
    fn an_average_price_is_weighted_by_volume_and_missing_if_a_traded_day_lacks_it() {
        let day_of = |n: u64| day("2013-03-25") + chrono::Days::new(n);
        let bar = |n, vwap, volume| Bar { vwap, volume, ..bar(day_of(n), 10.0) };
        for (bars, expected) in [
            // (10.1 * 3 + 10.3 * 7) / 10
            ([bar(0, Some(10.1), 3), bar(1, Some(10.3), 7)], Some(10.24)),
            ([bar(0, Some(10.0), 1), bar(1, Some(11.0), 2)], Some(10.666_666_67)),
            ([bar(0, Some(10.1), 3), bar(1, None, 7)], None),
            ([bar(0, Some(10.1), 3), bar(1, None, 0)], Some(10.1)),
            ([bar(0, None, 0), bar(1, Some(10.3), 7)], Some(10.3)),
            ([bar(0, Some(10.1), 0), bar(1, Some(10.3), 0)], None),
        ] {
            let weeks = resample(Interval::Week, listing("2013-04-01"), &bars);
            assert_eq!(weeks[0].bar.vwap, expected, "{bars:?}");
        }
    }

    #[test]
    fn only_the_newest_period_is_unfinished_and_only_until_its_last_trading_day() {
        let of = |listing: ListingState, last: &str| {
            resample(Interval::Month, listing, &[bar(day(last), 10.0)])[0].unfinished
        };
        assert!(of(listing("2013-03-27"), "2013-03-27"));
        assert!(!of(listing("2013-03-28"), "2013-03-28"), "the 29th was Good Friday");
        assert!(!of(listing("2013-04-01"), "2013-03-27"), "a later bar ends the period");
        assert!(!of(ListingState { is_delisted: true, ..listing("2013-03-27") }, "2013-03-27"));
        assert!(of(ListingState { calendar: None, ..listing("2013-03-28") }, "2013-03-28"));
    }

    proptest! {
        #[test]
        fn bars_in_either_order_give_the_same_periods_with_all_volume(
            gaps in prop::collection::vec(1u64..40, 1..200),
            interval in prop::sample::select(vec![Interval::Week, Interval::Month, Interval::Year])
        ) {
            let mut date = day("2000-01-03");
            let mut bars: Vec<Bar> = gaps.iter().enumerate().map(|(n, gap)| {
                date = date + chrono::Days::new(*gap);
                bar(date, 10.0 + n as f64)
            }).collect();
            let listing = ListingState { newest: date, ..listing("2000-01-03") };
            let ascending = resample(interval, listing, &bars);
            bars.reverse();
            let mut descending = resample(interval, listing, &bars);
            descending.reverse();
            prop_assert_eq!(&ascending, &descending);
            let volume: i64 = ascending.iter().map(|of| of.bar.volume).sum();
            prop_assert_eq!(volume, 10 * bars.len() as i64);
            prop_assert!(ascending.iter().rev().skip(1).all(|of| !of.unfinished));
            prop_assert!(ascending.iter().all(|of| of.bar.check().is_ok()));
        }
    }

    proptest! {
        #[test]
        fn years_merged_from_months_equal_years_merged_from_days(
            prices in prop::collection::vec((1u64..60, 1.0f64..100.0, 0i64..1_000_000), 1..200)
        ) {
            let mut date = day("2000-01-03");
            let bars: Vec<Bar> = prices.into_iter().map(|(gap, price, volume)| {
                date = date + chrono::Days::new(gap);
                // An average of rounded averages is another one.
                Bar { volume, vwap: None, ..bar(date, price) }
            }).collect();
            let listing =
                ListingState { newest: date, is_delisted: true, ..listing("2000-01-03") };
            let months = resample(Interval::Month, listing, &bars);
            let months: Vec<_> = months.iter().map(|of| of.bar).collect();
            let years = resample(Interval::Year, listing, &bars);
            prop_assert_eq!(&resample(Interval::Year, listing, &months), &years);
            let most =
                |of: fn(&Bar) -> f64, bars: &[Bar]| bars.iter().map(of).fold(f64::MIN, f64::max);
            let whole: Vec<_> = years.iter().map(|of| of.bar).collect();
            prop_assert_eq!(most(|bar| bar.high, &whole), most(|bar| bar.high, &bars));
            prop_assert_eq!(most(|bar| -bar.low, &whole), most(|bar| -bar.low, &bars));
        }
    }
}
