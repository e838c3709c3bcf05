//! The keyed hash of the tables: who does not know the key cannot choose addresses that crowd one set.

/// The secret of one table's hash.
pub(super) struct HashKey([u64; 4]);

impl HashKey {
    /// The key that follows from `seed`, always the same one.
    pub(super) const fn from_seed(seed: u64) -> HashKey {
        let mut words = [0; 4];
        let mut state = seed;
        let mut i = 0;
        while i < words.len() {
            // splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators)
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            words[i] = z ^ (z >> 31);
            i += 1;
        }
        words[1] |= 1; // multipliers
        words[3] |= 1;
        HashKey(words)
    }

    /// The hash: every bit of the result depends on every bit of `value` and of the key.
    #[inline]
    pub(super) fn hash(&self, value: u64) -> u64 {
        let [k0, k1, k2, k3] = self.0;
        fold(fold(value ^ k0, k1) ^ k2, k3)
    }
}

/// Both halves of the product, as wyhash mixes.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_hash_and_another_seed_another() {
        let hash = |seed| HashKey::from_seed(seed).hash(0x0021_a056_2c19);
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }

    #[test]
    fn each_bit_of_the_value_flips_about_half_of_the_hash() {
        let key = HashKey::from_seed(7);
        for bit in 0..48 {
            let flipped: u32 = (0..1000u64)
                .map(|i| (key.hash(i << 20) ^ key.hash((i << 20) ^ (1 << bit))).count_ones())
                .sum();
            assert!((28_000..36_000).contains(&flipped), "bit {bit}: {flipped} of 64,000");
        }
    }
}
