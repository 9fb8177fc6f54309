//! Keys, passwords and the admin token appear only in the places that SECURITY.md lists.

mod commands;
mod debug_output;
mod places;
mod serving;
