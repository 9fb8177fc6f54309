//! The data version of every stock, as far as this instance has heard: what makes cached answers go
//! out of use.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwap;
use chrono::NaiveTime;

use crate::caller::KeyId;
use crate::market::{Exchange, Symbol};
use crate::store::{Changes, StockRef, Store, StoreError};

/// For lists of stocks, and stocks whose exchange was not heard of yet.
const DEFAULT_ZONE: chrono_tz::Tz = chrono_tz::America::New_York;

/// The stocks that an answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependsOn<'a> {
    Stock(Symbol),
    Stocks(&'a [Symbol]),
    All,
}

pub struct Versions {
    /// Under each symbol by which a stock is found, former ones too. Swapped as a whole: every
    /// request reads it, and it changes a few times a day.
    stocks: ArcSwap<HashMap<Symbol, (StockRef, Exchange)>>,
    /// The newest revision heard of, of keys and tiers too. -1 before the first.
    newest: AtomicI64,
    /// The newest one of a stock: the version of whatever depends on all of them.
    newest_of_stocks: AtomicI64,
    behind: AtomicBool,
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            stocks: ArcSwap::default(),
            newest: AtomicI64::new(-1),
            newest_of_stocks: AtomicI64::new(0),
            behind: AtomicBool::new(false),
        }
    }
}

impl Versions {
    /// The version to put into the key of an answer, and whose clock decides how long it lives.
    /// `None` where no version was heard of yet.
    pub fn of(&self, depends_on: &DependsOn<'_>) -> Option<(i64, Exchange)> {
        match depends_on {
            DependsOn::Stock(symbol) => {
                self.stocks.load().get(symbol).map(|(stock, exchange)| (stock.version, *exchange))
            }
            // Numbers only grow: whichever of them changes next gets a larger one than all have
            // now.
            DependsOn::Stocks(symbols) => {
                let stocks = self.stocks.load();
                let heard = symbols.iter().filter_map(|symbol| stocks.get(symbol));
                heard
                    .max_by_key(|(stock, _)| stock.version)
                    .map(|(stock, exchange)| (stock.version, *exchange))
            }
            DependsOn::All => self
                .newest()
                .map(|_| (self.newest_of_stocks.load(Ordering::Acquire), default_exchange())),
        }
    }

    /// The stock that is meant by a symbol; `None` where nothing was heard of one.
    pub fn stock(&self, symbol: Symbol) -> Option<StockRef> {
        self.stocks.load().get(&symbol).map(|(stock, _)| *stock)
    }

    /// The version that what depends on every stock has to be read as of, or later: the one that it
    /// is kept under. Before any was heard of, one that no replica can have come to.
    pub fn to_read(&self) -> i64 {
        self.of(&DependsOn::All).map_or(i64::MAX, |(version, _)| version)
    }

    /// Hears what was committed since the last time, and returns the keys and the tiers that
    /// changed.
    ///
    /// # Errors
    /// When Postgres can't be asked: nothing is forgotten, and the next call hears it all.
    pub async fn catch_up(&self, store: &Store) -> Result<(Vec<KeyId>, Vec<String>), StoreError> {
        let changes = store.changes_since(self.heard()).await?;
        let exchanges =
            if changes.stocks.is_empty() { HashMap::new() } else { store.exchanges().await? };
        self.apply(&changes, &exchanges);
        Ok((changes.keys, changes.tiers))
    }

    /// Takes in what was committed since [`Self::heard`]; `exchanges` by their codes.
    pub(crate) fn apply(&self, changes: &Changes, exchanges: &HashMap<String, Exchange>) {
        if !changes.stocks.is_empty() {
            let exchange =
                |code: &str| exchanges.get(code).copied().unwrap_or_else(default_exchange);
            let mut stocks = HashMap::clone(&self.stocks.load());
            stocks.extend(
                changes
                    .stocks
                    .iter()
                    .map(|heard| (heard.under, (heard.stock, exchange(&heard.exchange)))),
            );
            self.stocks.store(Arc::new(stocks));
            let newest = changes.stocks.iter().map(|heard| heard.stock.version).max();
            self.newest_of_stocks.fetch_max(newest.unwrap_or_default(), Ordering::Release);
        }
        // At least 0: an empty database has been looked at, too.
        self.newest.store(changes.revision.max(0), Ordering::Release);
    }

    /// The revision to hear on from: -1 before the first.
    pub(crate) fn heard(&self) -> i64 {
        self.newest.load(Ordering::Acquire)
    }

    /// The newest revision heard of; `None` before the first.
    pub fn newest(&self) -> Option<i64> {
        Some(self.heard()).filter(|newest| *newest >= 0)
    }

    /// Whether what was committed is known here, as of the last look.
    pub fn is_up_to_date(&self) -> bool {
        self.heard() >= 0 && !self.behind.load(Ordering::Relaxed)
    }

    pub fn set_behind(&self, behind: bool) {
        self.behind.store(behind, Ordering::Relaxed);
    }
}

fn default_exchange() -> Exchange {
    Exchange {
        zone: DEFAULT_ZONE,
        closes_at: NaiveTime::from_hms_opt(16, 0, 0).unwrap_or(NaiveTime::MIN),
    }
}
