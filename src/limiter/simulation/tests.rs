use super::*;

fn simulate(faults: Faults) -> Stats {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut simulation = Simulation::new(seed, faults);
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

#[test]
fn no_key_is_over_admitted_in_a_million_decisions() {
    let Stats { calls, decisions, over_limit, limit_changes, .. } =
        simulate(Faults::CrashesAndLimits);
    assert_eq!(over_limit, 0);
    assert!(limit_changes > 2, "{limit_changes} limits changed");
    assert!(calls * 4 < decisions, "{calls} calls for {decisions} decisions");
}

#[test]
fn no_key_exceeds_twice_its_limit_however_often_redis_loses_its_data() {
    let Stats { losses, lost, admitted_locally, over_limit, .. } = simulate(Faults::Losses);
    assert!(losses > 100 && lost > 100 && admitted_locally > 1000);
    assert!(over_limit > 0, "the losses must be severe enough to exceed the limit itself");
}
