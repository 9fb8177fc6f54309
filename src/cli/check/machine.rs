//! The check of this machine: ports and open files.

use super::finding::Finding;
use super::finding::Level::{Ok as Fine, Warning};
use crate::cli::open_files;
use crate::config::{AdminConfig, HttpConfig};
use crate::http::Listeners;

pub fn check(http: &HttpConfig, admin: &AdminConfig) -> Vec<Finding> {
    // Dropped at once, so that the server can take the ports.
    let ports = match Listeners::take(http, admin) {
        Ok(_) => Finding::new("ports", Fine, format!("{}:{} is free", http.host, http.port)),
        Err(error) => {
            Finding::new("ports", Warning, format!("{error}, unless that is this server"))
        }
    };
    let limit = open_files::raise_limit();
    let per_worker = http.connections_per_worker_max;
    let files = match open_files::shortage(limit, http.workers, per_worker) {
        None => Finding::new("open files", Fine, "the limit suffices for all connections"),
        Some(shortage) => Finding::new("open files", Warning, shortage),
    };
    vec![ports, files]
}
