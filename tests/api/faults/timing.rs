//! How long a refusal takes tells nothing of why.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tickerd::keys::Token;

use crate::support::{App, Database, id_of, record};

/// Refusals that are timed of each kind.
const SAMPLES: usize = 300;
/// How far apart two medians may be, as a part of the first.
const MEDIANS_APART_MAX: f64 = 0.02;
/// The largest z of a rank test between two kinds that are the same: chance alone passes 4 once in
/// 16,000 runs.
const Z_MAX: f64 = 4.0;
/// The largest difference that a run may overlook, in percent: a machine that does much else hides
/// small ones.
const OVERLOOKED_PERCENT_MAX: u32 = 30;

/// What may be wrong with a key.
const KINDS: [&str; 5] = [
    "an unknown id",
    "a wrong secret",
    "a revoked key",
    "a wrong secret of an expired key",
    "a wrong secret of a key without a hint",
];

/// The normal score of the Mann-Whitney U test: beyond some 3, the one sample lies above or below
/// the other.
fn rank_test(one: &[f64], other: &[f64]) -> f64 {
    let wins: f64 = one
        .iter()
        .map(|a| other.iter().map(|b| f64::from(a > b) + 0.5 * f64::from(a == b)).sum::<f64>())
        .sum();
    let (n, m) = (one.len() as f64, other.len() as f64);
    (wins - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// How much slower a kind would have had to be for the rank test to notice, in percent.
fn noticed_percent(samples: &[f64]) -> u32 {
    let slower = |percent: u32| {
        samples.iter().map(|took| took * (1.0 + f64::from(percent) / 100.0)).collect::<Vec<_>>()
    };
    (1..100).find(|percent| rank_test(&slower(*percent), samples) > Z_MAX).unwrap_or(100)
}

/// A refusal, in milliseconds.
async fn refusal(app: &App, token: &str) -> f64 {
    let started = Instant::now();
    let answer = app.get(token, "/api/status").await;
    let took = started.elapsed();
    assert_eq!(answer.status(), 401);
    took.as_secs_f64() * 1000.0
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn the_time_that_a_wrong_key_takes_does_not_tell_what_is_wrong_with_it() {
    let database = Database::sample().await;
    let [known, revoked, expired, old] = std::array::from_fn(|_| database.issue("pro"));
    assert!(database.run(&["keys", "revoke", id_of(&revoked), "--yes"]).status.success());
    let expire = "UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = $1";
    database.connect().await.execute(expire, &[&id_of(&expired)]).await.unwrap();
    let forget = "UPDATE api_keys SET secret_hint = NULL WHERE id = $1";
    database.connect().await.execute(forget, &[&id_of(&old)]).await.unwrap();
    // Nothing is refused from memory, and nobody is held up for having failed too often.
    let app = App::with(
        &database,
        &[("KEY_REFUSAL_TTL_MS", "0"), ("AUTH_FAILURES_PER_MINUTE_MAX", "1000000")],
    )
    .await;
    let of = |key: &str| Token::for_id(id_of(key).parse().unwrap()).reveal();
    let mut samples: [Vec<f64>; KINDS.len()] = Default::default();
    // One after the other, so that whatever else the machine does meets all kinds alike.
    for round in 0..SAMPLES {
        let tokens =
            [Token::random().reveal(), of(&known), revoked.clone().into(), of(&expired), of(&old)];
        for at in 0..KINDS.len() {
            let kind = (round + at) % KINDS.len();
            samples[kind].push(refusal(&app, tokens[kind].expose_secret()).await);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let garbage = refusal(&app, "tk_live_garbage").await;
    let unknown = &samples[0];
    let mut seen = vec![format!("{} {:.2} ms", KINDS[0], median(unknown))];
    for (kind, samples) in KINDS.iter().zip(&samples).skip(1) {
        let (apart, z) = (median(samples) / median(unknown) - 1.0, rank_test(samples, unknown));
        seen.push(format!("{kind} {:.2} ms (z = {z:.1})", median(samples)));
        assert!(
            apart.abs() < MEDIANS_APART_MAX && z.abs() < Z_MAX,
            "{kind}: {:.1} % apart, z = {z:.1}",
            apart * 100.0
        );
    }
    assert!(
        garbage < median(unknown) / 2.0,
        "what is no token is refused at once: {garbage:.2} ms"
    );
    let noticed = noticed_percent(unknown);
    assert!(noticed <= OVERLOOKED_PERCENT_MAX, "too noisy: only {noticed} % more would be noticed");
    let test = "the_time_that_a_wrong_key_takes_does_not_tell_what_is_wrong_with_it";
    let seen = seen.join(", ");
    record(
        test,
        &format!("medians of {SAMPLES} each: {seen}; {noticed} % more would have been noticed"),
    );
}

#[test]
fn the_rank_test_tells_samples_apart_that_differ_and_no_others() {
    let sample = |from: f64| (0..100).map(|n| from + f64::from(n)).collect::<Vec<_>>();
    assert!(rank_test(&sample(0.0), &sample(0.0)).abs() < 1e-9);
    assert!(
        rank_test(&sample(30.0), &sample(0.0)) > 4.0
            && rank_test(&sample(0.0), &sample(30.0)) < -4.0
    );
    // Of 3 and 2 values that all lie above: U = 6, mean 3, deviation sqrt(3).
    assert!((rank_test(&[4.0, 5.0, 6.0], &[1.0, 2.0]) - 3.0f64.sqrt()).abs() < 1e-9);
}
