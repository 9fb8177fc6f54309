//! Random draws that do not change with an upgrade.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Draws from raw ChaCha8 words alone; the parent module's documentation gives the reason.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    /// Each stock of a seed has a stream of its own.
    pub(super) fn new(seed: u64, index: u32) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(u64::from(index));
        Self(generator)
    }

    /// Uniform in `low..high`, in steps of 2⁻⁵³ of the range.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * unit
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.between(0.0, 1.0) < probability
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Uniform in `0..bound`: the high word of a product. Its bias, `bound` in 2^64, is negligible.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Nearly normal with mean 0 and standard deviation 1, within ±√12: the sum of four uniform
    /// draws of variance 1/12 each (Irwin-Hall distribution). The bound keeps every price above
    /// zero.
    pub(super) fn normal(&mut self) -> f64 {
        let word = self.0.next_u64();
        let sum: u64 = (0..4).map(|part| (word >> (16 * part)) & 0xffff).sum();
        // The mean of the sum is 4 * 65535 / 2, and the factor √3 scales its variance 4/12 to 1.
        (sum as f64 - 131_070.0) / 65_536.0 * 3.0_f64.sqrt()
    }
}
