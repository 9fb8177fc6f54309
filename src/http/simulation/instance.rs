//! One simulated process: the real cache, its versions and the follower of changes, with a stand-in
//! for the middleware and the handlers.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, NaiveTime};
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, spawn_local};

use super::database::DatabaseModel;
use super::environment::{Environment, INSTANCES, Unreachable, wait};
use super::queries::SimulatedQuery;
use crate::cache::{
    Cache, CachedHeaders, CachedResponse, Entry, Found, Lifetime, Miss, Versions, lifetime,
};
use crate::config::CacheConfig;
use crate::http::server::changes::{ChangeFollower, follow};
use crate::market::Exchange;
use crate::redis::Message;
use crate::store::{ChangeSource, Changes, HistoryPosition, StoreError};

/// The defaults, with two exceptions. Stale answers may be served longer than outages last. Memory
/// is never full, as evictions depend on hashes that the seed does not determine; restarts empty
/// it often enough.
pub const CONFIG: CacheConfig = CacheConfig {
    cache_memory_bytes_max: 1 << 30,
    cache_writes_max: 64,
    changes_poll_ms: 30_000,
    changes_poll_without_redis_ms: 500,
    rest_after_s: 0,
    cache_stale_s_max: 900,
};
/// The maximum difference between the clocks of instances.
pub const CLOCK_SKEW_MS: u64 = 5000;
/// One read of this many is slow, so that other requests for the same start meanwhile.
const SLOW_ONE_IN: u64 = 200;
const SLOW_MS: u64 = 14_000;

/// The running processes, by slot.
pub struct Instances {
    pub environment: Rc<Environment>,
    running: [RefCell<Option<Rc<SimulatedInstance>>>; INSTANCES],
}

impl Instances {
    pub fn start(environment: Rc<Environment>) -> Rc<Self> {
        let instances = Self { environment, running: Default::default() };
        (0..INSTANCES).for_each(|slot| instances.restart(slot));
        Rc::new(instances)
    }

    /// Starts a process in a slot. A process that runs there is killed.
    pub fn restart(&self, slot: usize) {
        let instance = SimulatedInstance::start(&self.environment, slot);
        if let Some(killed) = self.running[slot].replace(Some(instance)) {
            killed.follower.take().inspect(AbortHandle::abort);
        }
    }

    pub fn get(&self, slot: usize) -> Rc<SimulatedInstance> {
        self.running[slot].borrow().clone().expect("all slots are started")
    }
}

pub struct SimulatedInstance {
    slot: usize,
    environment: Rc<Environment>,
    cache: Cache,
    versions: Versions,
    clock_ahead_ms: u64,
    messages: mpsc::Sender<Message>,
    reconnected: Notify,
    follower: Cell<Option<AbortHandle>>,
}

/// The response of an instance.
pub enum Reply {
    Hit(Arc<Entry>),
    Stale(Arc<Entry>),
    /// Read from the database and cached.
    Miss(Arc<Entry>),
    /// Read from the database, and not cacheable or not found.
    Uncached,
    /// The database was unreachable and no stale answer was available.
    Unavailable,
}

impl SimulatedInstance {
    fn start(environment: &Rc<Environment>, slot: usize) -> Rc<Self> {
        let (sender, receiver) = mpsc::channel(1024);
        let instance = Rc::new(Self {
            slot,
            environment: environment.clone(),
            cache: Cache::with_model(&CONFIG, environment.redis.clone()),
            versions: Versions::default(),
            clock_ahead_ms: environment.below(CLOCK_SKEW_MS),
            messages: sender,
            reconnected: Notify::new(),
            follower: Cell::new(None),
        });
        let following = instance.clone();
        let follower =
            spawn_local(async move { follow(&*following, Some(receiver), &CONFIG).await });
        instance.follower.set(Some(follower.abort_handle()));
        instance
    }

    /// Delivers a message. It is lost if too many are waiting or the process was killed.
    pub fn deliver(&self, message: Message) {
        let _ = self.messages.try_send(message);
    }

    /// Opens new connections to Postgres, which may be another one than before.
    pub fn reconnect(&self) {
        self.reconnected.notify_one();
    }

    /// The last revision that it has applied.
    pub fn applied_revision(&self) -> i64 {
        self.versions.last_revision()
    }

    fn clock_ms(&self) -> u64 {
        self.environment.now_ms() + self.clock_ahead_ms
    }

    /// Handles a request as `http/middleware/cache.rs` does, without HTTP.
    pub async fn handle(&self, query: &SimulatedQuery) -> Reply {
        let Some((version, exchange)) = self.versions.of(&query.parsed.depends_on()) else {
            return self.read_uncached(query).await;
        };
        let key = query.parsed.canonical(version);
        let now_ms = self.clock_ms();
        match self.cache.look_up(&key, now_ms).await {
            Found::Hit(entry) => Reply::Hit(entry),
            Found::Stale(entry) => Reply::Stale(entry),
            Found::Failed => Reply::Unavailable,
            Found::Uncacheable => self.read_uncached(query).await,
            Found::Miss(miss) => {
                let now =
                    DateTime::from_timestamp_millis(now_ms.cast_signed()).expect("a valid time");
                let spread = crc32fast::hash(key.as_bytes());
                let lifetime = lifetime(query.parsed.content(), &exchange, now, spread);
                self.fill(query, miss, lifetime).await
            }
        }
    }

    async fn read_uncached(&self, query: &SimulatedQuery) -> Reply {
        self.read(query).await.map_or(Reply::Unavailable, |_| Reply::Uncached)
    }

    async fn fill(&self, query: &SimulatedQuery, miss: Miss<'_>, lifetime: Lifetime) -> Reply {
        match self.read(query).await {
            Err(_) => miss.record_failure(self.clock_ms()).map_or(Reply::Unavailable, Reply::Stale),
            Ok(Some(answer)) => Reply::Miss(miss.fill(answer, lifetime, self.clock_ms())),
            Ok(None) => {
                miss.mark_uncacheable(self.clock_ms());
                Reply::Uncached
            }
        }
    }

    async fn query<T>(
        &self,
        statement: impl FnOnce(&mut DatabaseModel) -> T,
    ) -> Result<T, StoreError> {
        let result = self.environment.run(self.slot, statement).await;
        result.map_err(|_| StoreError::Unreachable("simulated outage".to_owned()))
    }

    /// Reads an answer as a handler does; `None` if it is not cacheable or not found. The body
    /// records the query, the content, the commit it was read from, and the time.
    async fn read(&self, query: &SimulatedQuery) -> Result<Option<CachedResponse>, Unreachable> {
        let (commit, content) = self
            .environment
            .run(self.slot, |database| {
                let commit = database.latest();
                (commit, database.content(commit, &query.names))
            })
            .await?;
        if self.environment.once_in(SLOW_ONE_IN) {
            wait(self.environment.below(SLOW_MS)).await;
        }
        let Some(content) = content.filter(|_| query.is_cacheable) else { return Ok(None) };
        let meaning = &query.meaning;
        let body = format!("{meaning}\n{content}\n{commit}\n{}", self.environment.now_ms());
        let link = Some(Bytes::from(meaning.clone()));
        Ok(Some(CachedResponse {
            body: body.into(),
            media: query.media,
            headers: CachedHeaders { link, unknown: None },
        }))
    }
}

impl ChangeSource for SimulatedInstance {
    async fn history_position(&self, applied: i64) -> Result<HistoryPosition, StoreError> {
        self.query(|database| database.history_position(applied)).await
    }

    async fn record_restored_history(
        &self,
        applied: i64,
        seen: HistoryPosition,
    ) -> Result<HistoryPosition, StoreError> {
        self.query(|database| database.record_restored_history(applied, seen)).await
    }

    async fn changes_since(&self, since: i64, current: i64) -> Result<Changes, StoreError> {
        self.query(|database| database.changes_since(since, current)).await
    }

    async fn known_exchanges(&self) -> Result<HashMap<String, Exchange>, StoreError> {
        let closes_at = NaiveTime::from_hms_opt(16, 0, 0).expect("a time of day");
        let exchange = Exchange { zone: chrono_tz::America::New_York, closes_at };
        Ok(HashMap::from([("NYSE".to_owned(), exchange)]))
    }
}

impl ChangeFollower for SimulatedInstance {
    async fn catch_up(&self) -> Result<(), StoreError> {
        self.versions.catch_up(self, None).await.map(drop)
    }

    fn handle_message(&self, _: Message) {}

    async fn connections_changed(&self) {
        self.reconnected.notified().await;
    }

    fn receives_messages(&self) -> bool {
        !self.environment.networks[self.slot].redis_is_lost.get()
    }

    fn set_behind(&self, is_behind: bool) {
        self.versions.set_behind(is_behind);
    }
}
