//! The number of files and connections that the system lets this process open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files beside connections of clients: those of Postgres, Redis, operators, and the program's own.
const OTHER_FILES: u64 = 256;

/// Raises the limit as far as the system allows, and returns it; `None` if there is none.
///
/// Shells and service managers set a low limit for old programs. This one waits for its
/// connections without `select`, so that a high number does no harm.
pub fn raise_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        // macOS has a lower limit of its own. The old limit holds then.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    getrlimit(Resource::Nofile).current
}

/// What to do where the limit does not suffice for all connections, as a sentence.
///
/// `workers` is 0 for one per core.
pub fn shortage(limit: Option<u64>, workers: u16, connections_per_worker: usize) -> Option<String> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = if workers == 0 { cores } else { usize::from(workers) };
    let needed = (workers * connections_per_worker) as u64 + OTHER_FILES;
    let limit = limit.filter(|limit| *limit < needed)?;
    Some(format!(
        "{workers} workers of {connections_per_worker} connections need {needed} open files, and \
         the system allows {limit}: raise it (LimitNOFILE of systemd, ulimit -Hn of a shell) or \
         lower CONNECTIONS_PER_WORKER_MAX"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_said_with_what_is_needed_and_allowed() {
        assert_eq!(shortage(None, 2, 10_000), None);
        assert_eq!(shortage(Some(20_256), 2, 10_000), None);
        let text = shortage(Some(20_255), 2, 10_000).unwrap();
        assert!(text.contains("20256") && text.contains("20255"), "{text}");
    }
}
