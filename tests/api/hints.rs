//! A wrong secret is refused without argon2id, and argon2id alone says that a secret is right.

use std::time::{Duration, Instant};

use crate::auth::with_checksum;
use crate::faults::wrong_keys::wrong_secret;
use crate::metrics::samples;
use crate::support::{App, Database, id_of};

const PATH: &str = "/api/stocks/AAPL";
const HASHES: &str = "tickerd_argon2_duration_seconds_count";
const FORGET: &str = "UPDATE api_keys SET secret_hint = NULL";

/// The secret of one key under the id of another.
fn crossed(id_from: &str, secret_from: &str) -> String {
    with_checksum(&format!("tk_live_{}_{}", id_of(id_from), &secret_from[21..53]))
}

#[tokio::test]
async fn no_wrong_key_costs_a_hash_and_each_takes_as_long_as_the_others() {
    let database = Database::sample().await;
    let (app, key, other) = (App::with_admin(&database).await, database.issue("pro"), database.issue("pro"));
    let nobodys = with_checksum(&format!("tk_live_{}_{}", "0".repeat(12), &key[21..53]));
    for wrong in [crossed(&key, &other), nobodys] {
        let asked = Instant::now();
        assert_eq!(app.get(&wrong, PATH).await.status(), 401);
        assert!(asked.elapsed() >= Duration::from_millis(50), "{:?}", asked.elapsed());
    }
    assert_eq!(samples(&app).await[HASHES], 0.0);
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    assert_eq!(samples(&app).await[HASHES], 1.0);
}

#[tokio::test]
async fn a_hint_lets_nobody_in() {
    let database = Database::sample().await;
    let (key, other) = (database.issue("pro"), database.issue("pro"));
    let others_hint = "UPDATE api_keys k SET secret_hint = o.secret_hint FROM api_keys o WHERE k.id = $1 AND o.id = $2";
    database.connect().await.execute(others_hint, &[&id_of(&key), &id_of(&other)]).await.unwrap();
    let app = App::with_admin(&database).await;
    assert_eq!(app.get(&crossed(&key, &other), PATH).await.status(), 401);
    assert_eq!(samples(&app).await[HASHES], 1.0, "its hint was right, argon2id refused it");
}

/// A key of a version that made no hints works, and has one from then on, which is no change of the key.
#[tokio::test]
async fn a_key_without_a_hint_gets_one_when_it_is_proven() {
    let database = Database::sample().await;
    let (key, other) = (database.issue("pro"), database.issue("pro"));
    let kept = "SELECT count(secret_hint)::text FROM api_keys";
    let rows = "SELECT (to_jsonb(k) - 'secret_hint')::text FROM api_keys k ORDER BY id";
    database.connect().await.batch_execute(FORGET).await.unwrap();
    let (before, audit) = (database.texts(rows).await, database.texts("SELECT count(*)::text FROM audit").await);
    let app = App::with_admin(&database).await;
    assert_eq!(app.get(&crossed(&key, &other), PATH).await.status(), 401);
    assert_eq!((samples(&app).await[HASHES], database.texts(kept).await[0].as_str()), (1.0, "0"));
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    assert_eq!(database.texts(kept).await, ["1"]);
    assert_eq!(app.get(&wrong_secret(id_of(&key), 2), PATH).await.status(), 401);
    assert_eq!(samples(&app).await[HASHES], 2.0, "by its hint");
    assert_eq!(database.texts(rows).await, before);
    assert_eq!(database.texts("SELECT count(*)::text FROM audit").await, audit);
    assert_eq!(App::start(database.tickerd(&["serve"])).await.get(&key, PATH).await.status(), 200);
}

/// As a version before does, or an operator by hand.
#[tokio::test]
async fn a_hash_that_is_replaced_takes_its_hint_with_it() {
    let database = Database::sample().await;
    let (key, other) = (database.issue("pro"), database.issue("pro"));
    let replace = "UPDATE api_keys k SET secret_hash = o.secret_hash FROM api_keys o WHERE k.id = $1 AND o.id = $2";
    database.connect().await.execute(replace, &[&id_of(&key), &id_of(&other)]).await.unwrap();
    let app = App::with_admin(&database).await;
    assert_eq!(app.get(&key, PATH).await.status(), 401);
    assert_eq!(app.get(&crossed(&key, &other), PATH).await.status(), 200);
}

#[tokio::test]
async fn wrong_secrets_of_a_key_without_a_hint_leave_room_for_the_keys_of_others() {
    let database = Database::sample().await;
    let (attacked, new) = (database.issue("pro"), database.issue("pro"));
    database.connect().await.batch_execute(FORGET).await.unwrap();
    let app = App::with(&database, &[("ARGON2_PARALLEL_MAX", "1"), ("ARGON2_WAIT_TIMEOUT_MS", "20000")]).await;
    let wrong: Vec<_> = (0..40).map(|n| wrong_secret(id_of(&attacked), n)).collect();
    let flood = futures_util::future::join_all(wrong.iter().map(|key| app.get(key, PATH)));
    let (flood, newcomer) = tokio::join!(flood, app.get(&new, PATH));
    assert_eq!(newcomer.status(), 200);
    let count = |status| flood.iter().filter(|answer| answer.status() == status).count();
    // Without a bound for one key each would be hashed, one after the other.
    assert!(count(401) >= 4 && count(503) >= 1 && count(401) + count(503) == 40, "{} {}", count(401), count(503));
}
