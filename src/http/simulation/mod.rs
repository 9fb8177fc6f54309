//! A simulation of the cache: instances, clients, loads, lost notifications and outages at random,
//! by the million. Every reply is checked against the history of the database.
//!
//! The queries and their keys, both tiers of the cache, its lifetimes, the data versions and the
//! follower of changes are the real ones. Postgres, Redis and time are models. A run covers days,
//! and its seed repeats it.

mod check;
mod database;
mod environment;
mod faults;
mod instance;
mod queries;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use testkit::figures::record;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use check::{RequestStart, Violation};
use environment::{Environment, wait};
use instance::{Instances, Reply};

const CLIENTS: usize = 24;
/// A client abandons one request of this many.
const ABANDONED_ONE_IN: u64 = 30;

/// The number of replies of each kind, and all violations.
#[derive(Debug, Default)]
struct ReplyCounts {
    total: u32,
    hits: u32,
    stale: u32,
    misses: u32,
    uncached: u32,
    unavailable: u32,
    violations: Vec<(Violation, String)>,
}

impl ReplyCounts {
    /// Counts a reply and returns the total.
    fn add(&mut self, reply: &Reply, violation: Option<(Violation, String)>) -> u32 {
        self.violations.extend(violation);
        *match reply {
            Reply::Hit(_) => &mut self.hits,
            Reply::Stale(_) => &mut self.stale,
            Reply::Miss(_) => &mut self.misses,
            Reply::Uncached => &mut self.uncached,
            Reply::Unavailable => &mut self.unavailable,
        } += 1;
        self.total += 1;
        self.total
    }
}

/// The clients and what they share.
struct Clients {
    instances: Rc<Instances>,
    counts: RefCell<ReplyCounts>,
    /// The instance and the query that many clients request at the same time.
    popular: Cell<(usize, usize)>,
    replies_max: u32,
    done: Notify,
}

impl Clients {
    /// One client. It sends bursts of requests, often for the popular query, until there are
    /// enough replies.
    async fn run(self: Rc<Self>) {
        let environment = &self.instances.environment;
        loop {
            environment.pause([10, 1000, 10_000, 100_000][environment.below(4) as usize]).await;
            wait(environment.quiet_until_ms.get().saturating_sub(environment.now_ms())).await;
            let slot = environment.random_slot();
            for _ in 0..environment.below(20) {
                // Queries with a low index are more frequent.
                let rank = environment.below(1000) * environment.below(1000) / 1000;
                let query = rank as usize * environment.queries.len() / 1000;
                if environment.once_in(10) {
                    self.popular.set((slot, query));
                }
                let (slot, query) =
                    if environment.once_in(3) { self.popular.get() } else { (slot, query) };
                self.send(slot, query).await;
            }
        }
    }

    async fn send(&self, slot: usize, query: usize) {
        let environment = &self.instances.environment;
        let query = &environment.queries[query];
        let instance = self.instances.get(slot);
        let start = RequestStart::now(environment, slot);
        let reply = if environment.once_in(ABANDONED_ONE_IN) {
            let abandoned_after = Duration::from_millis(environment.below(200));
            let Ok(reply) = timeout(abandoned_after, instance.handle(query)).await else { return };
            reply
        } else {
            instance.handle(query).await
        };
        let violation = start.check(environment, query, &reply).err();
        if self.counts.borrow_mut().add(&reply, violation) >= self.replies_max {
            self.done.notify_one();
        }
        if matches!(reply, Reply::Unavailable) {
            // The value of Retry-After.
            wait(1000).await;
        }
    }
}

/// Runs the simulation and returns a summary. The printed seed repeats the run.
fn run(replies_max: u32) -> String {
    let seed = std::env::var("SIMULATION_SEED")
        .ok()
        .map(|seed| seed.parse().expect("SIMULATION_SEED is a number"));
    let seed = seed.unwrap_or_else(rand::random);
    println!("SIMULATION_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (counts, commits, simulated_s) = LocalSet::new().block_on(&runtime, async {
        let instances = Instances::start(Environment::new(seed));
        faults::start(&instances);
        let environment = instances.environment.clone();
        let started_ms = environment.now_ms();
        let clients = Rc::new(Clients {
            instances,
            counts: RefCell::default(),
            popular: Cell::default(),
            replies_max,
            done: Notify::new(),
        });
        (0..CLIENTS).for_each(|_| drop(spawn_local(clients.clone().run())));
        clients.done.notified().await;
        let commits = environment.database.borrow().latest();
        (clients.counts.take(), commits, (environment.now_ms() - started_ms) / 1000)
    });
    let ReplyCounts { total, hits, stale, misses, uncached, unavailable, ref violations } = counts;
    let [content, query, age, unneeded] = Violation::ALL
        .map(|kind| violations.iter().filter(|(violation, _)| *violation == kind).count());
    let summary = format!(
        "{total} answers in {} hours with {commits} loads ({hits} hits, {stale} stale, \
         {misses} misses, {uncached} uncached, {unavailable} unavailable without Postgres): \
         {content} wrong, {query} for another query, {age} too old, \
         {unneeded} unavailable despite Postgres",
        simulated_s / 3600
    );
    println!("{summary}");
    let shown = &violations[..violations.len().min(3)];
    assert!(violations.is_empty(), "SIMULATION_SEED={seed}: {shown:#?}");
    // The run must exercise the cache, stale answers, outages and loads.
    assert!(hits > total / 4 && stale > total / 200);
    assert!(misses > total / 50 && unavailable > total / 1000);
    assert!(commits > total as usize / 2000);
    summary
}

#[test]
fn no_answer_of_the_cache_is_wrong_mixed_up_or_older_than_promised() {
    run(150_000);
}

#[test]
#[ignore = "make test-faults"]
fn no_answer_of_the_cache_in_a_million_is_wrong_mixed_up_or_older_than_promised() {
    let seen = run(1_000_000);
    record("no_answer_of_the_cache_in_a_million_is_wrong_mixed_up_or_older_than_promised", &seen);
}
