//! Every change of a key or a tier is recorded: the actor, the time and the change.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{ADMIN_TOKEN, App, Database, id_of, run};

/// Entries as (actor, action, subject, was, became), oldest first.
async fn entries(database: &Database) -> Vec<(String, String, String, Value, Value)> {
    let sql = "SELECT actor, action, subject, was::text, became::text FROM audit ORDER BY id";
    let rows = database.connect().await.query(sql, &[]).await.unwrap();
    let json = |text: Option<String>| {
        text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    };
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), json(row.get(3)), json(row.get(4))))
        .collect()
}

#[tokio::test]
async fn every_change_has_an_entry_with_its_actor_and_the_old_and_new_values() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    let run = |arguments: &[&str]| {
        let output = database.output(&[arguments, &["--actor", "ann"]].concat());
        assert_eq!(output.code, Some(0), "{output:?}");
        output.stdout.trim().to_owned()
    };
    let first = run(&["keys", "issue", "--owner", "bob", "--name", "laptop"]);
    run(&["keys", "set", &first, "--tier", "pro", "--note", "paid"]);
    let second = run(&["keys", "rotate", &first]);
    let patch =
        app.admin("PATCH", &format!("/admin/keys/{}", id_of(&second))).bearer_auth(ADMIN_TOKEN);
    let answer = patch
        .header("x-actor", "sign-up page")
        .json(&json!({ "note": null }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    run(&["keys", "revoke", &first, "--yes"]);
    app.admin_json("PUT", "/admin/tiers/gold", json!({ "requestsPerMinute": 5000 })).await;
    run(&["tiers", "set", "gold", "--requests-per-minute", "4000"]);
    let found = entries(&database).await;
    let (one, two) = (id_of(&first), id_of(&second));
    let short: Vec<_> = found
        .iter()
        .map(|(actor, action, subject, ..)| (&**actor, &**action, &**subject))
        .collect();
    let expected = [
        ("cli:ann", "issue", one),
        ("cli:ann", "change", one),
        ("cli:ann", "rotate", two),
        ("cli:ann", "change", one),
        // Both keys of the rotation lose the note.
        ("http:sign-up page", "change", one),
        ("http:sign-up page", "change", two),
        ("cli:ann", "revoke", one),
        ("http:admin", "add", "gold"),
        ("cli:ann", "change", "gold"),
    ];
    let (mut sorted, mut wanted) = (short.clone(), expected.to_vec());
    // One statement writes its rows in any order.
    sorted.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted);
    let change = found.iter().find(|entry| entry.1 == "change").unwrap();
    assert_eq!(
        (&change.3, &change.4),
        (&json!({ "tier": "free", "note": null }), &json!({ "tier": "pro", "note": "paid" }))
    );
    let last = found.last().unwrap();
    assert_eq!(
        (&last.3, &last.4),
        (&json!({ "requests_per_minute": 5000 }), &json!({ "requests_per_minute": 4000 }))
    );
    for token in [&first, &second] {
        let all = format!("{found:?}");
        assert!(
            !all.contains(&token[21..53]) && !all.contains("argon2") && !all.contains("secret"),
            "{all}"
        );
    }
}

#[tokio::test]
async fn rejected_changes_and_changes_of_nothing_have_no_entry() {
    let database = Database::sample().await;
    let key = database.issue("pro");
    database.output(&["keys", "revoke", &key, "--yes"]);
    let before = entries(&database).await.len();
    assert_eq!(before, 2);
    database.output(&["keys", "revoke", &key, "--yes"]);
    database.output(&["keys", "set", &key, "--tier", "pro"]);
    database.output(&["keys", "set", &key, "--tier", "gold"]);
    database.output(&["keys", "rotate", &key]);
    database.output(&["tiers", "set", "pro", "--requests-per-minute", "1000"]);
    assert_eq!(entries(&database).await.len(), before);
}

/// During a rolling update, the previous version still issues and revokes keys.
#[tokio::test]
async fn writes_of_the_previous_version_work_and_are_audited_under_its_database_role() {
    let database = Database::sample().await;
    let (app, key) = (App::with_admin(&database).await, database.issue("pro"));
    let client = database.connect().await;
    // The statements of the previous release.
    let insert = "WITH next AS (SELECT next_revision() AS current)
                  INSERT INTO api_keys (id, secret_hash, owner, name, tier, expires_at, revision)
                  SELECT 'Abcdef123456', secret_hash, 'ann', 'old', 'free', NULL, current
                  FROM next, api_keys
                  WHERE id = $1";
    assert_eq!(client.execute(insert, &[&id_of(&key)]).await.unwrap(), 1);
    let set_tier = "WITH next AS (SELECT next_revision_by('cli:ann') AS current)
                    INSERT INTO tiers (name, requests_per_minute, revision)
                    SELECT $1, $2, current FROM next
                    ON CONFLICT (name) DO UPDATE
                    SET requests_per_minute = excluded.requests_per_minute,
                        revision = excluded.revision";
    assert_eq!(client.execute(set_tier, &[&"old", &70]).await.unwrap(), 1);
    let (_, tiers) = app.admin_json("GET", "/admin/tiers", Value::Null).await;
    assert_eq!(tiers["tiers"][0]["requestsPerMinute"], 70, "{tiers}");
    let revoke = "WITH next AS (SELECT next_revision() AS current)
                  UPDATE api_keys
                  SET revoked_at = coalesce(revoked_at, now()), revision = next.current
                  FROM next WHERE id = 'Abcdef123456' RETURNING revoked_at";
    assert_eq!(client.query(revoke, &[]).await.unwrap().len(), 1);
    let read = "SELECT k.secret_hash, k.expires_at, k.revoked_at IS NOT NULL, t.name,
                    t.requests_per_minute
                FROM api_keys k JOIN tiers t ON t.name = k.tier WHERE k.id = $1";
    assert_eq!(client.query(read, &[&id_of(&key)]).await.unwrap().len(), 1);
    let changes = "SELECT symbol, data_version, exchange FROM stocks WHERE data_version > $1
                   UNION ALL SELECT id, revision, NULL FROM api_keys WHERE revision > $1";
    assert!(client.query(changes, &[&-1_i64]).await.unwrap().len() > 2);
    let (_, page) = app.admin_json("GET", "/admin/audit?subject=Abcdef123456", Value::Null).await;
    let found: Vec<_> = page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (&entry["actor"], &entry["action"]))
        .collect();
    let role = json!("sql:tickerd");
    assert_eq!(found, [(&role, &json!("revoke")), (&role, &json!("issue"))]);
    let (_, shown) = app.admin_json("GET", "/admin/keys/Abcdef123456", Value::Null).await;
    assert_eq!(
        (shown["limitId"].as_str(), shown["status"].as_str()),
        (Some("Abcdef123456"), Some("revoked"))
    );
}

#[tokio::test]
async fn the_audit_is_read_by_key_and_page_by_page() {
    let database = Database::sample().await;
    let (app, key, other) =
        (App::with_admin(&database).await, database.issue("pro"), database.issue("pro"));
    for tier in ["free", "enterprise"] {
        assert_eq!(database.output(&["keys", "set", &key, "--tier", tier]).code, Some(0));
    }
    let (mut numbers, mut path) = (Vec::new(), "/admin/audit?limit=3".to_owned());
    loop {
        let (_, page) = app.admin_json("GET", &path, Value::Null).await;
        numbers.extend(
            page["entries"].as_array().unwrap().iter().map(|entry| entry["id"].as_i64().unwrap()),
        );
        let Some(next) = page["next"].as_i64() else { break };
        path = format!("/admin/audit?limit=3&before={next}");
    }
    assert!(
        numbers.len() == 4 && numbers.is_sorted_by(|newer, older| newer > older),
        "{numbers:?}"
    );
    let of_one = database.output(&["keys", "audit", id_of(&other), "--json"]).json();
    assert_eq!((of_one.as_array().unwrap().len(), &of_one[0]["action"]), (1, &json!("issue")));
    assert_eq!(of_one[0]["became"]["tier"], "pro");
    assert!(
        of_one[0]["became"]["createdAt"].is_string(),
        "fields have the names of the API: {of_one}"
    );
    let text = database.output(&["keys", "audit", &key, "--limit", "2"]);
    assert_eq!(text.stdout.lines().count(), 2, "{text:?}");
    assert!(
        text.stdout.lines().next().unwrap().ends_with("tier \"free\" -> \"enterprise\""),
        "{text:?}"
    );
    assert!(text.stderr.contains("--before"), "stderr says how to get more: {text:?}");
}

#[tokio::test]
async fn without_a_name_the_actor_is_the_user_who_ran_the_command() {
    let database = Database::sample().await;
    let mut command = database.tickerd(&["keys", "issue", "--owner", "o", "--name", "n"]);
    assert!(run(command.env("USER", "carol")).status.success());
    assert!(database.run(&["keys", "issue", "--owner", "o", "--name", "n"]).status.success());
    let actors: Vec<_> = entries(&database).await.into_iter().map(|entry| entry.0).collect();
    assert_eq!(actors[0], "cli:carol");
    // Without a variable, the name is that of the process.
    let name = Command::new("id").arg("-un").output().unwrap();
    assert_eq!(actors[1], format!("cli:{}", String::from_utf8(name.stdout).unwrap().trim()));
}

#[tokio::test]
async fn replaced_secrets_and_truncated_tables_leave_entries_without_a_hash() {
    let database = Database::sample().await;
    let key = database.issue("pro");
    let client = database.connect().await;
    client
        .batch_execute("UPDATE api_keys SET secret_hash = 'another'; TRUNCATE api_keys CASCADE")
        .await
        .unwrap();
    let found = entries(&database).await;
    let short: Vec<_> = found
        .iter()
        .map(|(_, action, subject, _, became)| (&**action, &**subject, became))
        .collect();
    let replaced = json!({ "secret": "replaced" });
    assert_eq!(
        short[1..],
        [("change", id_of(&key), &replaced), ("delete", "all", &Value::Null)],
        "{found:?}"
    );
    assert!(
        found.iter().all(|entry| entry.0.starts_with("sql:") || entry.1 == "issue"),
        "{found:?}"
    );
    let written = format!("{found:?}");
    assert!(!written.contains("another") && !written.contains("argon2id"), "{written}");
}
