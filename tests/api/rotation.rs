//! A key is rotated without an interruption and without a second limit.

use std::time::Duration;

use serde_json::Value;

use crate::support::{App, Database, eventually, header, id_of, redis_url, run, unique};

const PATH: &str = "/api/stocks/AAPL";

/// Rotates a key and returns the token of the new one.
fn rotate(database: &Database, id: &str, more: &[&str]) -> String {
    let output = database.output(&[["keys", "rotate", id].as_slice(), more].concat());
    assert_eq!(output.code, Some(0), "{output:?}");
    let token = output.stdout.strip_suffix('\n').expect("a line").to_owned();
    assert!(
        token.len() == 59 && !output.stderr.contains(&token[21..]),
        "the token is alone on stdout: {output:?}"
    );
    token
}

#[tokio::test]
async fn both_keys_of_a_rotation_share_one_limit_on_two_instances() {
    let database = Database::sample().await;
    let apps = App::with_shared_redis(&database, 2).await;
    let old = database.issue("free");
    let half = admitted(&apps, &[&old], 30).await;
    assert_eq!(half, 30, "the old key has used some of the limit before");
    let new = rotate(&database, id_of(&old), &[]);
    let rest = admitted(&apps, &[&old, &new], 50).await;
    assert_eq!(rest, 70, "both keys together are admitted for the rest of the limit");
    let answer = apps[0].get(&new, PATH).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "x-ratelimit-remaining")), (429, "0"));
}

/// Sends `each` requests with each key to each instance and counts those admitted.
async fn admitted(apps: &[App], keys: &[&String], each: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..each {
        for key in keys {
            for app in &apps[..if keys.len() == 1 { 1 } else { apps.len() }] {
                admitted += usize::from(app.get(key, PATH).await.status() == 200);
            }
        }
    }
    admitted
}

#[tokio::test]
async fn the_new_key_works_at_once_and_the_old_one_until_its_grace_ends() {
    let database = Database::sample().await;
    let (app, old) = (App::without_redis(&database).await, database.issue("pro"));
    assert_eq!(app.get(&old, PATH).await.status(), 200);
    let new = rotate(&database, id_of(&old), &["--grace", "3s"]);
    assert_eq!(app.get(&new, PATH).await.status(), 200, "at once");
    assert_eq!(app.get(&old, PATH).await.status(), 200, "within its grace");
    eventually("the grace ends", Duration::from_secs(5), async || {
        app.get(&old, PATH).await.status() == 401
    })
    .await;
    assert_eq!(app.get(&new, PATH).await.status(), 200);
    let (shown, old) = (database.output(&["keys", "show", &new, "--json"]).json(), id_of(&old));
    assert_eq!((shown["replaces"].as_str(), shown["limitId"].as_str()), (Some(old), Some(old)));
    let shown = database.output(&["keys", "show", old, "--json"]).json();
    assert_eq!(
        (shown["status"].as_str(), shown["replacedBy"].as_str()),
        (Some("expired"), Some(id_of(&new)))
    );
}

#[tokio::test]
async fn a_new_key_inherits_the_old_ones_fields_and_limit_through_repeated_rotations() {
    let database = Database::sample().await;
    let order = [
        "keys", "issue", "--owner", "ann", "--name", "laptop", "--note", "by phone", "--tier",
        "pro",
    ];
    let first = database.output(&[order.as_slice(), &["--expires", "2099-01-31"]].concat()).stdout;
    let second = rotate(&database, id_of(&first), &[]);
    let third = database.output(&["keys", "rotate", &second, "--expires", "30d", "--json"]).json();
    let shown = database.output(&["keys", "show", id_of(&second), "--json"]).json();
    for (field, value) in
        [("owner", "ann"), ("name", "laptop"), ("note", "by phone"), ("tier", "pro")]
    {
        assert!(shown[field] == value && third[field] == value, "{field}: {shown} {third}");
    }
    assert_eq!(third["limitId"], id_of(&first), "all keys share the limit of the first");
    assert_eq!(third["replaces"], id_of(&second));
    assert!(third["expiresAt"].as_str().unwrap() < "2099", "{third}");
    assert!(
        shown["expiresAt"].as_str().unwrap() < "2099",
        "the old key expires after its grace: {shown}"
    );
    let fourth = rotate(&database, third["id"].as_str().unwrap(), &[]);
    let shown = database.output(&["keys", "show", id_of(&fourth), "--json"]).json();
    assert_eq!(
        shown["expiresAt"], third["expiresAt"],
        "without --expires, the expiry of the old key applies"
    );
}

#[tokio::test]
async fn of_concurrent_rotations_one_succeeds_and_the_others_name_the_new_key() {
    let database = Database::sample().await;
    let old = database.issue("pro");
    let start = || {
        let mut command = database.tickerd(&["keys", "rotate", id_of(&old)]);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let processes: Vec<_> = (0..4).map(|_| start()).collect();
    let ended: Vec<crate::support::CommandOutput> =
        processes.into_iter().map(|process| process.wait_with_output().unwrap().into()).collect();
    let (done, refused): (Vec<_>, Vec<_>) = ended.iter().partition(|output| output.code == Some(0));
    assert_eq!((done.len(), refused.len()), (1, 3), "{ended:?}");
    let new = id_of(&done[0].stdout);
    assert!(refused.iter().all(|output| output.error_line().contains(new)), "{ended:?}");
    assert_eq!(database.texts("SELECT id FROM api_keys").await.len(), 2);
}

#[tokio::test]
async fn an_expired_or_revoked_key_can_not_be_rotated() {
    let database = Database::sample().await;
    let (revoked, expired) = (database.issue("pro"), database.issue("pro"));
    assert_eq!(database.output(&["keys", "revoke", &revoked, "--yes"]).code, Some(0));
    let expire = format!("UPDATE api_keys SET expires_at = now() WHERE id = '{}'", id_of(&expired));
    database.connect().await.batch_execute(&expire).await.unwrap();
    for (id, state) in
        [(id_of(&revoked), "revoked"), (id_of(&expired), "expired"), ("000000000000", "no key")]
    {
        let output = database.output(&["keys", "rotate", id]);
        assert!(
            output.error_line().contains(id) && output.error_line().contains(state),
            "{output:?}"
        );
    }
    assert_eq!(database.texts("SELECT id FROM api_keys").await.len(), 2);
}

#[tokio::test]
async fn a_rotation_without_grace_requires_yes_and_ends_the_old_key_at_once() {
    let database = Database::sample().await;
    let (app, old) = (App::without_redis(&database).await, database.issue("pro"));
    let output = database.output(&["keys", "rotate", id_of(&old), "--grace", "0s"]);
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.contains("--yes")),
        (Some(2), "", true),
        "{output:?}"
    );
    let output = database.output(&["keys", "rotate", id_of(&old), "--grace", "91d"]);
    assert_eq!((output.code, output.stderr.contains("90d")), (Some(2), true), "{output:?}");
    assert_eq!(app.get(&old, PATH).await.status(), 200);
    let new = rotate(&database, id_of(&old), &["--grace", "0s", "--yes"]);
    eventually("the old key is rejected", Duration::from_secs(1), async || {
        app.get(&old, PATH).await.status() == 401
    })
    .await;
    assert_eq!(app.get(&new, PATH).await.status(), 200);
}

#[tokio::test]
async fn an_expiry_applies_to_one_key_of_a_rotation_and_an_owner_to_both() {
    let database = Database::sample().await;
    let old = database.issue("free");
    let new = rotate(&database, id_of(&old), &[]);
    let shown = |key: &str| database.output(&["keys", "show", key, "--json"]).json();
    let before = shown(&new);
    assert_eq!(database.output(&["keys", "set", &old, "--expires", "2d"]).code, Some(0));
    assert_eq!(shown(&new), before);
    assert_eq!(database.output(&["keys", "set", &new, "--owner", "ann"]).code, Some(0));
    assert_eq!((&shown(&old)["owner"], &shown(&new)["owner"]), (&"ann".into(), &"ann".into()));
}

/// A change of tier during a rotation applies to the holder, so to both keys.
#[tokio::test]
async fn a_tier_changed_during_a_rotation_applies_to_both_keys_within_a_second() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("tier"));
    let shared = [("REDIS_URL", redis_url()), ("REDIS_KEY_PREFIX", prefix)];
    let variables: Vec<_> = shared.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let app = App::with(&database, &variables).await;
    let old = database.issue("free");
    let new = rotate(&database, id_of(&old), &[]);
    for key in [&old, &new] {
        assert_eq!(header(&app.get(key, PATH).await, "x-ratelimit-limit"), "100");
    }
    let mut set = database.tickerd(&["keys", "set", id_of(&new), "--tier", "pro", "--json"]);
    let output = run(set.envs(variables.iter().copied()));
    let changed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (changed["instancesTold"].as_u64(), changed["tier"].as_str()),
        (Some(1), Some("pro")),
        "{changed}"
    );
    for key in [&old, &new] {
        let updated = async || header(&app.get(key, PATH).await, "x-ratelimit-limit") == "1000";
        eventually("the new tier applies", Duration::from_secs(1), updated).await;
    }
}
