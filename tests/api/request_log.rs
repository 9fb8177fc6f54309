//! The log of requests can't be made to fill a disk.

use std::time::Instant;

use crate::support::{App, Database};

#[tokio::test]
async fn long_urls_cannot_fill_the_disk_with_log_lines() {
    const BYTES_PER_S_MAX: usize = 8192;
    let database = Database::sample().await;
    let mut command = database.tickerd(&["serve"]);
    command.env("LOG_REQUEST_BYTES_PER_S_MAX", BYTES_PER_S_MAX.to_string());
    let app = App::start(command).await;
    let path = format!("/nothing?{}", "x".repeat(3900));
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(app.request("GET", &path).send().await.unwrap().status(), 404);
    }
    // The first and the last second are parts of seconds.
    let seconds = started.elapsed().as_secs() as usize + 2;
    let lines = app.log();
    let bytes: usize = lines.iter().filter(|line| line.contains("/nothing")).map(String::len).sum();
    assert!(bytes > 2000 && bytes <= seconds * BYTES_PER_S_MAX, "{bytes} bytes in {seconds} s");
}
