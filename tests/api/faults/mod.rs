//! Harm done to real processes, and what is seen of it.

mod hostile;
mod slow_clients;
