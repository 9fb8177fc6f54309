//! Whether an answer may be what it is: by what was asked, what was true when, and what the README
//! promises.

use super::instance::{CLOCKS_APART_MS, CONFIG, Given};
use super::questions::Asked;
use super::world::World;
use crate::cache::{Entry, Media};

/// After Postgres is back: until the instance looks again, and what was asked meanwhile has failed.
const BACK_MS: u64 = 2000;

/// How an instance stood when it was asked.
pub struct Asking {
    slot: usize,
    at_ms: u64,
    /// Postgres was away, or had just come back.
    is_behind: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Content that never was.
    Content,
    /// The answer to another question.
    CacheableQuery,
    /// Older than promised.
    Age,
    /// Refused though Postgres was there.
    Refusal,
}

impl Wrong {
    pub const ALL: [Self; 4] = [Self::Content, Self::CacheableQuery, Self::Age, Self::Refusal];
}

impl Asking {
    pub fn now(world: &World, slot: usize) -> Self {
        let at_ms = world.now_ms();
        Self { slot, at_ms, is_behind: is_behind(world, slot, at_ms) }
    }

    /// # Errors
    /// What is wrong with the answer, for whoever repeats the run.
    pub fn judge(
        &self,
        world: &World,
        asked: &Asked,
        given: &Given,
    ) -> Result<(), (Wrong, String)> {
        let is_behind = self.is_behind || is_behind(world, self.slot, world.now_ms());
        let (entry, age_s_max) = match given {
            Given::Read => return Ok(()),
            Given::Refused if is_behind => return Ok(()),
            Given::Refused => return Err((Wrong::Refusal, asked.meaning.clone())),
            Given::Made(entry) => (entry, 0),
            Given::Hit(entry) => (entry, asked.fresh_s),
            Given::Stale(entry) if is_behind => {
                (entry, asked.fresh_s + u64::from(CONFIG.cache_stale_s_max))
            }
            Given::Stale(entry) => (entry, asked.fresh_s + (asked.fresh_s / 10).min(30)),
        };
        let made = Made::read(entry).ok_or((Wrong::Content, asked.meaning.clone()))?;
        self.judge_made(world, asked, &made, age_s_max).map_err(|wrong| {
            (wrong, format!("{} at {}: for {age_s_max} s {made:?}", asked.meaning, self.at_ms))
        })
    }

    fn judge_made(
        &self,
        world: &World,
        asked: &Asked,
        made: &Made,
        age_s_max: u64,
    ) -> Result<(), Wrong> {
        if made.meaning != asked.meaning || made.media != asked.media || made.link != asked.meaning
        {
            return Err(Wrong::CacheableQuery);
        }
        let truth = world.truth.borrow();
        if truth.says(made.moment, &asked.about).as_ref() != Some(&made.says) {
            return Err(Wrong::Content);
        }
        if self.at_ms > made.made_ms + age_s_max * 1000 + CLOCKS_APART_MS {
            return Err(Wrong::Age);
        }
        let superseded = truth.superseded(made.moment, &asked.about);
        let is_known = superseded.is_some_and(|moment| moment.known_by_ms[self.slot] < self.at_ms);
        if is_known && !self.is_behind { Err(Wrong::Age) } else { Ok(()) }
    }
}

fn is_behind(world: &World, slot: usize, at_ms: u64) -> bool {
    let slot = &world.slots[slot];
    slot.postgres_is_away.get() || at_ms < slot.postgres_back_ms.get() + BACK_MS
}

/// An answer, as it was written.
#[derive(Debug)]
struct Made {
    meaning: String,
    media: Media,
    link: String,
    says: String,
    moment: usize,
    made_ms: u64,
}

impl Made {
    fn read(entry: &Entry) -> Option<Self> {
        let body = std::str::from_utf8(&entry.variant(false).body).ok()?;
        let [meaning, says, moment, made_ms] = body.split('\n').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Self {
            meaning: meaning.to_owned(),
            media: entry.media,
            link: String::from_utf8(entry.headers.link.as_ref()?.to_vec()).ok()?,
            says: says.to_owned(),
            moment: moment.parse().ok()?,
            made_ms: made_ms.parse().ok()?,
        })
    }
}
