//! Secret hints: nearly all wrong secrets are rejected without argon2id, and only argon2id accepts
//! a secret.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tickerd::keys::{Token, hint_of};

use crate::faults::wrong_keys::wrong_secret;
use crate::metrics::samples;
use crate::support::{App, Database, eventually, id_of};

const PATH: &str = "/api/stocks/AAPL";
const HASH_COUNT: &str = "tickerd_argon2_duration_seconds_count";
const CLEAR_HINTS: &str = "UPDATE api_keys SET secret_hint = NULL";
/// `REJECT_DELAY_MS`, as documented.
const REJECT_DELAY: Duration = Duration::from_millis(50);

fn hint(token: &str) -> i16 {
    let Token { id, secret } = Token::parse(token).unwrap();
    hint_of(id, &secret)
}

/// Wrong secrets for a key's id: all with the hint of the key's secret, or all with other hints.
fn wrong(key: &str, has_same_hint: bool) -> impl Iterator<Item = String> {
    let id = id_of(key).to_owned();
    (0..)
        .map(move |n| wrong_secret(&id, n))
        .filter(move |wrong| (hint(wrong) == hint(key)) == has_same_hint)
}

#[tokio::test]
async fn wrong_keys_are_rejected_after_a_fixed_delay_and_without_a_hash() {
    let database = Database::sample().await;
    let (app, key) = (App::with_admin(&database).await, database.issue("pro"));
    let unknown = wrong_secret("000000000000", 0);
    for wrong in wrong(&key, false).take(1).chain([unknown]) {
        // A repeated request within the delay is answered no earlier, and after it at once.
        let started = Instant::now();
        let answers = join_all([app.get(&wrong, PATH), app.get(&wrong, PATH)]);
        let repeated = async {
            tokio::time::sleep(REJECT_DELAY / 2).await;
            app.get(&wrong, PATH).await
        };
        let (both, repeated) = tokio::join!(answers, async { (repeated.await, started.elapsed()) });
        assert!(both.iter().chain([&repeated.0]).all(|answer| answer.status() == 401));
        assert!(
            started.elapsed() >= REJECT_DELAY && repeated.1 >= REJECT_DELAY,
            "{:?} {:?}",
            started.elapsed(),
            repeated.1
        );
    }
    assert_eq!(samples(&app).await[HASH_COUNT], 0.0);
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    assert_eq!(samples(&app).await[HASH_COUNT], 1.0);
}

#[tokio::test]
async fn a_matching_hint_does_not_admit_a_wrong_secret() {
    let database = Database::sample().await;
    let (app, key) = (App::with_admin(&database).await, database.issue("pro"));
    for wrong in wrong(&key, true).take(3) {
        assert_eq!(app.get(&wrong, PATH).await.status(), 401);
    }
    assert_eq!(samples(&app).await[HASH_COUNT], 3.0, "the hint matched and argon2id rejected them");
}

/// A key without a stored hint works and gets a hint when it is verified. That is not a change of
/// the key.
#[tokio::test]
async fn a_key_without_a_hint_gets_one_when_it_is_verified() {
    let database = Database::sample().await;
    let (key, _) = (database.issue("pro"), database.issue("pro"));
    let stored = async || {
        database.texts("SELECT secret_hint::text FROM api_keys WHERE secret_hint IS NOT NULL").await
    };
    let rows = "SELECT (to_jsonb(k) - 'secret_hint')::text FROM api_keys k ORDER BY id";
    database.connect().await.batch_execute(CLEAR_HINTS).await.unwrap();
    let (before, audit) =
        (database.texts(rows).await, database.texts("SELECT count(*)::text FROM audit").await);
    let app = App::with_admin(&database).await;
    let wrong: Vec<_> = wrong(&key, false).take(2).collect();
    assert_eq!(app.get(&wrong[0], PATH).await.status(), 401);
    assert_eq!((samples(&app).await[HASH_COUNT], stored().await.len()), (1.0, 0));
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    eventually("the hint is stored", Duration::from_secs(5), async || {
        stored().await == [hint(&key).to_string()]
    })
    .await;
    assert_eq!(app.get(&wrong[1], PATH).await.status(), 401);
    assert_eq!(samples(&app).await[HASH_COUNT], 2.0, "rejected by the hint");
    assert_eq!(database.texts(rows).await, before);
    assert_eq!(database.texts("SELECT count(*)::text FROM audit").await, audit);
    assert_eq!(App::without_redis(&database).await.get(&key, PATH).await.status(), 200);
}

/// Another transaction locks the row: the key is verified without a wait.
#[tokio::test]
async fn requests_do_not_wait_for_a_hint_to_be_stored() {
    let database = Database::sample().await;
    let key = database.issue("pro");
    let mut client = database.connect().await;
    client.batch_execute(CLEAR_HINTS).await.unwrap();
    let held = client.transaction().await.unwrap();
    held.execute("UPDATE api_keys SET note = note", &[]).await.unwrap();
    let app = App::with(&database, &[("DATABASE_STATEMENT_TIMEOUT_MS", "60000")]).await;
    let answer = tokio::time::timeout(Duration::from_secs(20), app.get(&key, PATH)).await;
    assert_eq!(answer.expect("the request does not wait").status(), 200);
    held.commit().await.unwrap();
}

/// An operator may replace a hash with SQL.
#[tokio::test]
async fn replacing_a_hash_clears_its_hint_and_changing_a_hint_is_audited() {
    let database = Database::sample().await;
    let (key, other) = (database.issue("pro"), database.issue("pro"));
    let client = database.connect().await;
    let replace = "UPDATE api_keys k SET secret_hash = o.secret_hash FROM api_keys o
                   WHERE k.id = $1 AND o.id = $2";
    client.execute(replace, &[&id_of(&key), &id_of(&other)]).await.unwrap();
    let app = App::without_redis(&database).await;
    assert_eq!(app.get(&key, PATH).await.status(), 401);
    let crossed =
        crate::auth::with_checksum(&format!("tk_live_{}_{}", id_of(&key), &other[21..53]));
    assert_eq!(app.get(&crossed, PATH).await.status(), 200);
    let change = "UPDATE api_keys SET secret_hint = 255 - secret_hint WHERE id = $1";
    client.execute(change, &[&id_of(&other)]).await.unwrap();
    let entries = "SELECT became::text FROM audit WHERE action = 'change' ORDER BY id";
    assert_eq!(database.texts(entries).await, [r#"{"secret": "replaced"}"#; 2]);
}

#[tokio::test]
async fn keys_without_a_hint_take_only_a_share_of_the_verification_queue() {
    let database = Database::sample().await;
    let attacked = database.issue("pro");
    database.connect().await.batch_execute(CLEAR_HINTS).await.unwrap();
    let new = [database.issue("pro"), database.issue("pro")];
    // A queue of 8, of which keys without a hint may take 2, and a generous timeout.
    let limits = [
        ("ARGON2_PARALLEL_MAX", "1"),
        ("ARGON2_QUEUE_MAX", "8"),
        ("ARGON2_WAIT_TIMEOUT_MS", "60000"),
    ];
    let app = App::with(&database, &limits).await;
    // Four clients send one request after the other, so four wait at all times.
    let wrong: Vec<_> = wrong(&attacked, false).take(40).collect();
    let flood = join_all(wrong.chunks(10).map(async |own| {
        let mut statuses = Vec::new();
        for key in own {
            statuses.push(app.get(key, PATH).await.status().as_u16());
        }
        statuses
    }));
    let newcomers = join_all(new.iter().map(|key| app.get(key, PATH)));
    let (flood, newcomers) = tokio::join!(flood, newcomers);
    assert!(newcomers.iter().all(|answer| answer.status() == 200));
    let statuses = flood.concat();
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert!(count(401) >= 2 && count(503) >= 1 && count(401) + count(503) == 40, "{statuses:?}");
}
