//! The versions of the servers that the other tests of this run use.

use crate::support::{Database, redis_url, run};

/// `make test-scale` runs tests with other servers than the installed ones. Without this test, a
/// wrong path would silently test the installed ones again.
#[tokio::test]
#[ignore = "needs the variable POSTGRES_VERSION or REDIS_VERSION: make test-scale"]
async fn the_servers_have_the_versions_that_were_asked_for() {
    let wanted = ["POSTGRES_VERSION", "REDIS_VERSION"].map(|name| std::env::var(name).ok());
    assert!(wanted.iter().any(Option::is_some), "set POSTGRES_VERSION or REDIS_VERSION");
    let version = "SELECT current_setting('server_version')";
    let postgres = Database::empty().await.texts(version).await.remove(0);
    let mut client = std::process::Command::new("redis-cli");
    let url = redis_url().replace("redis://:", "redis://default:");
    let info = run(client.args(["--no-auth-warning", "-u", &url, "INFO", "server"])).stdout;
    let info = String::from_utf8(info).unwrap();
    let redis = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    let redis = redis.expect("the version of Redis").trim();
    println!("PostgreSQL {postgres}, Redis {redis}");
    for (is, wanted) in [postgres.as_str(), redis].into_iter().zip(wanted) {
        let wanted = wanted.unwrap_or_default();
        let is_wanted = wanted.is_empty() || is.starts_with(&format!("{wanted}."));
        assert!(is_wanted, "expected version {wanted}, found {is}");
    }
}
