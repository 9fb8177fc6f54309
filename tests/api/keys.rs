//! Keys are issued, listed and revoked from the command line, and their secrets are shown once.

use serde_json::Value;

use crate::support::{CommandOutput, Database, id_of, tickerd};

const ISSUE: [&str; 6] = ["keys", "issue", "--owner", "ann", "--name", "laptop"];
/// Every column of every key, as Postgres writes it.
const STORED: &str = "SELECT k::text FROM api_keys k";

fn issue<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [ISSUE.as_slice(), more].concat()
}

fn assert_is_token(text: &str) {
    let base62 = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric());
    assert!(text.len() == 59 && text.is_ascii(), "{text:?}");
    let (id, secret) = text.strip_prefix("tk_live_").unwrap().split_once('_').unwrap();
    assert!(id.len() == 12 && base62(id) && base62(secret), "{text:?}");
}

#[tokio::test]
async fn the_token_is_alone_on_stdout_and_all_else_is_on_stderr() {
    let database = Database::sample().await;
    let output = database.output(&issue(&["--tier", "pro"]));
    assert_eq!(output.code, Some(0), "{output:?}");
    let token = output.stdout.strip_suffix('\n').unwrap();
    assert_is_token(token);
    for part in [id_of(token), "pro", "ann"] {
        assert!(output.stderr.contains(part), "{output:?}");
    }
    assert!(!output.stderr.contains(&token[21..]), "the secret is on stdout only");
    let json = database.output(&issue(&["--tier", "pro", "--json"])).json();
    let token = json["token"].as_str().unwrap();
    assert_is_token(token);
    let expected = [("id", id_of(token)), ("owner", "ann"), ("name", "laptop"), ("tier", "pro")];
    assert!(expected.iter().all(|(field, text)| json[field] == *text), "{json}");
    // Without `--tier`, a key gets the smallest tier.
    assert_eq!(database.output(&issue(&["--json"])).json()["tier"], "free");
}

#[tokio::test]
async fn the_database_stores_a_salted_argon2id_hash_and_no_part_of_the_secret() {
    let database = Database::sample().await;
    let tokens = [database.issue("pro"), database.issue("free")];
    let stored = database.texts(STORED).await.join("\n");
    for token in &tokens {
        let (secret, checksum) = token[21..].split_at(32);
        assert!(stored.contains(id_of(token)), "the key is stored");
        assert!(!stored.contains(secret) && !stored.contains(checksum), "{stored}");
    }
    let hashes = database.texts("SELECT secret_hash FROM api_keys").await;
    for hash in &hashes {
        let parts: Vec<_> = hash.split('$').collect();
        assert_eq!(parts[..4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
        assert_eq!(parts.len(), 6, "{hash}");
    }
    let salts: Vec<_> = hashes.iter().map(|hash| hash.split('$').nth(4).unwrap()).collect();
    assert_ne!(salts[0], salts[1]);
}

#[tokio::test]
async fn the_list_shows_every_key_and_never_a_secret_or_a_hash() {
    let database = Database::sample().await;
    let tokens = [database.issue("pro"), database.issue("free"), database.issue("enterprise")];
    let anns_key = database.output(&issue(&[])).stdout;
    assert_eq!(database.output(&["keys", "revoke", id_of(&tokens[0]), "--yes"]).code, Some(0));
    let expire = format!(
        "UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = '{}'",
        id_of(&tokens[1])
    );
    database.connect().await.batch_execute(&expire).await.unwrap();
    let (text, json) =
        (database.output(&["keys", "list"]), database.output(&["keys", "list", "--json"]));
    let hashes = database.texts("SELECT split_part(secret_hash, '$', 6) FROM api_keys").await;
    assert_eq!(hashes.len(), 4);
    for text in [&text.stdout, &text.stderr, &json.stdout, &json.stderr] {
        for secret in tokens
            .iter()
            .chain([&anns_key])
            .map(|token| &token[21..53])
            .chain(hashes.iter().map(String::as_str))
        {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(!text.contains("argon2"), "{text}");
    }
    for (token, status) in
        tokens.iter().chain([&anns_key]).zip(["revoked", "expired", "active", "active"])
    {
        let line = text
            .stdout
            .lines()
            .find(|line| line.contains(id_of(token)))
            .expect("the key is listed");
        assert!(line.contains(status), "{line}");
    }
    assert_eq!(
        text.stdout.lines().count(),
        5,
        "one line for each key below the heading: {}",
        text.stdout
    );
    let listed = json.json();
    let newest_first: Vec<_> =
        listed.as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect();
    assert_eq!(
        newest_first,
        [&anns_key, &tokens[2], &tokens[1], &tokens[0]].map(|token| id_of(token))
    );
    let revoked: Vec<_> =
        listed.as_array().unwrap().iter().map(|key| key["revokedAt"].is_string()).collect();
    assert_eq!(revoked, [false, false, false, true]);
    assert_eq!(listed[0]["requestsPerMinute"], 100);
    let anns = database.output(&["keys", "list", "--owner", "ann", "--json"]).json();
    assert_eq!(
        (anns.as_array().unwrap().len(), anns[0]["id"].as_str()),
        (1, Some(id_of(&anns_key)))
    );
    assert_eq!(
        database.output(&["keys", "list", "--owner", "nobody", "--json"]).json(),
        Value::Array(Vec::new())
    );
}

#[tokio::test]
async fn an_unknown_tier_is_rejected_with_the_list_of_tiers() {
    let database = Database::sample().await;
    for arguments in [issue(&["--tier", "gold"]), issue(&["--tier", "gold", "--json"])] {
        let output = database.output(&arguments);
        assert!(
            output.error_line().ends_with("expected one of free, pro, enterprise"),
            "{output:?}"
        );
    }
    // A text that can't be the name of a tier is a usage error.
    let output = database.output(&issue(&["--tier", "Free"]));
    assert_eq!(
        (output.code, output.stderr.contains("expected the name of a tier: a-z")),
        (Some(2), true),
        "{output:?}"
    );
    assert!(database.texts(STORED).await.is_empty());
}

#[tokio::test]
async fn revoking_again_is_no_error_and_keeps_the_first_time() {
    let database = Database::sample().await;
    let (token, other) = (database.issue("pro"), database.issue("pro"));
    let revoke = ["keys", "revoke", id_of(&token), "--yes", "--json"];
    let first = database.output(&revoke).json();
    assert_eq!(
        (first["id"].as_str(), first["instancesTold"].as_u64()),
        (Some(id_of(&token)), Some(0)),
        "{first}"
    );
    assert!(first["revokedAt"].is_string(), "{first}");
    assert_eq!(database.output(&revoke).json()["revokedAt"], first["revokedAt"]);
    let text = database.output(&revoke[..3]);
    assert_eq!((text.code, text.stdout.as_str()), (Some(0), ""));
    assert!(text.stderr.contains(id_of(&token)), "{text:?}");
    let revoked = database.texts("SELECT id FROM api_keys WHERE revoked_at IS NOT NULL").await;
    assert_eq!(revoked, [id_of(&token)], "{other} is not affected");
}

#[tokio::test]
async fn an_unknown_id_is_a_failure_and_a_malformed_one_is_a_usage_error() {
    let database = Database::sample().await;
    let token = database.issue("pro");
    let unknown = database.output(&["keys", "revoke", "000000000000"]);
    assert!(unknown.error_line().contains("000000000000"), "{unknown:?}");
    for malformed in ["short", "00000000000!", "", "tk_live_short_x", "0000000000000"] {
        let output = database.output(&["keys", "revoke", malformed]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{malformed}: {output:?}");
    }
    assert!(
        database.texts("SELECT id FROM api_keys WHERE revoked_at IS NOT NULL").await.is_empty()
    );
    // A token that was found somewhere can be pasted whole.
    let whole = database.output(&["keys", "revoke", &token, "--yes"]);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    assert_eq!(
        database.texts("SELECT id FROM api_keys WHERE revoked_at IS NOT NULL").await,
        [id_of(&token)]
    );
}

#[tokio::test]
async fn labels_that_could_forge_a_line_are_usage_errors() {
    let database = Database::sample().await;
    let long = "x".repeat(201);
    for label in [
        "a\nb",
        "a\tb",
        "\u{1b}[2J",
        "a\u{7f}",
        "\u{9b}",
        "a\u{202e}b",
        "a\u{2028}b",
        "",
        "  ",
        &long,
    ] {
        for arguments in [["--owner", label, "--name", "n"], ["--owner", "o", "--name", label]] {
            let output = database.output(&[["keys", "issue"].as_slice(), &arguments].concat());
            assert_eq!(
                (output.code, output.stdout.as_str()),
                (Some(2), ""),
                "{label:?}: {output:?}"
            );
        }
    }
    assert!(database.texts(STORED).await.is_empty());
    let longest = "é".repeat(200);
    assert_eq!(
        database
            .output(&["keys", "issue", "--owner", &longest, "--name", "Zoë's, \"quoted\""])
            .code,
        Some(0)
    );
}

#[tokio::test]
async fn wrong_usage_exits_2_and_leaves_stdout_empty() {
    let database = Database::sample().await;
    for arguments in [
        ["keys"].as_slice(),
        &["keys", "issue", "--owner", "o"],
        &["keys", "drop"],
        &["keys", "list", "x"],
    ] {
        let output = database.output(arguments);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}: {output:?}"
        );
    }
    for arguments in [
        ["keys", "list"].as_slice(),
        &ISSUE,
        &["keys", "revoke", "000000000000"],
        &["migrate"],
        &["serve"],
    ] {
        let output = CommandOutput::of(&mut tickerd(arguments));
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}: {output:?}"
        );
        assert!(output.stderr.contains("--database-url"), "{output:?}");
    }
}

#[tokio::test]
async fn an_unreachable_postgres_is_one_error_line_without_the_password() {
    // A port without a listener: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://ann:sesame@127.0.0.1:{port}/stocks");
    for arguments in
        [["keys", "list"].as_slice(), &ISSUE, &["keys", "revoke", "000000000000"], &["migrate"]]
    {
        let output = CommandOutput::of(tickerd(arguments).env("DATABASE_URL", &url));
        assert!(
            output.error_line().starts_with("Postgres can't be reached: "),
            "{arguments:?}: {output:?}"
        );
        assert!(!output.stderr.contains("sesame"), "{output:?}");
        let detailed =
            CommandOutput::of(tickerd(arguments).env("DATABASE_URL", &url).env("LOG", "trace"));
        assert_eq!(detailed.code, Some(1));
        assert!(
            !detailed.stderr.contains("sesame") && !detailed.stderr.contains("panicked"),
            "{detailed:?}"
        );
    }
}

#[tokio::test]
async fn a_rejected_postgres_password_is_not_repeated() {
    let url = Database::sample().await.url();
    let (start, rest) = url.split_once('@').unwrap();
    let (user, _) = start.rsplit_once(':').unwrap();
    for arguments in [["keys", "list"], ["migrate", "--json"]] {
        let output = CommandOutput::of(
            tickerd(&arguments).env("DATABASE_URL", format!("{user}:sesame@{rest}")),
        );
        assert!(output.error_line().contains("password authentication failed"), "{output:?}");
        assert!(!output.stderr.contains("sesame"), "{output:?}");
    }
}
