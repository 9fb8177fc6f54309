//! Room for tokens that are seen for the first time: so many in all, and few of one id, or of all ids that nobody has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::caller::KeyId;

/// Whoever floods us with wrong secrets for an id, or with ids that nobody has, is not to keep the keys of others out. More
/// than one, since of those who send an id one may be its holder.
const OF_ONE_ID_MAX: usize = 4;

pub struct Places {
    /// By id; `None` for those that nobody has.
    taken: Mutex<HashMap<Option<KeyId>, usize>>,
    in_all_max: usize,
}

/// Room for one token, until it is dropped.
pub struct Place {
    places: Arc<Places>,
    id: Option<KeyId>,
}

impl Places {
    pub fn new(in_all_max: usize) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), in_all_max })
    }

    /// `None` where there is no room.
    pub fn take(self: &Arc<Self>, id: Option<KeyId>) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let in_all: usize = taken.values().sum();
        let of_this = taken.get(&id).copied().unwrap_or_default();
        if in_all >= self.in_all_max || of_this >= OF_ONE_ID_MAX {
            return None;
        }
        taken.insert(id, of_this + 1);
        Some(Place { places: self.clone(), id })
    }

    /// Those that are taken.
    pub fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.id) {
            Some(of_this) if *of_this > 1 => *of_this -= 1,
            _ => drop(taken.remove(&self.id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_in_all_and_few_of_one_id_and_it_comes_back() {
        let places = Places::new(6);
        let (attacked, other) = (Some("000000000000".parse().unwrap()), None);
        let of_attacked: Vec<_> = (0..5).filter_map(|_| places.take(attacked)).collect();
        let of_other: Vec<_> = (0..5).filter_map(|_| places.take(other)).collect();
        assert_eq!((of_attacked.len(), of_other.len(), places.taken()), (4, 2, 6));
        drop(of_attacked);
        assert_eq!(places.taken(), 2);
        assert!(places.take(attacked).is_some());
        drop(of_other);
        assert!(places.taken() == 0 && places.taken.lock().unwrap().is_empty());
    }
}
