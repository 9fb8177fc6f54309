//! Values as vendors write them: dates, numbers, exchanges and currencies.

mod currency;
mod date;
mod number;

pub use currency::currency;
pub use date::{DateError, DateOrder, DateOrderClue, date, date_order_clue};
pub use number::{WholeNumber, is_blank, number, whole_number};
