//! The check of Postgres.

use super::clock;
use super::finding::Finding;
use super::finding::Level::{Ok as Fine, Warning, Wrong};
use crate::config::{DatabaseConfig, Pooler};
use crate::store::{Database, Inspection, StoreError};

const PART: &str = "postgres";

/// The first release of Postgres that tickerd is tested with.
const VERSION_MIN: u32 = 14;

pub async fn check(config: &DatabaseConfig) -> Vec<Finding> {
    match Database::inspect(config).await {
        Ok(inspection) => findings(&inspection, config),
        Err(error @ StoreError::Unreachable(_)) => {
            let hint = "start it, or check host and port of DATABASE_URL and the firewall";
            vec![Finding::new(PART, Wrong, format!("{error}: {hint}"))]
        }
        Err(error) => vec![Finding::new(PART, Wrong, error.to_string())],
    }
}

fn findings(inspection: &Inspection, config: &DatabaseConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |level, message: String| findings.push(Finding::new(PART, level, message));
    let Inspection { server_version, role, round_trip, .. } = inspection;
    let milliseconds = round_trip.as_secs_f64() * 1000.0;
    let answers = format!("version {server_version} answers {role} in {milliseconds:.1} ms");
    let major = server_version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < VERSION_MIN) {
        add(Warning, format!("{answers}: use version {VERSION_MIN} or later"));
    } else {
        add(Fine, answers);
    }
    if inspection.is_read_only {
        let hint = "name the primary in DATABASE_URL, and a replica in DATABASE_READ_URL";
        add(Wrong, format!("the server accepts no writes: {hint}"));
    }
    tables(inspection, &mut add);
    match (config.pooler(), config.direct_url()) {
        (Pooler::None, _) => add(Fine, "no transaction pooler".to_owned()),
        (Pooler::Transaction, Some(_)) => {
            add(Fine, "through a transaction pooler; migrations and loads go past it".to_owned());
        }
        (Pooler::Transaction, None) => {
            let hint = "set DATABASE_DIRECT_URL";
            add(Warning, format!("migrations and loads can't go past the pooler: {hint}"));
        }
    }
    let needed = config.database_connections_max + 2;
    let allowed = inspection.connections_max;
    if config.pooler() == Pooler::None && i64::from(needed) > i64::from(allowed) {
        let hint = "lower DATABASE_CONNECTIONS_MAX or raise max_connections of the server";
        add(Warning, format!("an instance opens {needed} connections of {allowed}: {hint}"));
    }
    findings.push(clock::compare("Postgres", inspection.clocks));
    findings
}

fn tables(inspection: &Inspection, add: &mut impl FnMut(super::finding::Level, String)) {
    if !inspection.has_tables {
        add(Wrong, "there are no tables: run tickerd migrate, or serve with --migrate".to_owned());
    } else if inspection.pending_migrations.is_empty() {
        add(Fine, "the tables are up to date".to_owned());
    } else {
        let names = inspection.pending_migrations.join(", ");
        add(Wrong, format!("the tables lack {names}: run tickerd migrate"));
    }
    if inspection.has_tables && !inspection.has_extension {
        let hint = "let a role that may do so run CREATE EXTENSION pg_trgm";
        add(Wrong, format!("the extension pg_trgm is missing: {hint}"));
    }
    for grant in inspection.missing_grants() {
        add(Wrong, format!("the role lacks a right: run deploy/roles.sql, or {grant}"));
    }
}
