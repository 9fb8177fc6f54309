//! No key, no password and no token of operators is anywhere but where it has to be: SECURITY.md
//! says where that is.

mod commands;
mod places;
mod serving;
mod shown;
