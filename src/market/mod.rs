//! What is true of markets whoever asks: symbols, dates, bars, exchanges and their trading days.
//! Everything here is pure: no I/O, and the time is an argument.

mod action;
mod adjustment;
mod bar;
pub mod calendar;
mod date;
mod exchange;
mod symbol;

pub use action::{Action, ActionKind};
pub use adjustment::{Factor, TakenEffect, factors};
pub use bar::{Bar, BarFault, decimal_difference};
pub use date::{DateRange, DateRangeFault, DateText, parse_date};
pub use exchange::Exchange;
pub use symbol::{Symbol, SymbolFault};
