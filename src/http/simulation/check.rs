//! Checks a reply against the query, the history of the database, and the documented guarantees.

use super::environment::Environment;
use super::instance::{CLOCK_SKEW_MS, CONFIG, Reply};
use super::queries::SimulatedQuery;
use crate::cache::{Entry, Media};

/// How long an instance may be behind after Postgres is back: until its next poll, and until
/// requests from before have failed.
const RECOVERY_MS: u64 = 2000;

/// The state of an instance when a request starts.
pub struct RequestStart {
    slot: usize,
    at_ms: u64,
    /// Whether Postgres was unreachable or had just come back.
    is_behind: bool,
}

/// A broken guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// Content that the database never had.
    Content,
    /// The answer to a different query.
    Query,
    /// Older than documented.
    Age,
    /// Unavailable although Postgres was reachable.
    Unavailable,
}

impl Violation {
    pub const ALL: [Self; 4] = [Self::Content, Self::Query, Self::Age, Self::Unavailable];
}

impl RequestStart {
    pub fn now(environment: &Environment, slot: usize) -> Self {
        let at_ms = environment.now_ms();
        Self { slot, at_ms, is_behind: is_behind(environment, slot, at_ms) }
    }

    /// Checks the reply to a request.
    ///
    /// # Errors
    /// The violation, with a description for debugging.
    pub fn check(
        &self,
        environment: &Environment,
        query: &SimulatedQuery,
        reply: &Reply,
    ) -> Result<(), (Violation, String)> {
        let is_behind = self.is_behind || is_behind(environment, self.slot, environment.now_ms());
        let fresh_s = query.fresh_s;
        let (entry, age_s_max) = match reply {
            Reply::Uncached => return Ok(()),
            Reply::Unavailable if is_behind => return Ok(()),
            Reply::Unavailable => return Err((Violation::Unavailable, query.meaning.clone())),
            Reply::Miss(entry) => (entry, 0),
            Reply::Hit(entry) => (entry, fresh_s),
            Reply::Stale(entry) if is_behind => {
                (entry, fresh_s + u64::from(CONFIG.cache_stale_s_max))
            }
            Reply::Stale(entry) => (entry, fresh_s + (fresh_s / 10).min(30)),
        };
        let record =
            AnswerRecord::read(entry).ok_or((Violation::Content, query.meaning.clone()))?;
        self.check_record(environment, query, &record, age_s_max).map_err(|violation| {
            let meaning = &query.meaning;
            (violation, format!("{meaning} at {}: for {age_s_max} s {record:?}", self.at_ms))
        })
    }

    fn check_record(
        &self,
        environment: &Environment,
        query: &SimulatedQuery,
        record: &AnswerRecord,
        age_s_max: u64,
    ) -> Result<(), Violation> {
        let answers_query = record.meaning == query.meaning
            && record.media == query.media
            && record.link == query.meaning;
        if !answers_query {
            return Err(Violation::Query);
        }
        let database = environment.database.borrow();
        if database.content(record.commit, &query.names).as_ref() != Some(&record.content) {
            return Err(Violation::Content);
        }
        if self.at_ms > record.read_ms + age_s_max * 1000 + CLOCK_SKEW_MS {
            return Err(Violation::Age);
        }
        // What a lost commit has replaced may be the content again.
        let is_content =
            database.content(database.latest(), &query.names).as_ref() == Some(&record.content);
        let newer = database.superseded_by(record.commit, &query.names);
        let is_known = newer.is_some_and(|commit| commit.known_by_ms[self.slot] < self.at_ms);
        if is_known && !is_content && !self.is_behind { Err(Violation::Age) } else { Ok(()) }
    }
}

fn is_behind(environment: &Environment, slot: usize, at_ms: u64) -> bool {
    let network = &environment.networks[slot];
    network.postgres_is_down.get() || at_ms < network.postgres_up_since_ms.get() + RECOVERY_MS
}

/// What the body and the headers of an answer record.
#[derive(Debug)]
struct AnswerRecord {
    meaning: String,
    media: Media,
    link: String,
    content: String,
    commit: usize,
    read_ms: u64,
}

impl AnswerRecord {
    fn read(entry: &Entry) -> Option<Self> {
        let body = std::str::from_utf8(&entry.variant(false).body).ok()?;
        let [meaning, content, commit, read_ms] = body.split('\n').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Self {
            meaning: meaning.to_owned(),
            media: entry.media,
            link: String::from_utf8(entry.headers.link.as_ref()?.to_vec()).ok()?,
            content: content.to_owned(),
            commit: commit.parse().ok()?,
            read_ms: read_ms.parse().ok()?,
        })
    }
}
