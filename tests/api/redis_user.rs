//! A Redis user that may not do everything: the server says so, and serves without what is missing.

use std::time::{Duration, Instant};

use crate::support::{App, Database, RedisServer, eventually, id_of, scratch};

/// A server under a user with these permissions, as in `docs/scaling.md` without the password.
async fn app_of_user(database: &Database, redis: &RedisServer, permissions: &[&str]) -> App {
    let user = ["ACL", "SETUSER", "tickerd", "on", ">sesame", "resetkeys", "~tickerd:*"];
    redis.command_ok(&[user.as_slice(), &["resetchannels"], permissions].concat());
    let url = format!("redis://tickerd:sesame@127.0.0.1:{}", redis.port());
    App::with(database, &[("REDIS_URL", &url)]).await
}

async fn readiness(app: &App) -> String {
    app.request("GET", "/health/ready").send().await.unwrap().text().await.unwrap()
}

async fn is_restricted(app: &App) {
    eventually("readiness shows the restriction", Duration::from_secs(10), async || {
        let readiness = readiness(app).await;
        readiness.contains("\"degraded\"") && readiness.contains("\"restricted\"")
    })
    .await;
}

fn warnings(app: &App, text: &str) -> usize {
    app.warnings_and_errors().iter().filter(|line| line.contains(text)).count()
}

const COMMANDS: [&str; 7] =
    ["+@read", "+@write", "+@scripting", "+@pubsub", "+@connection", "+time", "+info"];

#[tokio::test]
async fn a_user_with_the_documented_permissions_can_do_everything() {
    let (scratch, database) = (scratch(), Database::sample().await);
    let redis = RedisServer::start(scratch.path()).await;
    let all = [["&tickerd:*"].as_slice(), &COMMANDS].concat();
    let (app, key) = (app_of_user(&database, &redis, &all).await, database.issue("free"));
    let path = "/api/stocks/AAPL/quote";
    for _ in 0..20 {
        assert_eq!(app.get(&key, path).await.status(), 200);
    }
    assert!(redis.command(&["KEYS", "tickerd:rl:*"]).contains(id_of(&key)), "the window");
    assert!(readiness(&app).await.contains("\"redisEvictionPolicy\":\"noeviction\""));
    assert!(readiness(&app).await.contains("\"status\":\"ok\""));
    assert_eq!(app.warnings_and_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn a_user_without_the_channel_polls_for_changes_and_says_so() {
    polls_for_changes_with(&COMMANDS).await;
}

/// It may publish, so only a message that does not come back shows what is missing.
#[tokio::test]
async fn a_user_who_may_not_subscribe_polls_for_changes_and_says_so() {
    let lacking = ["&tickerd:*", "-@pubsub", "+publish"];
    polls_for_changes_with(&[COMMANDS.as_slice(), &lacking].concat()).await;
}

async fn polls_for_changes_with(permissions: &[&str]) {
    let (scratch, database) = (scratch(), Database::sample().await);
    let redis = RedisServer::start(scratch.path()).await;
    let (app, key) = (app_of_user(&database, &redis, permissions).await, database.issue("free"));
    is_restricted(&app).await;
    assert_eq!(warnings(&app, "may not use the channel of changes"), 1, "{:?}", app.log());
    assert_eq!(warnings(&app, "+publish, +subscribe"), 1, "the log says what to grant");
    let path = "/api/stocks/AAPL/quote";
    assert_eq!(app.get(&key, path).await.status(), 200);
    let revoked = Instant::now();
    assert_eq!(database.output(&["keys", "revoke", id_of(&key), "--yes"]).code, Some(0));
    let rejected = async || app.get(&key, path).await.status() == 401;
    // With messages, a poll would come only after up to 30 s.
    eventually("the key is rejected", Duration::from_secs(5), rejected).await;
    assert!(revoked.elapsed() < Duration::from_secs(10), "{:?}", revoked.elapsed());
}

#[tokio::test]
async fn a_user_whose_scripts_may_not_do_all_they_need_is_restricted_and_the_log_says_so() {
    let (scratch, database) = (scratch(), Database::sample().await);
    let redis = RedisServer::start(scratch.path()).await;
    for lacking in ["-time", "-set", "resetkeys"] {
        let all = [["&tickerd:*"].as_slice(), &COMMANDS, &[lacking]].concat();
        let app = app_of_user(&database, &redis, &all).await;
        is_restricted(&app).await;
        assert_eq!(warnings(&app, "or what they call"), 1, "{lacking}: {:?}", app.log());
    }
}

#[tokio::test]
async fn a_user_without_scripts_is_limited_per_instance_and_the_log_says_so() {
    let (scratch, database) = (scratch(), Database::sample().await);
    let redis = RedisServer::start(scratch.path()).await;
    let permissions = ["&tickerd:*", "+@read", "+@write", "+@pubsub", "+@connection", "+time"];
    let (app, key) = (app_of_user(&database, &redis, &permissions).await, database.issue("free"));
    is_restricted(&app).await;
    assert_eq!(warnings(&app, "may not run scripts"), 1, "{:?}", app.log());
    // Refused scripts must not open the circuit for the cache and for messages.
    for key in [&key, &database.issue("free"), &database.issue("free"), &database.issue("free")] {
        for symbol in ["AAPL", "IBM", "MSFT"] {
            let path = format!("/api/stocks/{symbol}/quote");
            assert_eq!(app.get(key, &path).await.status(), 200);
        }
    }
    is_restricted(&app).await;
    assert!(redis.command(&["KEYS", "tickerd:*"]).contains("tickerd:"), "the cache is in Redis");
    // The permission is noticed without a restart.
    redis.command_ok(&["ACL", "SETUSER", "tickerd", "+@scripting"]);
    let is_ok = async || readiness(&app).await.contains("\"status\":\"ok\"");
    eventually("the permission is noticed", Duration::from_secs(15), is_ok).await;
}

#[tokio::test]
async fn a_permission_that_is_taken_away_later_is_noticed() {
    let (scratch, database) = (scratch(), Database::sample().await);
    let redis = RedisServer::start(scratch.path()).await;
    let all = [["&tickerd:*"].as_slice(), &COMMANDS].concat();
    let app = app_of_user(&database, &redis, &all).await;
    assert!(readiness(&app).await.contains("\"status\":\"ok\""));
    redis.command_ok(&["ACL", "SETUSER", "tickerd", "-eval", "-evalsha"]);
    is_restricted(&app).await;
    assert_eq!(warnings(&app, "may not run scripts"), 1, "{:?}", app.log());
}
