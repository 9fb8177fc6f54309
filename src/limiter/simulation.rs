//! Instances, traffic, crashes and a Redis that fails, at random and by the million, against the exact log.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::lease::{Lease, Step};
use super::ring::model::Oracle;
use super::ring::{Grant, Ring, Want};

const INSTANCES: usize = 5;
const KEYS: usize = 6;
const DECISIONS: u32 = 1_000_000;

/// One run of the world, in true milliseconds. Each instance's clock has an offset of its own and never steps, as
/// monotonic clocks do; what steps are instances, which crash and come back with another.
struct World {
    random: StdRng,
    now_ms: u64,
    offsets_ms: [u64; INSTANCES],
    leases: [[Lease; KEYS]; INSTANCES],
    /// Calls that nobody waits for: at most one for each lease.
    renewals: Vec<Renewal>,
    /// The ledger of each key, by the clock of Redis, and the promise.
    rings: [Ring; KEYS],
    oracles: [Oracle; KEYS],
    decisions: u32,
    admitted: u32,
    calls: u32,
    renewed: u32,
    most: [usize; KEYS],
}

/// A lease's renewal under way: requests go on meanwhile.
struct Renewal {
    instance: usize,
    key: usize,
    sent_ms: u64,
    want: Want,
    /// `None` where the answer gets lost.
    grant: Option<Grant>,
    arrives_at_ms: u64,
}

/// True time starts here, instances' clocks near zero.
const START_MS: u64 = 1_700_000_000_000;

/// The limit of each key: tight ones, where permits are refused most of the time, and wide ones.
const LIMITS: [u32; KEYS] = [1, 7, 100, 100, 1000, 10_000];

impl World {
    fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            now_ms: START_MS,
            offsets_ms: std::array::from_fn(|at| at as u64 * 1_000_000),
            leases: Default::default(),
            renewals: Vec::new(),
            rings: Default::default(),
            oracles: Default::default(),
            decisions: 0,
            admitted: 0,
            calls: 0,
            renewed: 0,
            most: [0; KEYS],
        }
    }

    fn step(&mut self) {
        // Bursts, lulls, and now and then a long silence.
        self.now_ms += match self.random.random_range(0..1000) {
            0 => self.random.random_range(0..90_000),
            1..30 => self.random.random_range(0..1500),
            30..300 => self.random.random_range(0..20),
            _ => 0,
        };
        let (instance, key) = (self.random.random_range(0..INSTANCES), self.random.random_range(0..KEYS));
        if self.random.random_range(0..20_000) == 0 {
            self.leases[instance] = Default::default();
            self.renewals.retain(|renewal| renewal.instance != instance);
            self.offsets_ms[instance] = self.random.random_range(0..10_000_000);
        }
        for _ in 0..self.random.random_range(1..40) {
            self.request(instance, key);
        }
    }

    fn request(&mut self, instance: usize, key: usize) {
        self.decisions += 1;
        while let Some(at) = self.renewals.iter().position(|renewal| renewal.arrives_at_ms <= self.now_ms) {
            self.arrive(at);
        }
        let step = match self.leases[instance][key].step(self.clock_ms(instance)) {
            Step::Ask => self.ask(instance, key),
            step => step,
        };
        if let Step::Admit { renew, .. } = step {
            if renew {
                self.renew(instance, key);
            }
            self.admitted += 1;
            let in_window = self.oracles[key].admitted(self.now_ms);
            self.most[key] = self.most[key].max(in_window);
        }
    }

    fn clock_ms(&self, instance: usize) -> u64 {
        self.now_ms - START_MS + self.offsets_ms[instance]
    }

    /// A renewal is sent, and charged before anything else happens; its answer comes later, or never.
    fn renew(&mut self, instance: usize, key: usize) {
        if self.renewals.iter().any(|renewal| (renewal.instance, renewal.key) == (instance, key)) {
            return;
        }
        self.calls += 1;
        let instances = self.random.random_range(1..=INSTANCES as u32);
        let sent_ms = self.clock_ms(instance);
        let want = self.leases[instance][key].want_renewal(sent_ms, LIMITS[key], instances);
        let charged_ms = self.now_ms + self.random.random_range(0..50);
        let arrives_at_ms = charged_ms + self.random.random_range(0..1500);
        let lost = self.random.random_range(0..100);
        let grant = (lost != 0).then(|| self.rings[key].take(charged_ms, LIMITS[key], want));
        let grant = grant.filter(|_| lost != 1);
        self.renewals.push(Renewal { instance, key, sent_ms, want, grant, arrives_at_ms });
    }

    fn arrive(&mut self, at: usize) {
        let Renewal { instance, key, sent_ms, want, grant, arrives_at_ms } = self.renewals.swap_remove(at);
        self.now_ms = self.now_ms.max(arrives_at_ms);
        let (lease, now_ms) = (&self.leases[instance][key], self.clock_ms(instance));
        match grant {
            Some(grant) => lease.learn_renewal(sent_ms, now_ms, want, grant),
            None => lease.fail(now_ms),
        }
        self.renewed += u32::from(grant.is_some());
    }

    /// A call to the ledger: it takes time both ways, and may be lost on either.
    fn ask(&mut self, instance: usize, key: usize) -> Step {
        let renewal = |renewal: &Renewal| (renewal.instance, renewal.key) == (instance, key);
        if let Some(at) = self.renewals.iter().position(renewal) {
            // Whoever needs the ledger waits for the renewal under way.
            self.arrive(at);
            let step = self.leases[instance][key].step(self.clock_ms(instance));
            if step != Step::Ask {
                return step;
            }
        }
        self.calls += 1;
        let limit = LIMITS[key];
        let (waiting, instances) = (self.random.random_range(1..10), self.random.random_range(1..=INSTANCES as u32));
        let sent_ms = self.clock_ms(instance);
        let want = self.leases[instance][key].want(sent_ms, waiting, limit, instances);
        self.now_ms += self.random.random_range(0..250);
        let lost = self.random.random_range(0..100);
        if lost == 0 {
            self.leases[instance][key].fail(self.clock_ms(instance));
            return Step::GoAlone;
        }
        let grant = self.rings[key].take(self.now_ms, limit, want);
        let charged_ms = self.now_ms;
        self.now_ms += if self.random.random_range(0..4) == 0 { self.random.random_range(0..3000) } else { 0 };
        if lost == 1 {
            self.leases[instance][key].fail(self.clock_ms(instance));
            return Step::GoAlone;
        }
        let step = self.leases[instance][key].learn(sent_ms, self.clock_ms(instance), want, grant);
        // The request that asked was admitted when the ledger said so, not when the answer arrived.
        if matches!(step, Step::Admit { .. }) {
            self.admitted += 1;
            let in_window = self.oracles[key].admitted(charged_ms);
            self.most[key] = self.most[key].max(in_window);
            return Step::Ask;
        }
        step
    }
}

#[test]
fn no_key_is_over_admitted_in_a_million_decisions() {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut world = World::new(seed);
    while world.decisions < DECISIONS {
        world.step();
    }
    let over: Vec<_> = world.most.iter().zip(LIMITS).filter(|(most, limit)| **most > *limit as usize).collect();
    assert!(over.is_empty(), "over-admitted (most, limit): {over:?}, seed {seed}");
    let World { decisions, admitted, calls, renewed, .. } = world;
    println!("{decisions} decisions, {admitted} admitted, {calls} calls, {renewed} of them renewals");
    assert!(renewed > 1000, "{renewed} renewals: too few to show anything");
    // The promise would be easy to keep by refusing everybody.
    assert!(
        world.most.iter().zip(LIMITS).take(4).all(|(most, limit)| *most * 10 >= limit as usize * 9),
        "{:?}",
        world.most
    );
    assert!(world.calls * 5 < world.decisions, "{} calls", world.calls);
}
