//! What is true of markets whoever asks: symbols, dates, bars, exchanges and their trading days.
//! Everything here is pure: no I/O, and the time is an argument.

mod action;
mod adjusted;
mod adjustment;
mod bar;
pub mod calendar;
mod date;
mod exchange;
mod order;
mod period;
mod resample;
mod symbol;

pub use action::{Action, ActionKind, EventKind, EventKindFault};
pub use adjusted::{Adjust, AdjustFault, Split};
pub use adjustment::{Factor, TakenEffect, factors};
pub use bar::{Bar, BarFault, decimal_difference};
pub use date::{DateRange, DateRangeFault, DateText, parse_date};
pub use exchange::{Exchange, keeps_us_calendar};
pub use order::{Order, OrderFault};
pub use period::{Interval, IntervalFault, Period};
pub use resample::{PeriodBar, Resampler, Standing};
pub use symbol::{Symbol, SymbolFault};
