//! Room for secrets that only argon2id can refuse: few of one key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::caller::KeyId;

/// Who floods us with wrong secrets of a key that has no hint yet is not to keep the keys of others out. More than one,
/// since of those who send them one may be its holder.
const OF_ONE_KEY_MAX: usize = 4;

#[derive(Default)]
pub struct Places {
    taken: Mutex<HashMap<KeyId, usize>>,
}

/// Room for one secret, until it is dropped.
pub struct Place {
    places: Arc<Places>,
    id: KeyId,
}

impl Places {
    /// `None` where there is no room.
    pub fn take(self: &Arc<Self>, id: KeyId) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this = taken.entry(id).or_default();
        if *of_this >= OF_ONE_KEY_MAX {
            return None;
        }
        *of_this += 1;
        Some(Place { places: self.clone(), id })
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
    fn there_is_room_for_few_of_one_key_and_for_others_beside_it_and_it_comes_back() {
        let places = Arc::<Places>::default();
        let (attacked, other) = ("000000000000".parse().unwrap(), "111111111111".parse().unwrap());
        let of_attacked: Vec<_> = (0..5).filter_map(|_| places.take(attacked)).collect();
        let of_other = places.take(other);
        assert!(of_attacked.len() == 4 && of_other.is_some());
        drop(of_attacked);
        assert!(places.take(attacked).is_some());
        drop(of_other);
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
