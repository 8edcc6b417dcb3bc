//! Addressed random numbers: a value depends on where it is used, never on what was drawn before.
//!
//! The generator is ChaCha8, keyed by blake3 over the address. Distributions are written out here,
//! because a library may change the values of its own in a minor release.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::digest::Hasher;

/// A short sequence of random numbers that belongs to one address.
///
/// ```
/// use stpp::base::stream::Stream;
/// let mut a = Stream::at(0, "flip", "teacher", 3, "img_07#0");
/// let mut b = Stream::at(0, "flip", "teacher", 3, "img_07#0");
/// assert_eq!(a.unit(), b.unit());
/// ```
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream at an address.
    ///
    /// `purpose` names the use ("crop", "init", "dropout"), `role` the model of the recipe that is trained,
    /// `item` what the number is for: image id and repeat index, a parameter's name, step and layer.
    /// Never the arm, a list position or a thread.
    pub fn at(seed: u64, purpose: &str, role: &str, epoch: u64, item: &str) -> Self {
        let key = Hasher::new("stpp stream v1")
            .number(seed)
            .field(purpose.as_bytes())
            .field(role.as_bytes())
            .number(epoch)
            .field(item.as_bytes())
            .finish();
        Self(ChaCha8Rng::from_seed(*key.as_bytes()))
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number in [0, 1) with 24 random bits.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 8) as f32 * (1.0 / (1 << 24) as f32)
    }

    /// A number in [0, 1) with 53 random bits.
    pub fn unit_f64(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A number in [low, high).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit_f64()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit_f64() < p
    }

    /// An integer in [0, n), without bias.
    ///
    /// # Panics
    /// When `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "an integer below 0 was asked for");
        let limit = u64::MAX - u64::MAX % n;
        loop {
            let value = self.0.next_u64();
            if value < limit {
                return value % n;
            }
        }
    }

    /// An integer in [low, high], both ends included.
    pub fn integer(&mut self, low: i64, high: i64) -> i64 {
        assert!(low <= high, "an integer in an empty range was asked for");
        low + self.below((high - low) as u64 + 1) as i64
    }

    /// A standard normal number (Box-Muller; the transcendental functions are those of the `libm` crate).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit_f64()));
        radius * libm::cos(std::f64::consts::TAU * self.unit_f64())
    }

    /// Puts the items in a uniformly random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Stream::at(7, "test", "teacher", 1, "item")
    }

    #[test]
    fn values_never_change() {
        let mut s = stream();
        let drawn =
            format!("{} {} {} {} {:.6}", s.bits(), s.unit(), s.below(1000), s.integer(-3, 3), s.normal());
        insta::assert_snapshot!(drawn);
        let mut order: Vec<u8> = (0..8).collect();
        s.shuffle(&mut order);
        insta::assert_debug_snapshot!("values_never_change_order", order);
    }

    #[test]
    fn every_part_of_the_address_matters() {
        let first = |s: &mut Stream| s.bits();
        let here = first(&mut stream());
        for mut other in [
            Stream::at(8, "test", "teacher", 1, "item"),
            Stream::at(7, "tess", "teacher", 1, "item"),
            Stream::at(7, "test", "student", 1, "item"),
            Stream::at(7, "test", "teacher", 2, "item"),
            Stream::at(7, "test", "teacher", 1, "iten"),
        ] {
            assert_ne!(here, first(&mut other));
        }
    }

    #[test]
    fn moments_are_right() {
        let mut s = stream();
        let n = 20_000;
        let units: f64 = (0..n).map(|_| f64::from(s.unit())).sum::<f64>() / f64::from(n);
        assert!((units - 0.5).abs() < 0.01, "mean of unit(): {units}");
        let normals: Vec<f64> = (0..n).map(|_| s.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let var = normals.iter().map(|v| v * v).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.03 && (var - 1.0).abs() < 0.05, "normal(): {mean} {var}");
    }
}
