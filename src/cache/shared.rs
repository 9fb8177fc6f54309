//! The Redis tier: answers that one instance made and every instance may serve.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{Answer, CachedHeaders, Entry, Media};
use crate::metrics::{self, CacheTier};
use crate::redis::Redis;

/// The layout of a value, and what is in the answers: a release that adds a field to one takes the
/// next number. This byte, the number of the media, the lengths of two notes (u16), three times in
/// epoch milliseconds (u64), all big-endian; the notes, the bytes of the answer. Only the identity
/// encoding is kept: gzip is made again in less time than it would take to fetch both.
const FORMAT: u8 = 3;
const HEAD_BYTES: usize = 1 + 1 + 2 * 2 + 3 * 8;

pub struct SharedTier {
    values: Values,
    /// Where writes run on, after the request that made the answer is done.
    runtime: Handle,
    writes: Arc<Semaphore>,
}

/// Where the values lie.
#[derive(Clone)]
pub enum Values {
    Redis(Redis),
    #[cfg(test)]
    Model(super::model::RedisModel),
}

impl Values {
    /// `None` where there is nothing, or it is not to be had.
    async fn get(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Redis(redis) => redis.get(name).await.ok().flatten(),
            #[cfg(test)]
            Self::Model(model) => model.get(name).await,
        }
    }

    /// A write that is lost costs one query later.
    async fn set(&self, name: &str, value: Vec<u8>, keep_ms: u64) {
        match self {
            Self::Redis(redis) => drop(redis.set(name, value, keep_ms.cast_signed()).await),
            #[cfg(test)]
            Self::Model(model) => model.set(name, value, keep_ms).await,
        }
    }
}

impl SharedTier {
    /// Writes run on the runtime that this is called on, at most `writes_max` at once.
    pub fn new(values: Values, writes_max: usize) -> Self {
        Self { values, runtime: Handle::current(), writes: Arc::new(Semaphore::new(writes_max)) }
    }

    /// `None` where Redis has nothing, or nothing that can be read, or is not to be had.
    pub async fn get(&self, key: &str) -> Option<Entry> {
        let entry = self.values.get(&name(key)).await.and_then(decode);
        metrics::lookup(CacheTier::Redis, entry.is_some());
        entry
    }

    /// Stores an answer for `keep_ms` milliseconds, in the background: nobody waits for it, and
    /// where too many are on their way it is left out.
    pub fn set(&self, key: &str, entry: &Entry, keep_ms: u64) {
        let Ok(place) = self.writes.clone().try_acquire_owned() else { return };
        let (values, name, value) = (self.values.clone(), name(key), encode(entry));
        self.runtime.spawn(async move {
            values.set(&name, value, keep_ms).await;
            drop(place);
        });
    }
}

fn name(key: &str) -> String {
    format!("cache:{key}")
}

fn encode(entry: &Entry) -> Vec<u8> {
    let Answer { body, media, notes } = entry.answer();
    // A note that is longer than that is none that could be sent.
    let note = |note: Option<Bytes>| {
        note.filter(|note| u16::try_from(note.len()).is_ok()).unwrap_or_default()
    };
    let notes = [note(notes.link), note(notes.unknown)];
    let mut value =
        Vec::with_capacity(HEAD_BYTES + notes.iter().map(Bytes::len).sum::<usize>() + body.len());
    value.extend([FORMAT, media as u8]);
    notes.iter().for_each(|note| value.extend((note.len() as u16).to_be_bytes()));
    entry.times_ms().iter().for_each(|time| value.extend(time.to_be_bytes()));
    notes.iter().for_each(|note| value.extend_from_slice(note));
    value.extend_from_slice(&body);
    value
}

fn decode(value: Vec<u8>) -> Option<Entry> {
    let mut value = Bytes::from(value);
    if value.len() < HEAD_BYTES || value[0] != FORMAT {
        return None;
    }
    let head = value.split_to(HEAD_BYTES);
    let media = *Media::ALL.get(usize::from(head[1]))?;
    let time_ms =
        |at: usize| Some(u64::from_be_bytes(head[6 + at * 8..14 + at * 8].try_into().ok()?));
    let mut note = |at: usize| {
        let length = usize::from(u16::from_be_bytes([head[2 + at * 2], head[3 + at * 2]]));
        (length <= value.len())
            .then(|| Some(value.split_to(length)).filter(|note| !note.is_empty()))
    };
    let notes = CachedHeaders { link: note(0)?, unknown: note(1)? };
    let answer = Answer { body: value, media, notes };
    Some(Entry::stored(answer, time_ms(0)?, time_ms(1)?, time_ms(2)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Lifetime;
    use proptest::prelude::*;

    #[test]
    fn an_answer_survives_the_way_through_redis_with_its_times_and_tag() {
        let link = Some(Bytes::from_static(b"</next>; rel=\"next\""));
        let answer = Answer {
            body: Bytes::from_static(b"a\n1\n"),
            media: Media::Csv,
            notes: CachedHeaders { link, unknown: None },
        };
        let entry = Entry::new(answer.clone(), Lifetime { fresh_s: 60, revalidate_s: 6 }, 1000);
        let back = decode(encode(&entry)).unwrap();
        assert_eq!(back.times_ms(), [1000, 61_000, 67_000]);
        assert_eq!(back.answer(), answer);
        assert_eq!(back.variant(false).etag, entry.variant(false).etag);
    }

    #[test]
    fn what_another_version_wrote_is_no_answer() {
        for value in
            [vec![], vec![FORMAT; HEAD_BYTES - 1], vec![FORMAT + 1; 100], vec![FORMAT; 100]]
        {
            assert!(decode(value).is_none());
        }
    }

    proptest! {
        #[test]
        fn any_answer_survives_the_way_through_redis(
            body in prop::collection::vec(any::<u8>(), 0..200), media in prop::sample::select(&Media::ALL),
            notes in prop::array::uniform2(prop::option::of("[ -~]{1,300}")), times: [u32; 3]
        ) {
            let [link, unknown] = notes.map(|note| note.map(Bytes::from));
            let answer = Answer { body: body.into(), media, notes: CachedHeaders { link, unknown } };
            let times = times.map(u64::from);
            let back = decode(encode(&Entry::stored(answer.clone(), times[0], times[1], times[2]))).unwrap();
            prop_assert_eq!((back.answer(), back.times_ms()), (answer, times));
        }

        #[test]
        fn any_bytes_are_an_answer_or_none_without_a_panic(
            mut value in prop::collection::vec(any::<u8>(), 0..100), is_ours: bool, lengths in prop::array::uniform2(0u8..60)
        ) {
            // Notes that may be longer than what is there.
            if is_ours && value.len() >= 6 {
                value[..6].copy_from_slice(&[FORMAT, 0, 0, lengths[0], 0, lengths[1]]);
            }
            if let Some(entry) = decode(value.clone()) {
                prop_assert_eq!(encode(&entry), value);
            }
        }
    }
}
