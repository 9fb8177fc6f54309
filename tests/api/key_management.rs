//! Managing keys on the command line: search, show, change, expiry, and confirmation before a loss.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{App, CommandOutput, Database, eventually, id_of};

const PATH: &str = "/api/stocks/AAPL";

fn issue(database: &Database, owner: &str, name: &str, more: &[&str]) -> String {
    let output = database
        .output(&[["keys", "issue", "--owner", owner, "--name", name].as_slice(), more].concat());
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stdout.trim().to_owned()
}

#[tokio::test]
async fn a_key_with_an_expiry_works_until_then_and_no_longer() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let key = issue(&database, "ann", "trial", &["--expires", "3s", "--tier", "enterprise"]);
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    eventually("the key expires", Duration::from_secs(5), async || {
        app.get(&key, PATH).await.status() == 401
    })
    .await;
    assert_eq!(database.output(&["keys", "show", &key, "--json"]).json()["status"], "expired");
    for expires in ["2001-01-01", "tomorrow", "0s"] {
        let output = database.output(&[
            "keys",
            "issue",
            "--owner",
            "o",
            "--name",
            "n",
            "--expires",
            expires,
        ]);
        assert_eq!(
            (output.code, output.stderr.contains("expected a time in the future")),
            (Some(2), true),
            "{output:?}"
        );
    }
    // A new expiry makes the key valid again, with the same token.
    assert_eq!(database.output(&["keys", "set", &key, "--expires", "never"]).code, Some(0));
    eventually("the key is valid again", Duration::from_secs(1), async || {
        app.get(&key, PATH).await.status() == 200
    })
    .await;
}

#[tokio::test]
async fn a_search_finds_words_by_their_beginning_in_owner_name_and_note() {
    let database = Database::sample().await;
    let ann = issue(&database, "Ann@Example.com", "laptop", &["--note", "paid by invoice 2026/17"]);
    let bob = issue(&database, "bob@example.org", "Zo\u{eb}'s laptop", &[]);
    let cat = issue(&database, "cat", "100% 'quoted' \\ & | ! : * ()", &["--tier", "pro"]);
    let found = |arguments: &[&str]| -> Vec<String> {
        let listed =
            database.output(&[["keys", "list", "--json"].as_slice(), arguments].concat()).json();
        listed
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["id"].as_str().unwrap().to_owned())
            .collect()
    };
    for (search, keys) in [
        ("ann@example.com", vec![&ann]),
        ("EXAMP", vec![&bob, &ann]),
        ("laptop example", vec![&bob, &ann]),
        ("laptop org", vec![&bob]),
        ("zo\u{eb}", vec![&bob]),
        ("2026/17", vec![&ann]),
        ("inv", vec![&ann]),
        ("xample", vec![]),
        ("quoted", vec![&cat]),
        ("'quoted' & ! :* (", vec![&cat]),
        ("nobody", vec![]),
    ] {
        let keys: Vec<_> = keys.into_iter().map(|key| id_of(key)).collect();
        assert_eq!(found(&["--search", search]), keys, "{search}");
    }
    assert_eq!(found(&["--tier", "pro"]), [id_of(&cat)]);
    assert_eq!(database.output(&["keys", "revoke", &cat, "--yes"]).code, Some(0));
    assert_eq!(found(&["--active"]), [id_of(&bob), id_of(&ann)]);
    assert_eq!(
        found(&["--active", "--search", "laptop", "--owner", "Ann@Example.com"]),
        [id_of(&ann)]
    );
    let nothing = database.output(&["keys", "list", "--search", " @ "]);
    assert_eq!(
        (nothing.code, nothing.stderr.contains("a word or more")),
        (Some(2), true),
        "{nothing:?}"
    );
}

#[tokio::test]
async fn a_search_among_many_keys_uses_the_index() {
    let database = Database::sample().await;
    issue(&database, "ann", "needle", &[]);
    let client = database.connect().await;
    let many = "INSERT INTO api_keys (id, secret_hash, owner, name, tier, revision)
                SELECT lpad(n::text, 12, '0'), '', 'owner ' || n, 'hay', 'free', 0
                FROM generate_series(1, 20000) n;
                ANALYZE api_keys";
    client.batch_execute(many).await.unwrap();
    let explain = "EXPLAIN SELECT id FROM api_keys k
                   WHERE key_words(k.owner, k.name, k.note)
                       @@ to_tsquery('simple', '''needle'':*')";
    let plan = database.texts(explain).await.join("\n");
    assert!(plan.contains("api_keys_words"), "{plan}");
    let found = database.output(&["keys", "list", "--search", "needle", "--json"]).json();
    assert_eq!(
        (found.as_array().unwrap().len(), &found[0]["owner"]),
        (1, &serde_json::json!("ann"))
    );
    let all = database.output(&["keys", "list"]);
    assert_eq!(all.stdout.lines().count(), 20_002, "every page is printed below one heading");
}

#[tokio::test]
async fn a_key_is_shown_by_its_id_or_token_and_without_its_secret() {
    let database = Database::sample().await;
    let key = issue(&database, "ann", "laptop", &["--note", "by phone"]);
    for name in [id_of(&key), &key, &key[..20]] {
        let output = database.output(&["keys", "show", name]);
        assert!(
            ["ann", "laptop", "by phone", "free, 100", "active", "never"]
                .iter()
                .all(|part| output.stdout.contains(part)),
            "{output:?}"
        );
        assert!(
            !output.stdout.contains(&key[21..]) && !output.stdout.contains("argon2"),
            "{output:?}"
        );
    }
    assert!(
        database
            .output(&["keys", "show", "000000000000"])
            .error_line()
            .contains("no key 000000000000")
    );
}

#[tokio::test]
async fn revoke_shows_when_the_key_was_last_used() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("USAGE_FLUSH_MS", "50")]).await;
    let key = issue(&database, "ann", "laptop", &[]);
    assert!(database.output(&["keys", "revoke", &key]).stderr.contains("not used yet"));
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    let shown = || database.output(&["keys", "show", &key, "--json"]).json()["lastUsedAt"].clone();
    eventually("the time of use is stored", Duration::from_secs(10), async || shown().is_string())
        .await;
    assert!(database.output(&["keys", "revoke", &key]).stderr.contains("last used 2"));
    let shown = database.output(&["keys", "show", &key]).stdout;
    assert!(shown.contains("last used") && shown.contains("requests today"), "{shown}");
}

#[tokio::test]
async fn a_change_affects_only_the_named_fields() {
    let database = Database::sample().await;
    let key = issue(&database, "ann", "laptop", &["--note", "by phone", "--expires", "2099-01-31"]);
    let changed = database.output(&["keys", "set", &key, "--name", "desktop", "--json"]).json();
    let fields = ["owner", "name", "note", "tier", "expiresAt"]
        .map(|field| changed[field].as_str().unwrap_or_default());
    assert_eq!(fields, ["ann", "desktop", "by phone", "free", "2099-01-31T00:00:00Z"]);
    let changed = database
        .output(&["keys", "set", &key, "--note", "", "--expires", "never", "--json"])
        .json();
    assert!(
        changed["note"].is_null() && changed["expiresAt"].is_null() && changed["name"] == "desktop",
        "{changed}"
    );
    for (arguments, code) in [
        (["--tier", "gold"].as_slice(), 1),
        (&["--tier", "Gold"], 2),
        (&["--name", "\n"], 2),
        (&[], 2),
    ] {
        let output = database.output(&[["keys", "set", &key].as_slice(), arguments].concat());
        assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{output:?}");
    }
    assert!(
        database
            .output(&["keys", "set", "000000000000", "--tier", "pro"])
            .error_line()
            .contains("000000000000")
    );
}

#[tokio::test]
async fn in_a_script_revoking_an_active_key_requires_yes() {
    let database = Database::sample().await;
    let key = database.issue("pro");
    let output = database.output(&["keys", "revoke", &key]);
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.lines().count()),
        (Some(2), "", 1),
        "{output:?}"
    );
    assert!(
        [id_of(&key), "tests", "--yes"].iter().all(|part| output.stderr.contains(part)),
        "{output:?}"
    );
    assert!(!output.stderr.contains(&key[21..]), "{output:?}");
    let active = "SELECT id FROM api_keys WHERE revoked_at IS NULL";
    assert_eq!(database.texts(active).await.len(), 1);
    assert_eq!(database.output(&["keys", "revoke", &key, "--yes"]).code, Some(0));
    assert_eq!(
        database.output(&["keys", "revoke", &key]).code,
        Some(0),
        "a revoked key needs no confirmation"
    );
}

#[tokio::test]
async fn on_a_terminal_only_a_yes_confirms() {
    let database = Database::sample().await;
    let key = database.issue("pro");
    let revoked =
        async || database.texts("SELECT id FROM api_keys WHERE revoked_at IS NOT NULL").await.len();
    for (answer, code, revoked_after) in [("n", 1, 0), ("", 1, 0), ("yes", 0, 1)] {
        let output =
            on_a_terminal(database.tickerd(&["keys", "revoke", id_of(&key)]), answer).await;
        assert!(output.stderr.contains("Go on? [y/N]"), "{output:?}");
        assert_eq!(
            (output.code, revoked().await),
            (Some(code), revoked_after),
            "{answer}: {output:?}"
        );
    }
}

/// Runs a command on a terminal of its own and types a line.
async fn on_a_terminal(mut command: Command, answer: &str) -> CommandOutput {
    let user_side =
        rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY)
            .unwrap();
    rustix::pty::grantpt(&user_side).unwrap();
    rustix::pty::unlockpt(&user_side).unwrap();
    let name = rustix::pty::ptsname(&user_side, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    let (mut user_side, stderr) = (File::from(user_side), terminal.try_clone().unwrap());
    let mut process =
        command.stdin(terminal).stderr(stderr).stdout(Stdio::piped()).spawn().unwrap();
    // The `Command` holds the terminal open.
    drop(command);
    user_side.write_all(format!("{answer}\n").as_bytes()).unwrap();
    eventually("the command ends", Duration::from_secs(20), async || {
        process.try_wait().unwrap().is_some()
    })
    .await;
    let mut shown = Vec::new();
    // Reading fails at the end of the output, when the last writer has closed the terminal.
    let _ = user_side.read_to_end(&mut shown);
    CommandOutput {
        code: process.wait().unwrap().code(),
        stdout: String::new(),
        stderr: String::from_utf8(shown).unwrap(),
    }
}

#[tokio::test]
async fn a_second_revocation_says_when_the_first_was() {
    let database = Database::sample().await;
    let token = database.issue("pro");
    let revoke = || database.output(&["keys", "revoke", id_of(&token), "--yes"]).stderr;
    let first = revoke();
    assert!(first.starts_with("Revoked "), "{first}");
    let second = revoke();
    assert!(second.contains(" was already revoked on 2"), "{second}");
}
