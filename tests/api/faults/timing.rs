//! The response time of a rejected key does not reveal the reason.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tickerd::keys::Token;

use crate::support::{App, Database, id_of, record};

/// The number of timed rejections of each kind.
const SAMPLES: usize = 300;
/// The largest difference between two medians, as a fraction of the first.
const MEDIAN_DIFFERENCE_MAX: f64 = 0.02;
/// The largest z of a rank test between two equal kinds. Chance alone exceeds 4 once in 16,000
/// runs.
const Z_MAX: f64 = 4.0;
/// The largest difference that a run may miss, in percent. A busy machine hides small differences.
const UNDETECTED_PERCENT_MAX: u32 = 30;

/// The reasons for which a key is rejected.
const KINDS: [&str; 5] = [
    "an unknown id",
    "a wrong secret",
    "a revoked key",
    "a wrong secret of an expired key",
    "a wrong secret of a key without a hint",
];

/// The normal score of the Mann-Whitney U test. Above 3 or below -3, one sample is larger than the
/// other.
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

/// The smallest slowdown, in percent, that the rank test would detect.
fn detectable_percent(samples: &[f64]) -> u32 {
    let slower = |percent: u32| {
        samples.iter().map(|took| took * (1.0 + f64::from(percent) / 100.0)).collect::<Vec<_>>()
    };
    (1..100).find(|percent| rank_test(&slower(*percent), samples) > Z_MAX).unwrap_or(100)
}

/// The response time of a rejected key, in milliseconds.
async fn refusal(app: &App, token: &str) -> f64 {
    let started = Instant::now();
    let response = app.get(token, "/api/status").await;
    let took = started.elapsed();
    assert_eq!(response.status(), 401);
    took.as_secs_f64() * 1000.0
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn response_times_of_invalid_keys_do_not_reveal_the_reason() {
    let database = Database::sample().await;
    let [known, revoked, expired, old] = std::array::from_fn(|_| database.issue("pro"));
    assert!(database.run(&["keys", "revoke", id_of(&revoked), "--yes"]).status.success());
    let expire = "UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = $1";
    database.connect().await.execute(expire, &[&id_of(&expired)]).await.unwrap();
    let forget = "UPDATE api_keys SET secret_hint = NULL WHERE id = $1";
    database.connect().await.execute(forget, &[&id_of(&old)]).await.unwrap();
    // No rejection comes from memory, and no address is blocked after too many failures.
    let app = App::with(
        &database,
        &[("KEY_REFUSAL_TTL_MS", "0"), ("AUTH_FAILURES_PER_MINUTE_MAX", "1000000")],
    )
    .await;
    let of = |key: &str| Token::for_id(id_of(key).parse().unwrap()).reveal();
    let mut samples: [Vec<f64>; KINDS.len()] = Default::default();
    // The kinds take turns, so that other load on the machine affects them alike.
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
    let mut medians = vec![format!("{} {:.2} ms", KINDS[0], median(unknown))];
    for (kind, samples) in KINDS.iter().zip(&samples).skip(1) {
        let difference = median(samples) / median(unknown) - 1.0;
        let z = rank_test(samples, unknown);
        medians.push(format!("{kind} {:.2} ms (z = {z:.1})", median(samples)));
        assert!(
            difference.abs() < MEDIAN_DIFFERENCE_MAX && z.abs() < Z_MAX,
            "{kind}: {:.1} % difference, z = {z:.1}",
            difference * 100.0
        );
    }
    assert!(
        garbage < median(unknown) / 2.0,
        "malformed tokens are rejected at once: {garbage:.2} ms"
    );
    let detectable = detectable_percent(unknown);
    assert!(
        detectable <= UNDETECTED_PERCENT_MAX,
        "too noisy: only a difference of {detectable} % would be detected"
    );
    let test = "response_times_of_invalid_keys_do_not_reveal_the_reason";
    let medians = medians.join(", ");
    record(
        test,
        &format!(
            "medians of {SAMPLES} each: {medians}; a slowdown of {detectable} % would have \
             been detected"
        ),
    );
}

#[test]
fn the_rank_test_separates_only_samples_that_differ() {
    let sample = |from: f64| (0..100).map(|n| from + f64::from(n)).collect::<Vec<_>>();
    assert!(rank_test(&sample(0.0), &sample(0.0)).abs() < 1e-9);
    assert!(
        rank_test(&sample(30.0), &sample(0.0)) > 4.0
            && rank_test(&sample(0.0), &sample(30.0)) < -4.0
    );
    // Samples of 3 and 2 values, where all of the first are larger: U = 6, mean 3, deviation
    // sqrt(3).
    assert!((rank_test(&[4.0, 5.0, 6.0], &[1.0, 2.0]) - 3.0f64.sqrt()).abs() < 1e-9);
}
