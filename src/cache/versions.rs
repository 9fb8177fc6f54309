//! The data version of every stock, as far as this instance knows it.
//!
//! Each commit draws a revision, a number that only grows. The data version of a stock is the
//! revision of its last change. Cache keys contain the version, so a change makes new keys.
//! `http/server/changes.rs` keeps the versions up to date.
//!
//! If the history of the database goes back (`store/history.rs`), everything is read again under
//! new keys: no version is lower than the revision at which that was found.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use chrono::NaiveTime;

use crate::caller::KeyId;
use crate::market::{AsOf, Exchange, Symbol};
use crate::store::{ChangeSource, Changes, StockRef, StoreError};

/// The time zone for lists of stocks, and for stocks of an unknown exchange.
const DEFAULT_ZONE: chrono_tz::Tz = chrono_tz::America::New_York;

/// The stocks that a response is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependsOn<'a> {
    Stock(Symbol),
    Stocks(&'a [Symbol]),
    All,
}

pub struct Versions {
    /// The stock of each symbol, with former symbols. Replaced as a whole, because every request
    /// reads it and it rarely changes.
    stocks: ArcSwap<HashMap<Symbol, (StockRef, Exchange)>>,
    /// The last revision of stocks, keys and tiers that was applied. -1 before the first.
    last_revision: AtomicI64,
    /// The highest version of a stock or an exchange: that of content that depends on all stocks.
    version_of_all: AtomicI64,
    /// The revision at which the history of the database was found to have gone back; 0 if never.
    restored_at: AtomicI64,
    /// Counts the changes of what [`Versions::of`] returns.
    epoch: AtomicU64,
    /// The last check for changes failed.
    is_behind: AtomicBool,
}

/// What a check for changes has found, apart from changes of stocks.
#[derive(Debug, Default)]
pub struct CaughtUp {
    pub keys: Vec<KeyId>,
    /// Names of tiers.
    pub tiers: Vec<String>,
    /// The history of the database went back: anything known about keys and tiers may be wrong.
    pub is_restored: bool,
}

impl DependsOn<'_> {
    /// The stock of a symbol. As of an earlier time another stock may have had it: all of them.
    pub fn stock(symbol: Symbol, as_of: Option<AsOf>) -> Self {
        if as_of.is_some() { Self::All } else { Self::Stock(symbol) }
    }
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            stocks: ArcSwap::default(),
            last_revision: AtomicI64::new(-1),
            version_of_all: AtomicI64::new(0),
            restored_at: AtomicI64::new(0),
            epoch: AtomicU64::new(0),
            is_behind: AtomicBool::new(false),
        }
    }
}

impl Versions {
    /// The version for the cache key of a response, and the exchange that decides its lifetime.
    /// `None` if the version is unknown.
    pub fn of(&self, depends_on: &DependsOn<'_>) -> Option<(i64, Exchange)> {
        let (version, exchange) = match depends_on {
            DependsOn::Stock(symbol) => spelled(&self.stocks.load(), *symbol)
                .map(|(stock, exchange)| (stock.version, exchange)),
            // The highest version suffices: the next change of any of them draws a higher one.
            DependsOn::Stocks(symbols) => {
                let stocks = self.stocks.load();
                symbols
                    .iter()
                    .filter_map(|symbol| spelled(&stocks, *symbol))
                    .max_by_key(|(stock, _)| stock.version)
                    .map(|(stock, exchange)| (stock.version, exchange))
            }
            DependsOn::All => self
                .revision()
                .map(|_| (self.version_of_all.load(Ordering::Acquire), default_exchange())),
        }?;
        Some((version.max(self.restored_at()), exchange))
    }

    /// Grows with every change of what [`Self::of`] returns. A version that was read after it stays
    /// the current one as long as the epoch is the same.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The stock of a symbol, or of the only other spelling of it that a stock has; `None` if the
    /// symbol is unknown.
    pub fn stock(&self, symbol: Symbol) -> Option<StockRef> {
        let (stock, _) = spelled(&self.stocks.load(), symbol)?;
        Some(StockRef { version: stock.version.max(self.restored_at()), ..stock })
    }

    /// The version that a replica must have replayed before content of all stocks is read from it:
    /// the version of that content's cache key. `i64::MAX` before the first revision, so that the
    /// primary is read.
    pub fn to_read(&self) -> i64 {
        self.of(&DependsOn::All).map_or(i64::MAX, |(version, _)| version)
    }

    /// Reads and applies the changes since the last call. `applied_by_others` is a revision that
    /// cached responses in Redis may be of; it matters before the first call.
    ///
    /// # Errors
    /// When Postgres can't be read. The next call applies all changes since the last success.
    pub(crate) async fn catch_up(
        &self,
        source: &impl ChangeSource,
        applied_by_others: Option<i64>,
    ) -> Result<CaughtUp, StoreError> {
        let last = self.revision().or(applied_by_others);
        let applied = last.unwrap_or_default();
        let mut position = source.history_position(applied).await?;
        let is_lost = last.is_some() && !position.has_applied;
        // Without a right to write, the number of this instance alone is higher.
        let is_handled = self.restored_at() > position.restored_at;
        let is_found = is_lost || position.has_new_timeline && !is_handled;
        // By another instance. This one may know rows of a commit whose revision it never applied.
        let is_recorded = self.revision().is_some() && position.restored_at > self.restored_at();
        let is_restored = is_found || is_recorded;
        if is_found {
            tracing::warn!(
                applied,
                is_lost,
                "the history of the database may have gone back: a replica was promoted, or a \
                 backup restored. All data and keys are read again, and nothing cached is used"
            );
            // Unless another instance has recorded it after the lost revision.
            if position.has_new_timeline || position.restored_at <= applied {
                position = source.record_restored_history(applied, position).await?;
            }
        }
        let since = if is_restored { -1 } else { self.last_revision() };
        let changes = if since == position.revision {
            Changes { revision: since, ..Changes::default() }
        } else {
            source.changes_since(since, position.revision).await?
        };
        let exchanges = if changes.stocks.is_empty() {
            HashMap::new()
        } else {
            source.known_exchanges().await?
        };
        self.apply(&changes, &exchanges, is_restored);
        // After the versions: a key of the new version must not lead to what was known before. It
        // stays where it was if nobody can record a lower one.
        if self.restored_at.fetch_max(position.restored_at, Ordering::Release)
            < position.restored_at
        {
            self.epoch.fetch_add(1, Ordering::Release);
        }
        Ok(CaughtUp { keys: changes.keys, tiers: changes.tiers, is_restored })
    }

    /// Applies the changes since [`Self::last_revision`], or all data if the history went back.
    /// `exchanges` are by their codes.
    fn apply(&self, changes: &Changes, exchanges: &HashMap<String, Exchange>, is_restored: bool) {
        if is_restored || !changes.stocks.is_empty() {
            let exchange =
                |code: &str| exchanges.get(code).copied().unwrap_or_else(default_exchange);
            let mut stocks =
                if is_restored { HashMap::new() } else { HashMap::clone(&self.stocks.load()) };
            stocks.extend(
                changes
                    .stocks
                    .iter()
                    .map(|change| (change.under, (change.stock, exchange(&change.exchange)))),
            );
            self.stocks.store(Arc::new(stocks));
        }
        let of_stocks = changes.stocks.iter().map(|change| change.stock.version).max();
        let version = of_stocks.max(changes.exchanges).unwrap_or_default();
        let version_before = if is_restored {
            self.version_of_all.swap(version, Ordering::AcqRel)
        } else {
            self.version_of_all.fetch_max(version, Ordering::AcqRel)
        };
        // After the versions, so that nobody takes an earlier one for the current one, and before
        // the revision, which says that the versions are applied. Changes of keys and tiers don't
        // change versions.
        if is_restored || !changes.stocks.is_empty() || version > version_before {
            self.epoch.fetch_add(1, Ordering::Release);
        }
        // At least 0, because an empty database counts as read.
        self.last_revision.store(changes.revision.max(0), Ordering::Release);
    }

    /// The last revision that was applied; -1 before the first.
    pub(crate) fn last_revision(&self) -> i64 {
        self.last_revision.load(Ordering::Acquire)
    }

    fn restored_at(&self) -> i64 {
        self.restored_at.load(Ordering::Acquire)
    }

    /// The last revision that was applied; `None` before the first.
    pub fn revision(&self) -> Option<i64> {
        Some(self.last_revision()).filter(|revision| *revision >= 0)
    }

    /// Whether the last check for changes succeeded.
    pub fn is_up_to_date(&self) -> bool {
        self.last_revision() >= 0 && !self.is_behind.load(Ordering::Relaxed)
    }

    pub fn set_behind(&self, is_behind: bool) {
        self.is_behind.store(is_behind, Ordering::Relaxed);
    }
}

/// The stock of a symbol or of its only other spelling.
fn spelled(
    stocks: &HashMap<Symbol, (StockRef, Exchange)>,
    symbol: Symbol,
) -> Option<(StockRef, Exchange)> {
    symbol.find_spelled(|spelling| stocks.get(&spelling).copied())
}

fn default_exchange() -> Exchange {
    Exchange {
        zone: DEFAULT_ZONE,
        closes_at: NaiveTime::from_hms_opt(16, 0, 0).unwrap_or(NaiveTime::MIN),
    }
}
