//! Values as vendors write them: dates, periods, numbers and exchanges.

mod date;
mod number;
mod period;

pub use date::{DateError, DateOrder, DateOrderClue, date, date_order_clue, instant};
pub use number::{WholeNumber, expected_number, is_blank, may_be_thousands, number, whole_number};
pub use period::is_day;
