//! By how many instances a limit is divided while Redis is lost.

use std::collections::VecDeque;

/// How long an instance that is no longer seen keeps its share. One that has lost Redis is seen no
/// more, and goes on admitting: whoever loses it minutes later must not take that share as well.
const MISSED_FOR_MS: u64 = 5 * 60_000;

/// What was counted lately. Every count but the last is larger than all that came after it.
#[derive(Default)]
pub(super) struct InstanceCount(VecDeque<Count>);

struct Count {
    at_ms: u64,
    instances: u32,
}

impl InstanceCount {
    /// Takes in how many instances there are now, and returns the most of the last
    /// [`MISSED_FOR_MS`].
    pub(super) fn count(&mut self, now_ms: u64, instances: u32) -> u32 {
        while self.0.back().is_some_and(|count| count.instances <= instances) {
            self.0.pop_back();
        }
        self.0.push_back(Count { at_ms: now_ms, instances });
        while self.0.front().is_some_and(|count| count.at_ms + MISSED_FOR_MS < now_ms) {
            self.0.pop_front();
        }
        self.0.front().map_or(instances, |most| most.instances)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_instance_that_is_seen_no_more_keeps_its_share_for_five_minutes() {
        let mut instance_count = InstanceCount::default();
        assert_eq!(instance_count.count(0, 2), 2);
        assert_eq!(instance_count.count(10_000, 1), 2);
        assert_eq!(instance_count.count(300_000, 1), 2);
        assert_eq!(instance_count.count(300_001, 1), 1);
        assert_eq!(instance_count.count(310_000, 3), 3, "one that comes counts at once");
    }

    proptest! {
        #[test]
        fn the_most_of_the_last_minutes_is_what_a_plain_log_says(
            counts in prop::collection::vec((0u64..100_000, 1u32..10), 1..200),
        ) {
            let (mut instance_count, mut log, mut now_ms) = (InstanceCount::default(), Vec::new(), 0);
            for (wait_ms, instances) in counts {
                now_ms += wait_ms;
                log.push((now_ms, instances));
                let lately = log.iter().filter(|(at_ms, _)| at_ms + MISSED_FOR_MS >= now_ms);
                prop_assert_eq!(instance_count.count(now_ms, instances), lately.map(|(_, seen)| *seen).max().unwrap());
            }
        }
    }
}
