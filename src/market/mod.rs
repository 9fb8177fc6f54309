//! Symbols, dates, bars, corporate actions, exchanges and their trading days. Everything here is
//! pure: no I/O, and the time is an argument.

mod action;
mod adjusted;
mod adjustment;
mod bar;
mod calendar;
mod date;
mod exchange;
mod identifier;
mod instrument;
mod market_state;
mod period;
mod price_basis;
mod resample;
mod symbol;
mod word_enum;

pub use action::{Action, ActionKind, EventKind};
pub use adjusted::{Adjust, Split};
pub use adjustment::{AdjustmentFactor, EffectiveAction, factors};
pub use bar::{Bar, BarError, decimal_difference};
pub use calendar::{
    CLOSED_DAYS_MAX, Calendar, DEFAULT_EXCHANGE, EarlyClose, Hours, KnownExchange, Pause,
    SpecialSession,
};
pub use date::{DateRange, DateRangeError, DateText, Order, parse_date};
pub use exchange::Exchange;
pub use identifier::{Identifier, IdentifierError, IdentifierKind};
pub use instrument::InstrumentType;
pub use market_state::{Market, MarketState};
pub use period::{Interval, Period};
pub use price_basis::{PriceBasis, SplitEvidence};
pub use resample::{ListingState, PeriodBar, Resampler};
pub use symbol::{Symbol, SymbolError};
pub use word_enum::UnknownWord;
pub(crate) use word_enum::word_enum;
