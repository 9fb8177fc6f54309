//! A model of Postgres that forgets nothing: what was true when.

use std::collections::HashMap;

use super::questions::NAMES;
use crate::cache::Versions;
use crate::market::{Exchange, Symbol};
use crate::store::{Changes, StockChange, StockRef};

pub const STOCKS: usize = 14;

/// Whose each name is, and how often that stock was restated: all that answers show.
#[derive(Clone)]
struct Content {
    /// The stock that each name means; none where nobody has had it yet.
    owners: [Option<usize>; NAMES.len()],
    restated: [u32; STOCKS],
}

/// What one commit made true, until the next.
pub struct Moment {
    content: Content,
    /// For each instance: when it has to have heard of it, unless Postgres is away from there.
    pub known_by_ms: Vec<u64>,
}

pub struct Truth {
    moments: Vec<Moment>,
    /// For each name: the moments that changed what it says.
    changed: [Vec<usize>; NAMES.len()],
    revision: i64,
    versions: [i64; STOCKS],
}

impl Truth {
    /// The last two names and the last two stocks belong to nobody yet.
    pub fn new(instances: usize) -> Self {
        let owners = std::array::from_fn(|name| Some(name).filter(|name| *name < NAMES.len() - 2));
        let content = Content { owners, restated: [0; STOCKS] };
        let first = Moment { content, known_by_ms: vec![0; instances] };
        Self {
            moments: vec![first],
            changed: Default::default(),
            revision: 1,
            versions: [1; STOCKS],
        }
    }

    /// What a read sees now: the number of the newest moment.
    pub fn now(&self) -> usize {
        self.moments.len() - 1
    }

    /// What an answer about these names says in a moment; `None` where there is nothing to say.
    pub fn says(&self, at: usize, about: &[usize]) -> Option<String> {
        let content = &self.moments.get(at)?.content;
        let one = |name: &usize| match content.owners[*name] {
            Some(stock) => format!("{}={stock}:{} ", NAMES[*name], content.restated[stock]),
            None => String::new(),
        };
        Some(about.iter().map(one).collect::<String>()).filter(|says| !says.is_empty())
    }

    /// The first moment after `at` in which something else was true of any of these names.
    pub fn superseded(&self, at: usize, about: &[usize]) -> Option<&Moment> {
        let next = |name: &usize| {
            let changed = &self.changed[*name];
            changed.get(changed.partition_point(|moment| *moment <= at))
        };
        about.iter().filter_map(next).min().map(|moment| &self.moments[*moment])
    }

    /// A load that restates stocks.
    pub fn restate(&mut self, stocks: &[usize], known_by_ms: Vec<u64>) {
        let mut content = self.content().clone();
        stocks.iter().for_each(|stock| content.restated[*stock] += 1);
        self.commit(stocks, Moment { content, known_by_ms });
    }

    /// A name that changes hands; both owners get a new version.
    pub fn rename(&mut self, name: usize, to: usize, known_by_ms: Vec<u64>) {
        let mut content = self.content().clone();
        let from = content.owners[name].replace(to);
        let touched: Vec<usize> = from.into_iter().chain([to]).collect();
        self.commit(&touched, Moment { content, known_by_ms });
    }

    /// What draws a revision and is no stock: a key.
    pub fn draw_revision(&mut self) {
        self.revision += 1;
    }

    fn content(&self) -> &Content {
        &self.moments[self.now()].content
    }

    fn commit(&mut self, touched: &[usize], moment: Moment) {
        self.draw_revision();
        touched.iter().for_each(|stock| self.versions[*stock] = self.revision);
        let (number, now, about) = (self.moments.len(), self.now(), 0..NAMES.len());
        self.moments.push(moment);
        let changed = about.filter(|name| self.says(now, &[*name]) != self.says(number, &[*name]));
        changed.collect::<Vec<_>>().into_iter().for_each(|name| self.changed[name].push(number));
    }

    /// What an instance hears that has heard of everything up to `revision`.
    pub fn changes_since(&self, revision: i64) -> Changes {
        let content = self.content();
        let heard = content.owners.iter().enumerate().filter_map(|(name, owner)| {
            let (under, stock): (Symbol, _) = (NAMES[name].parse().expect("a symbol"), (*owner)?);
            let stock = StockRef { id: stock as i32, symbol: under, version: self.versions[stock] };
            Some(StockChange { under, stock, exchange: "NYSE".to_owned() })
        });
        let stocks = heard.filter(|heard| heard.stock.version > revision).collect();
        Changes { stocks, revision: self.revision, ..Changes::default() }
    }
}

/// Tells an instance what it would have read from Postgres.
pub fn tell(versions: &Versions, changes: &Changes) {
    let closes_at = chrono::NaiveTime::from_hms_opt(16, 0, 0).expect("a time of day");
    let exchange = Exchange { zone: chrono_tz::America::New_York, closes_at };
    versions.apply(changes, &HashMap::from([("NYSE".to_owned(), exchange)]));
}
