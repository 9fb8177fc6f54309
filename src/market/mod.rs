//! Symbols, dates, bars, corporate actions, exchanges and their trading days. Everything here is
//! pure: no I/O, and the time is an argument.

mod action;
mod adjusted;
mod adjustment;
mod as_of;
mod bar;
mod calendar;
mod country;
mod currency;
mod date;
mod decimal;
mod exchange;
mod exchange_code;
mod identifier;
mod instrument;
mod market_state;
mod period;
mod price_basis;
mod ratio;
mod resample;
mod symbol;
mod word_enum;

pub use action::{Action, ActionKind, ActionType, EventKind, type_of_ratio};
pub use adjusted::{Adjust, AdjustedCloseOrigin, Adjustments};
pub use adjustment::{AdjustmentFactor, Effect, EffectiveAction, factors};
pub use as_of::{AsOf, AsOfError};
pub use bar::{Bar, BarError};
pub use calendar::{
    CLOSED_DAYS_MAX, Calendar, DEFAULT_EXCHANGE, EarlyClose, Hours, KnownExchange, Pause,
    SpecialSession,
};
pub use country::country;
pub use currency::{are_units_of_one_currency, currency};
pub use date::{DateRange, DateRangeError, DateText, Order, parse_date};
pub use decimal::{decimal_difference, percent_change};
pub use exchange::Exchange;
pub use exchange_code::exchange_code;
pub use identifier::{Identifier, IdentifierError, IdentifierKind};
pub use instrument::InstrumentType;
pub use market_state::{Market, MarketState};
pub use period::{Interval, Period};
pub use price_basis::{PriceBasis, SplitEvidence};
pub use ratio::{CLEAR_MAX, CLEAR_MIN, POWERS_OF_10, PRICE_DIGITS, Ratio, UNCLEAR_WITHIN};
pub use resample::{ListingState, PeriodBar, Resampler};
pub use symbol::{Symbol, SymbolError};
pub use word_enum::UnknownWord;
pub(crate) use word_enum::word_enum;
