use super::*;

fn simulate(faults: Faults, fixed_window_s: Option<u32>) -> Stats {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut simulation = Simulation::new(seed, faults, fixed_window_s);
    // As housekeeping does at the start.
    for instance in 0..INSTANCES {
        simulation.take(instance, 0, START_MS, TakeRequest::of(0), None);
    }
    while simulation.stats.decisions < DECISIONS {
        simulation.step();
    }
    let stats = simulation.stats;
    stats.check(seed);
    stats
}

fn simulate_without_losses(fixed_window_s: Option<u32>) {
    let stats = simulate(Faults::CrashesAndLimits, fixed_window_s);
    let Stats { calls, decisions, over_limit, limit_changes, window_changes, .. } = stats;
    assert_eq!(over_limit, 0);
    assert!(limit_changes > 2, "{limit_changes} limits changed");
    assert_eq!(window_changes > 10, fixed_window_s.is_none(), "{window_changes} windows changed");
    assert!(calls * 4 < decisions, "{calls} calls for {decisions} decisions");
}

fn simulate_losses(fixed_window_s: Option<u32>) {
    let Stats { losses, lost, admitted_locally, over_limit, .. } =
        simulate(Faults::Losses, fixed_window_s);
    assert!(losses > 100 && lost > 100 && admitted_locally > 1000);
    assert!(over_limit > 0, "the losses must be severe enough to exceed the limit itself");
}

#[test]
fn no_key_is_over_admitted_in_a_million_decisions_with_windows_of_10_s() {
    simulate_without_losses(Some(10));
}

#[test]
fn no_key_is_over_admitted_in_a_million_decisions() {
    simulate_without_losses(Some(60));
}

#[test]
fn no_key_is_over_admitted_in_a_million_decisions_with_windows_of_an_hour() {
    simulate_without_losses(Some(3600));
}

#[test]
fn no_key_is_over_admitted_in_a_million_decisions_while_windows_change() {
    simulate_without_losses(None);
}

#[test]
fn no_key_exceeds_twice_its_limit_however_often_redis_loses_its_data() {
    simulate_losses(Some(60));
}

#[test]
fn no_key_exceeds_twice_its_limit_with_windows_of_10_s() {
    simulate_losses(Some(10));
}

#[test]
fn no_key_exceeds_twice_its_limit_with_windows_of_an_hour() {
    simulate_losses(Some(3600));
}

#[test]
fn no_key_exceeds_twice_its_limit_while_windows_change() {
    simulate_losses(None);
}
