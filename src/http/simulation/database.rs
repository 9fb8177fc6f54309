//! A model of Postgres that keeps the content of every commit, so that a check can tell what was
//! true when.

use std::collections::HashSet;

use super::queries::NAMES;
use crate::market::Symbol;
use crate::store::{Changes, HistoryPosition, StockChange, StockRef};

pub const STOCKS: usize = 14;

/// All that responses show: the stock of each name, and how often each stock was restated.
#[derive(Clone)]
struct Snapshot {
    /// The stock of each name; `None` if no stock has had it yet.
    stocks: [Option<usize>; NAMES.len()],
    restated: [u32; STOCKS],
}

/// A commit. Its snapshot is the content of the database until the next one.
pub struct Commit {
    snapshot: Snapshot,
    /// The revisions after it: the last one, and that of each stock.
    revisions: (i64, [i64; STOCKS]),
    /// For each instance, when it must know of the commit at the latest, unless it can't reach
    /// Postgres.
    pub known_by_ms: Vec<u64>,
}

pub struct DatabaseModel {
    commits: Vec<Commit>,
    /// For each name, the commits that changed its content.
    changed: [Vec<usize>; NAMES.len()],
    revision: i64,
    versions: [i64; STOCKS],
    /// The revisions of this history, and the highest one of all histories: revisions are times.
    drawn: HashSet<i64>,
    highest_drawn: i64,
    restored_at: i64,
    has_new_timeline: bool,
}

impl DatabaseModel {
    /// Starts with one commit. The last two names have no stock, the last two stocks no name.
    pub fn new(instances: usize) -> Self {
        let stocks = std::array::from_fn(|name| Some(name).filter(|name| *name < NAMES.len() - 2));
        let snapshot = Snapshot { stocks, restated: [0; STOCKS] };
        let revisions = (1, [1; STOCKS]);
        Self {
            commits: vec![Commit { snapshot, revisions, known_by_ms: vec![0; instances] }],
            changed: Default::default(),
            revision: 1,
            versions: [1; STOCKS],
            drawn: HashSet::from([1]),
            highest_drawn: 1,
            restored_at: 0,
            has_new_timeline: false,
        }
    }

    /// The number of the latest commit.
    pub fn latest(&self) -> usize {
        self.commits.len() - 1
    }

    /// The content about these names as of a commit; `None` if there is none.
    pub fn content(&self, commit: usize, names: &[usize]) -> Option<String> {
        let snapshot = &self.commits.get(commit)?.snapshot;
        let of_name = |name: &usize| match snapshot.stocks[*name] {
            Some(stock) => format!("{}={stock}:{} ", NAMES[*name], snapshot.restated[stock]),
            None => String::new(),
        };
        let content: String = names.iter().map(of_name).collect();
        Some(content).filter(|content| !content.is_empty())
    }

    /// The first commit after `commit` that changed the content about any of these names.
    pub fn superseded_by(&self, commit: usize, names: &[usize]) -> Option<&Commit> {
        let next = |name: &usize| {
            let changed = &self.changed[*name];
            changed.get(changed.partition_point(|changed| *changed <= commit))
        };
        names.iter().filter_map(next).min().map(|number| &self.commits[*number])
    }

    /// Commits a load that restates stocks.
    pub fn restate(&mut self, stocks: &[usize], known_by_ms: Vec<u64>) {
        let mut snapshot = self.snapshot().clone();
        stocks.iter().for_each(|stock| snapshot.restated[*stock] += 1);
        self.commit(stocks, snapshot, known_by_ms);
    }

    /// Commits the move of a name to another stock. Both stocks get a new version.
    pub fn rename(&mut self, name: usize, to: usize, known_by_ms: Vec<u64>) {
        let mut snapshot = self.snapshot().clone();
        let from = snapshot.stocks[name].replace(to);
        let changed: Vec<usize> = from.into_iter().chain([to]).collect();
        self.commit(&changed, snapshot, known_by_ms);
    }

    /// Commits a change that is not about stocks, such as a new key. It gets a revision too.
    pub fn draw_revision(&mut self) {
        self.highest_drawn += 1;
        self.revision = self.highest_drawn;
        self.drawn.insert(self.revision);
    }

    /// Loses the last commits: a promoted replica lacks them, or a backup is restored. Only a
    /// promotion makes a new timeline.
    pub fn go_back(&mut self, lost: usize, is_promotion: bool, known_by_ms: Vec<u64>) {
        let restored = &self.commits[self.latest().saturating_sub(lost)];
        let (snapshot, revisions) = (restored.snapshot.clone(), restored.revisions);
        (self.revision, self.versions) = revisions;
        self.drawn.retain(|drawn| *drawn <= revisions.0);
        self.has_new_timeline |= is_promotion;
        // No load has written the content that is there now, so no revision is drawn.
        self.push(Commit { snapshot, revisions, known_by_ms });
    }

    /// The last revision of the history.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    fn snapshot(&self) -> &Snapshot {
        &self.commits[self.latest()].snapshot
    }

    fn commit(&mut self, changed_stocks: &[usize], snapshot: Snapshot, known_by_ms: Vec<u64>) {
        self.draw_revision();
        changed_stocks.iter().for_each(|stock| self.versions[*stock] = self.revision);
        let revisions = (self.revision, self.versions);
        self.push(Commit { snapshot, revisions, known_by_ms });
    }

    fn push(&mut self, commit: Commit) {
        let previous = self.latest();
        self.commits.push(commit);
        let number = self.latest();
        for name in 0..NAMES.len() {
            if self.content(previous, &[name]) != self.content(number, &[name]) {
                self.changed[name].push(number);
            }
        }
    }

    /// Where the history stands for an instance that has applied `applied`.
    pub fn history_position(&self, applied: i64) -> HistoryPosition {
        HistoryPosition {
            revision: self.revision,
            restored_at: self.restored_at,
            has_applied: self.drawn.contains(&applied),
            has_new_timeline: self.has_new_timeline,
        }
    }

    /// Records that the history went back, unless it was recorded since `seen` was read.
    pub fn record_restored_history(
        &mut self,
        applied: i64,
        seen: HistoryPosition,
    ) -> HistoryPosition {
        if self.restored_at == seen.restored_at {
            self.draw_revision();
            assert!(self.revision > applied, "revisions are times");
            self.restored_at = self.revision;
            self.has_new_timeline = false;
        }
        self.history_position(applied)
    }

    /// The changes that an instance reads if it knows everything up to `since`.
    pub fn changes_since(&self, since: i64, current: i64) -> Changes {
        let snapshot = self.snapshot();
        let changes = snapshot.stocks.iter().enumerate().filter_map(|(name, stock)| {
            let stock = (*stock)?;
            let under: Symbol = NAMES[name].parse().expect("a symbol");
            let stock = StockRef { id: stock as i32, symbol: under, version: self.versions[stock] };
            Some(StockChange { under, stock, exchange: "NYSE".to_owned() })
        });
        let stocks = changes.filter(|change| change.stock.version > since).collect();
        Changes { stocks, revision: current, ..Changes::default() }
    }
}
