//! What happens to the world: loads, word of them, and whatever goes away.

use std::rc::Rc;

use tokio::task::spawn_local;

use super::instance::Instance;
use super::questions::NAMES;
use super::truth::STOCKS;
use super::world::{INSTANCES, World, wait};
use crate::redis::Message;

/// The promise: a change is known everywhere within a second of its word,
const WORD_MS: u64 = 1000;
/// or when the poll comes to it: every 30 s, looked at every half second, and a look takes its
/// time.
const POLL_MS: u64 = 30_000 + 500 + 400;
/// The loss of Redis is noticed within this time; from then on every half second is a poll.
const NOTICED_MS: u64 = 2500;
const ALONE_MS: u64 = 1000;

pub fn start(world: &Rc<World>) {
    spawn_local(load(world.clone()));
    spawn_local(lose_redis(world.clone()));
    spawn_local(end_processes(world.clone()));
    spawn_local(fall_quiet(world.clone()));
    (0..INSTANCES).for_each(|slot| drop(spawn_local(lose_postgres(world.clone(), slot))));
}

/// Loads, one by one or several at once; now and then a name changes hands, or a key draws a
/// revision.
async fn load(world: Rc<World>) {
    loop {
        world.pause(if world.once_in(3) { 200 } else { 30_000 }).await;
        if world.slots.iter().all(|slot| slot.postgres_is_away.get()) {
            continue;
        }
        if world.once_in(10) {
            world.truth.borrow_mut().draw_revision();
            continue;
        }
        let known_by_ms = (0..INSTANCES).map(|slot| send_word(&world, slot)).collect();
        let stock = || world.below(STOCKS as u64) as usize;
        if world.once_in(8) {
            let (name, to) = (world.below(NAMES.len() as u64) as usize, stock());
            world.truth.borrow_mut().rename(name, to, known_by_ms);
        } else {
            let stocks: Vec<usize> = (0..=world.below(3)).map(|_| stock()).collect();
            world.truth.borrow_mut().restate(&stocks, known_by_ms);
        }
    }
}

/// Sends word of a change that is made right now, and returns when it has to be known there at the
/// latest.
fn send_word(world: &Rc<World>, slot: usize) -> u64 {
    let now_ms = world.now_ms();
    let late_ms = match world.below(20) {
        _ if world.redis.is_away() => return now_ms + NOTICED_MS + ALONE_MS,
        0 => return now_ms + POLL_MS,
        1 => world.below(40_000),
        _ => world.below(200),
    };
    let told = world.clone();
    spawn_local(async move {
        wait(late_ms).await;
        said(&told, slot);
    });
    now_ms + (late_ms.saturating_sub(200) + WORD_MS).min(POLL_MS)
}

fn said(world: &World, slot: usize) {
    if let Some(instance) = &*world.slots[slot].instance.borrow() {
        instance.tell(Message::Look);
    }
}

/// Redis goes away, and comes back with what it had or without. Each instance notices for itself.
async fn lose_redis(world: Rc<World>) {
    loop {
        world.pause(900_000).await;
        world.redis.set_away(true);
        let lost_ms = world.below(60_000);
        for slot in 0..INSTANCES {
            let (world, noticed_ms) = (world.clone(), world.below(NOTICED_MS));
            let back_ms = lost_ms + world.below(250);
            spawn_local(async move {
                wait(noticed_ms.min(back_ms)).await;
                world.slots[slot].redis_is_lost.set(true);
                wait(back_ms.saturating_sub(noticed_ms)).await;
                world.slots[slot].redis_is_lost.set(false);
                // Whatever was said meanwhile was lost: the client says so.
                said(&world, slot);
            });
        }
        wait(lost_ms).await;
        world.redis.set_away(false);
        if world.once_in(3) {
            world.redis.forget();
        }
    }
}

/// Postgres can't be reached from one instance: mostly for moments, now and then for longer than
/// answers may stand in.
async fn lose_postgres(world: Rc<World>, slot: usize) {
    loop {
        world.pause(600_000).await;
        let slot = &world.slots[slot];
        slot.postgres_is_away.set(true);
        world.pause(if world.once_in(4) { 2_000_000 } else { 10_000 }).await;
        slot.postgres_is_away.set(false);
        slot.postgres_back_ms.set(world.now_ms());
    }
}

/// Processes are killed and start anew, with an empty memory and another clock.
async fn end_processes(world: Rc<World>) {
    loop {
        world.pause(1_200_000).await;
        Instance::start(&world, world.any_slot());
    }
}

/// Now and then nobody asks for so long that answers grow old.
async fn fall_quiet(world: Rc<World>) {
    loop {
        world.pause(300_000).await;
        let quiet_ms = match world.below(40) {
            0 => 26 * 3_600_000,
            1..10 => world.below(5_000_000),
            _ => world.below(100_000),
        };
        world.quiet_until_ms.set(world.now_ms() + quiet_ms);
        wait(quiet_ms).await;
    }
}
