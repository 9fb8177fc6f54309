//! What happens while clients send requests: loads and their notifications, outages of Postgres
//! and Redis, restarts, and quiet periods.

use std::rc::Rc;

use tokio::task::spawn_local;

use super::database::STOCKS;
use super::environment::{INSTANCES, wait};
use super::instance::Instances;
use super::queries::NAMES;
use crate::redis::Message;

/// The documented guarantee: an instance knows a change one second after its notification, ...
const NOTIFIED_MS: u64 = 1000;
/// ... or else after the next poll: every 30 s, checked every 500 ms, with up to 400 ms for the
/// poll itself.
const POLL_MS: u64 = 30_000 + 500 + 400;
/// An instance notices the loss of Redis within this time. From then on it polls every 500 ms.
const LOSS_NOTICED_MS: u64 = 2500;
const POLL_WITHOUT_REDIS_MS: u64 = 1000;

pub fn start(instances: &Rc<Instances>) {
    spawn_local(load(instances.clone()));
    spawn_local(interrupt_redis(instances.clone()));
    spawn_local(restart_processes(instances.clone()));
    spawn_local(lose_commits(instances.clone()));
    spawn_local(stop_clients(instances.clone()));
    (0..INSTANCES).for_each(|slot| drop(spawn_local(interrupt_postgres(instances.clone(), slot))));
}

/// Commits changes, alone or in bursts: mostly loads, sometimes a rename or the change of a key.
async fn load(instances: Rc<Instances>) {
    let environment = &instances.environment;
    loop {
        environment.pause(if environment.once_in(3) { 200 } else { 30_000 }).await;
        if environment.networks.iter().all(|network| network.postgres_is_down.get()) {
            continue;
        }
        if environment.once_in(10) {
            environment.database.borrow_mut().draw_revision();
            continue;
        }
        let known_by_ms = (0..INSTANCES).map(|slot| notify(&instances, slot)).collect();
        let random_stock = || environment.below(STOCKS as u64) as usize;
        if environment.once_in(8) {
            let name = environment.below(NAMES.len() as u64) as usize;
            let to = random_stock();
            environment.database.borrow_mut().rename(name, to, known_by_ms);
        } else {
            let stocks: Vec<usize> = (0..=environment.below(3)).map(|_| random_stock()).collect();
            environment.database.borrow_mut().restate(&stocks, known_by_ms);
        }
    }
}

/// Notifies an instance of a change that is committed now: soon, late or not at all. Returns the
/// time at which the instance must know the change at the latest.
fn notify(instances: &Rc<Instances>, slot: usize) -> u64 {
    let environment = &instances.environment;
    let now_ms = environment.now_ms();
    let delay_ms = match environment.below(20) {
        _ if environment.redis.is_away() => {
            return now_ms + LOSS_NOTICED_MS + POLL_WITHOUT_REDIS_MS;
        }
        0 => return now_ms + POLL_MS,
        1 => environment.below(40_000),
        _ => environment.below(200),
    };
    let notified = instances.clone();
    spawn_local(async move {
        wait(delay_ms).await;
        notified.get(slot).deliver(Message::DataChanged);
    });
    now_ms + (delay_ms.saturating_sub(200) + NOTIFIED_MS).min(POLL_MS)
}

/// Takes Redis down and up again, with or without its data. Each instance notices for itself.
async fn interrupt_redis(instances: Rc<Instances>) {
    let environment = &instances.environment;
    loop {
        environment.pause(900_000).await;
        environment.redis.set_away(true);
        let down_ms = environment.below(60_000);
        for slot in 0..INSTANCES {
            let instances = instances.clone();
            let noticed_ms = environment.below(LOSS_NOTICED_MS);
            let reconnected_ms = down_ms + environment.below(250);
            spawn_local(async move {
                let is_lost = &instances.environment.networks[slot].redis_is_lost;
                wait(noticed_ms.min(reconnected_ms)).await;
                is_lost.set(true);
                wait(reconnected_ms.saturating_sub(noticed_ms)).await;
                is_lost.set(false);
                // After a reconnect the client reports that notifications may have been lost.
                instances.get(slot).deliver(Message::DataChanged);
            });
        }
        wait(down_ms).await;
        environment.redis.set_away(false);
        if environment.once_in(3) {
            environment.redis.forget();
        }
    }
}

/// Lets the history of the database go back: a replica is promoted without the last commits, or a
/// backup is restored. Every instance loses its connections.
async fn lose_commits(instances: Rc<Instances>) {
    let environment = &instances.environment;
    loop {
        environment.pause(1_200_000).await;
        // What was known to no instance is found by the timeline alone.
        let revision = environment.database.borrow().revision();
        let is_applied = |slot: usize| instances.get(slot).applied_revision() == revision;
        let is_promotion = environment.once_in(2) || !(0..INSTANCES).all(is_applied);
        let known_by_ms = (0..INSTANCES).map(|slot| reconnect(&instances, slot)).collect();
        let lost = environment.below(4) as usize;
        environment.database.borrow_mut().go_back(lost, is_promotion, known_by_ms);
    }
}

/// Lets an instance open new connections soon. Returns the time at which it knows that the history
/// went back, at the latest.
fn reconnect(instances: &Rc<Instances>, slot: usize) -> u64 {
    let delay_ms = instances.environment.below(200);
    let reconnected = instances.clone();
    spawn_local(async move {
        wait(delay_ms).await;
        reconnected.get(slot).reconnect();
    });
    instances.environment.now_ms() + delay_ms + NOTIFIED_MS
}

/// Makes Postgres unreachable from one instance: mostly briefly, sometimes longer than stale
/// answers may be served.
async fn interrupt_postgres(instances: Rc<Instances>, slot: usize) {
    let environment = &instances.environment;
    let network = &environment.networks[slot];
    loop {
        environment.pause(600_000).await;
        network.postgres_is_down.set(true);
        environment.pause(if environment.once_in(4) { 2_000_000 } else { 10_000 }).await;
        network.postgres_is_down.set(false);
        network.postgres_up_since_ms.set(environment.now_ms());
    }
}

/// Kills processes. Each restarts with an empty memory and a different clock.
async fn restart_processes(instances: Rc<Instances>) {
    loop {
        instances.environment.pause(1_200_000).await;
        instances.restart(instances.environment.random_slot());
    }
}

/// Stops all clients from time to time, for long enough that answers expire.
async fn stop_clients(instances: Rc<Instances>) {
    let environment = &instances.environment;
    loop {
        environment.pause(300_000).await;
        let quiet_ms = match environment.below(40) {
            0 => 26 * 3_600_000,
            1..10 => environment.below(5_000_000),
            _ => environment.below(100_000),
        };
        environment.quiet_until_ms.set(environment.now_ms() + quiet_ms);
        wait(quiet_ms).await;
    }
}
