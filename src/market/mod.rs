//! What is true of markets whoever asks: symbols, dates, bars, exchanges and their trading days.
//! Everything here is pure: no I/O, and the time is an argument.

mod action;
mod adjusted;
mod adjustment;
mod bar;
mod calendar;
mod date;
mod exchange;
mod order;
mod period;
mod resample;
mod symbol;

pub use action::{Action, ActionKind, EventKind, EventKindError};
pub use adjusted::{Adjust, AdjustError, Split};
pub use adjustment::{Factor, TakenEffect, factors};
pub use bar::{Bar, BarError, decimal_difference};
pub use calendar::{Calendar, DEFAULT_EXCHANGE, EarlyClose};
pub use date::{DateRange, DateRangeError, DateText, parse_date};
pub use exchange::Exchange;
pub use order::{Order, OrderError};
pub use period::{Interval, IntervalError, Period};
pub use resample::{ListingState, PeriodBar, Resampler};
pub use symbol::{Symbol, SymbolError};
