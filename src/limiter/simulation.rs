//! Instances, traffic, crashes and a Redis that fails, at random and by the million, against the
//! exact log.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::lease::{Lease, Step};
use super::sliding_window::model::Oracle;
use super::sliding_window::{Grant, SlidingWindow, TakeRequest};

const INSTANCES: usize = 5;
const KEYS: usize = 6;
const DECISIONS: u32 = 1_000_000;

/// One run of the world, in true milliseconds. Each instance's clock has an offset of its own and
/// never steps, as monotonic clocks do; what steps are instances, which crash and come back with
/// another.
struct World {
    random: StdRng,
    now_ms: u64,
    offsets_ms: [u64; INSTANCES],
    leases: [[Lease; KEYS]; INSTANCES],
    /// Calls that nobody waits for: at most one for each lease.
    renewals: Vec<Renewal>,
    /// The ledger of each key, by the clock of Redis, and the promise.
    windows: [SlidingWindow; KEYS],
    oracles: [Oracle; KEYS],
    decisions: u32,
    admitted: u32,
    calls: u32,
    renewed: u32,
    most: [u32; KEYS],
    heavies_admitted: u32,
    heavies_refused: u32,
}

/// A lease's renewal under way: requests go on meanwhile, and before it is sent others may ask.
struct Renewal {
    instance: usize,
    key: usize,
    ends_ms: u64,
    /// When the next thing happens to it: it is sent, or its answer arrives.
    due_ms: u64,
    sent: Option<Sent>,
}

struct Sent {
    at_ms: u64,
    request: TakeRequest,
    /// `None` where the answer gets lost.
    grant: Option<Grant>,
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
            windows: Default::default(),
            oracles: Default::default(),
            decisions: 0,
            admitted: 0,
            calls: 0,
            renewed: 0,
            most: [0; KEYS],
            heavies_admitted: 0,
            heavies_refused: 0,
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
        let (instance, key) =
            (self.random.random_range(0..INSTANCES), self.random.random_range(0..KEYS));
        if self.random.random_range(0..20_000) == 0 {
            self.leases[instance] = Default::default();
            self.renewals.retain(|renewal| renewal.instance != instance);
            self.offsets_ms[instance] = self.random.random_range(0..10_000_000);
        }
        for _ in 0..self.random.random_range(1..40) {
            let cost = if self.random.random_range(0..20) == 0 {
                self.random.random_range(2..=100)
            } else {
                1
            };
            self.request(instance, key, cost.min(LIMITS[key]));
        }
    }

    fn request(&mut self, instance: usize, key: usize, cost: u32) {
        self.decisions += 1;
        while let Some(at) = self.next_due() {
            self.proceed(at);
        }
        let step = match self.leases[instance][key].step(self.clock_ms(instance), LIMITS[key], cost)
        {
            Step::Ask => self.ask(instance, key, cost),
            step => step,
        };
        self.heavies_refused += u32::from(cost > 1 && matches!(step, Step::Refuse { .. }));
        if let Step::Admit { renew, .. } = step {
            if let Some(ends_ms) = renew {
                let due_ms = self.now_ms
                    + self.random.random_range(0..1200) * self.random.random_range(0..2);
                self.renewals.push(Renewal { instance, key, ends_ms, due_ms, sent: None });
            }
            self.note(key, self.now_ms, cost);
        }
    }

    fn note(&mut self, key: usize, at_ms: u64, cost: u32) {
        self.admitted += 1;
        self.heavies_admitted += u32::from(cost > 1);
        let in_window = self.oracles[key].admitted(at_ms, cost);
        self.most[key] = self.most[key].max(in_window);
    }

    /// The renewal to go on with: in the order of time, and an answer before those who wait for it.
    fn next_due(&self) -> Option<usize> {
        let order = |at: &usize| (self.renewals[*at].due_ms, self.renewals[*at].sent.is_none());
        (0..self.renewals.len())
            .min_by_key(order)
            .filter(|at| self.renewals[*at].due_ms <= self.now_ms)
    }

    fn clock_ms(&self, instance: usize) -> u64 {
        self.now_ms - START_MS + self.offsets_ms[instance]
    }

    /// A renewal is sent, and charged before anything else happens; its answer comes later, or
    /// never.
    fn proceed(&mut self, at: usize) {
        let Renewal { instance, key, ends_ms, due_ms, sent } = self.renewals.swap_remove(at);
        self.now_ms = self.now_ms.max(due_ms);
        let clock_ms = self.clock_ms(instance);
        let lease = &self.leases[instance][key];
        if let Some(Sent { at_ms, request, grant }) = sent {
            self.renewed += u32::from(grant.is_some());
            return grant.map_or_else(
                || lease.fail_renewal(),
                |grant| lease.apply_renewal(at_ms, clock_ms, request, grant),
            );
        }
        if let Some(other) = self.under_way(instance, key) {
            // One call of a key at a time.
            let due_ms = self.renewals[other].due_ms;
            return self.renewals.push(Renewal { instance, key, ends_ms, due_ms, sent: None });
        }
        let instances = self.random.random_range(1..=INSTANCES as u32);
        let Some(request) = lease.want_renewal(clock_ms, ends_ms, LIMITS[key], instances) else {
            return;
        };
        self.calls += 1;
        let charged_ms = self.now_ms + self.random.random_range(0..50);
        let due_ms = charged_ms + self.random.random_range(0..1500);
        let lost = self.random.random_range(0..100);
        let grant = (lost != 0)
            .then(|| self.windows[key].take(charged_ms, LIMITS[key], request))
            .filter(|_| lost != 1);
        let sent = Some(Sent { at_ms: clock_ms, request, grant });
        self.renewals.push(Renewal { instance, key, ends_ms, due_ms, sent });
    }

    /// The renewal that was sent and not answered.
    fn under_way(&self, instance: usize, key: usize) -> Option<usize> {
        self.renewals
            .iter()
            .position(|r| (r.instance, r.key) == (instance, key) && r.sent.is_some())
    }

    /// A call to the ledger: it takes time both ways, and may be lost on either.
    fn ask(&mut self, instance: usize, key: usize, cost: u32) -> Step {
        if let Some(at) = self.under_way(instance, key) {
            // Whoever needs the ledger waits for the renewal under way.
            self.proceed(at);
            let step = self.leases[instance][key].step(self.clock_ms(instance), LIMITS[key], cost);
            if step != Step::Ask {
                return step;
            }
        }
        self.calls += 1;
        let limit = LIMITS[key];
        let (waiting, instances) =
            (self.random.random_range(0..9), self.random.random_range(1..=INSTANCES as u32));
        let sent_ms = self.clock_ms(instance);
        let request =
            self.leases[instance][key].request(sent_ms, cost, cost + waiting, limit, instances);
        self.now_ms += self.random.random_range(0..250);
        let lost = self.random.random_range(0..100);
        if lost == 0 {
            self.leases[instance][key].fail(self.clock_ms(instance));
            return Step::LocalFallback;
        }
        let grant = self.windows[key].take(self.now_ms, limit, request);
        let charged_ms = self.now_ms;
        self.now_ms +=
            if self.random.random_range(0..4) == 0 { self.random.random_range(0..3000) } else { 0 };
        if lost == 1 {
            self.leases[instance][key].fail(self.clock_ms(instance));
            return Step::LocalFallback;
        }
        let step = self.leases[instance][key].apply_grant(
            sent_ms,
            self.clock_ms(instance),
            request,
            grant,
            limit,
        );
        // The request that asked was admitted when the ledger said so, not when the answer arrived.
        if matches!(step, Step::Admit { .. }) {
            self.note(key, charged_ms, cost);
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
    let over: Vec<_> =
        world.most.iter().zip(LIMITS).filter(|(most, limit)| *most > limit).collect();
    assert!(over.is_empty(), "over-admitted (most, limit): {over:?}, seed {seed}");
    let World { decisions, admitted, calls, renewed, heavies_admitted, heavies_refused, .. } =
        world;
    println!(
        "{decisions} decisions, {admitted} admitted, {calls} calls, {renewed} of them renewals"
    );
    println!(
        "of those that count as more than one, {heavies_admitted} admitted, {heavies_refused} refused"
    );
    assert!(heavies_admitted > 1000 && heavies_refused > 1000);
    assert!(renewed > 1000, "{renewed} renewals: too few to show anything");
    // The promise would be easy to keep by refusing everybody.
    assert!(
        world.most.iter().zip(LIMITS).take(4).all(|(most, limit)| *most * 10 >= limit * 9),
        "{:?}",
        world.most
    );
    assert!(world.calls * 5 < world.decisions, "{} calls", world.calls);
}
