//! One process: the real cache, its versions and what follows changes; beside them only what the
//! middleware does.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_local};

use super::questions::Asked;
use super::truth::tell;
use super::world::{Away, World, wait};
use crate::cache::{
    Cache, CachedHeaders, CachedResponse, Entry, Found, Lifetime, Miss, Versions, lifetime,
};
use crate::config::CacheConfig;
use crate::http::server::changes::{ChangeFollower, follow};
use crate::redis::Message;
use crate::store::StoreError;

/// The defaults, but that answers are shown stale for a time that outages outlast, and that memory
/// is never full: what is pushed out hangs on hashes that no seed repeats. Processes that end lose
/// enough.
pub const CONFIG: CacheConfig = CacheConfig {
    cache_memory_bytes_max: 1 << 30,
    cache_writes_max: 64,
    changes_poll_ms: 30_000,
    changes_poll_without_redis_ms: 500,
    cache_stale_s_max: 900,
};
/// How far clocks are apart at most.
pub const CLOCKS_APART_MS: u64 = 5000;
/// One read in so many is slow, so that others try meanwhile.
const SLOW_ONE_IN: u64 = 200;
const SLOW_MS: u64 = 14_000;

pub struct Instance {
    pub slot: usize,
    world: Rc<World>,
    cache: Cache,
    versions: Versions,
    clock_ahead_ms: u64,
    words: mpsc::Sender<Message>,
    follower: Cell<Option<AbortHandle>>,
}

/// What a client gets.
pub enum Given {
    Hit(Arc<Entry>),
    Stale(Arc<Entry>),
    Made(Arc<Entry>),
    /// Read for this request alone, or found not to be there.
    Read,
    /// Nobody could be asked, and nothing stood in.
    Refused,
}

impl Instance {
    /// Starts a process in a slot, in place of whichever was there.
    pub fn start(world: &Rc<World>, slot: usize) {
        let (words, heard) = mpsc::channel(1024);
        let instance = Rc::new(Self {
            slot,
            world: world.clone(),
            cache: Cache::with_model(&CONFIG, world.redis.clone()),
            versions: Versions::default(),
            clock_ahead_ms: world.below(CLOCKS_APART_MS),
            words,
            follower: Cell::new(None),
        });
        let following = instance.clone();
        let follower = spawn_local(async move { follow(&*following, Some(heard), &CONFIG).await });
        instance.follower.set(Some(follower.abort_handle()));
        if let Some(before) = world.slots[slot].instance.replace(Some(instance)) {
            before.follower.take().inspect(AbortHandle::abort);
        }
    }

    pub fn tell(&self, word: Message) {
        // Where too many wait, or nobody listens any more, it is lost.
        let _ = self.words.try_send(word);
    }

    fn clock_ms(&self) -> u64 {
        self.world.now_ms() + self.clock_ahead_ms
    }

    /// What `http/middleware/cache.rs` does, without HTTP.
    pub async fn ask(&self, asked: &Asked) -> Given {
        let Some((version, exchange)) = self.versions.of(&asked.parsed.depends_on()) else {
            return self.read(asked).await.map_or(Given::Refused, |_| Given::Read);
        };
        let (key, now_ms) = (asked.parsed.canonical(version), self.clock_ms());
        match self.cache.look_up(&key, now_ms).await {
            Found::Hit(entry) => Given::Hit(entry),
            Found::Stale(entry) => Given::Stale(entry),
            Found::Failed => Given::Refused,
            Found::Uncacheable => self.read(asked).await.map_or(Given::Refused, |_| Given::Read),
            Found::Miss(miss) => {
                let now = DateTime::from_timestamp_millis(now_ms.cast_signed())
                    .expect("a time that can be");
                let spread = crc32fast::hash(key.as_bytes());
                self.answer(asked, miss, lifetime(asked.parsed.content(), &exchange, now, spread))
                    .await
            }
        }
    }

    async fn answer(&self, asked: &Asked, miss: Miss<'_>, lifetime: Lifetime) -> Given {
        match self.read(asked).await {
            Err(_) => miss.record_failure(self.clock_ms()).map_or(Given::Refused, Given::Stale),
            Ok(Some(answer)) => Given::Made(miss.fill(answer, lifetime, self.clock_ms())),
            Ok(None) => {
                miss.mark_uncacheable(self.clock_ms());
                Given::Read
            }
        }
    }

    /// What a handler makes: what was asked, what is true of it, the moment that this was read in,
    /// and when it was made. `None` where that is none that is kept.
    async fn read(&self, asked: &Asked) -> Result<Option<CachedResponse>, Away> {
        let (now, says) = self
            .world
            .read(self.slot, |truth| (truth.now(), truth.says(truth.now(), &asked.about)))
            .await?;
        if self.world.once_in(SLOW_ONE_IN) {
            wait(self.world.below(SLOW_MS)).await;
        }
        let Some(says) = says.filter(|_| asked.is_kept) else { return Ok(None) };
        let body = format!("{}\n{says}\n{now}\n{}", asked.meaning, self.world.now_ms());
        let link = Some(Bytes::from(asked.meaning.clone()));
        Ok(Some(CachedResponse {
            body: body.into(),
            media: asked.media,
            headers: CachedHeaders { link, unknown: None },
        }))
    }
}

impl ChangeFollower for Instance {
    async fn look(&self) -> Result<(), StoreError> {
        let since = self.versions.last_revision();
        let changes = self.world.read(self.slot, |truth| truth.changes_since(since)).await;
        let changes = changes.map_err(|_| StoreError::Unreachable("it is away".to_owned()))?;
        tell(&self.versions, &changes);
        Ok(())
    }

    fn heed(&self, _: Message) {}

    fn word_may_come(&self) -> bool {
        !self.world.slots[self.slot].redis_is_lost.get()
    }

    fn set_behind(&self, behind: bool) {
        self.versions.set_behind(behind);
    }
}
