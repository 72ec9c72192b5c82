//! Numbers distinct keys of a fixed number of words in the order in which they come.

/// A set of keys of `n_words` words each, numbered from 0 by first appearance.
///
/// Open addressing with linear probing: keys lie one after the other, so that millions of them cost their words
/// and eight bytes each, and no allocation of their own.
#[derive(Debug, Clone)]
pub(crate) struct WordTable {
    n_words: usize,
    keys: Vec<u64>,
    /// Number of the key in each slot or [`EMPTY`]; a power of two, at most half full.
    slots: Vec<u32>,
}

const EMPTY: u32 = u32::MAX;

/// Mixes all bits of a key into all bits of a word (multiply and shift, as in Fx and wyhash).
#[inline]
pub(crate) fn hash(key: &[u64]) -> u64 {
    key.iter().fold(0, |hash, &word| {
        let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ (mixed >> 29)
    })
}

impl WordTable {
    pub(crate) fn new(n_words: usize) -> Self {
        Self { n_words, keys: Vec::new(), slots: vec![EMPTY; 16] }
    }

    /// Forgets all keys and keeps the room.
    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.slots.fill(EMPTY);
    }

    /// Starts anew with room for just `n_keys` keys, so that few take little time after many.
    pub(crate) fn restart(&mut self, n_words: usize, n_keys: usize) {
        self.n_words = n_words;
        self.keys.clear();
        self.slots.clear();
        self.slots.resize((2 * n_keys + 2).next_power_of_two(), EMPTY);
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.keys.len() / self.n_words
    }

    /// All keys, one after the other.
    pub(crate) fn into_keys(self) -> Vec<u64> {
        self.keys
    }

    /// A key's words.
    pub(crate) fn key(&self, number: usize) -> &[u64] {
        &self.keys[number * self.n_words..][..self.n_words]
    }

    /// The number of `key`, with [`hash`] `hash`; a new one if it has none.
    #[inline]
    pub(crate) fn intern(&mut self, key: &[u64], hash: u64) -> u32 {
        match self.probe(key, hash) {
            Ok(number) => number,
            Err(slot) => self.add(key, slot),
        }
    }

    /// The number of `key`, if it has one.
    #[inline]
    pub(crate) fn get(&self, key: &[u64], hash: u64) -> Option<u32> {
        self.probe(key, hash).ok()
    }

    /// The key's number, or else the slot where it belongs.
    #[inline]
    fn probe(&self, key: &[u64], hash: u64) -> Result<u32, usize> {
        let last = self.slots.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits are wanted")]
        let mut slot = hash as usize & last;
        loop {
            let number = self.slots[slot];
            if number == EMPTY {
                return Err(slot);
            }
            if self.key(number as usize).iter().eq(key) {
                return Ok(number);
            }
            slot = (slot + 1) & last;
        }
    }

    fn add(&mut self, key: &[u64], slot: usize) -> u32 {
        let number = u32::try_from(self.len()).expect("fewer keys than samples");
        self.keys.extend_from_slice(key);
        self.slots[slot] = number;
        if 2 * self.len() > self.slots.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        let last = self.slots.len() * 2 - 1;
        let mut slots = vec![EMPTY; last + 1];
        for (number, key) in self.keys.chunks_exact(self.n_words).enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "numbers were given as u32")]
            let (mut slot, number) = (hash(key) as usize & last, number as u32);
            while slots[slot] != EMPTY {
                slot = (slot + 1) & last;
            }
            slots[slot] = number;
        }
        self.slots = slots;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_numbered_by_first_appearance(
            keys in prop::collection::vec([0..12u64, 0..12u64], 0..300),
        ) {
            let mut table = WordTable::new(2);
            let mut numbers: HashMap<[u64; 2], u32> = HashMap::new();
            for key in keys {
                let next = u32::try_from(numbers.len()).unwrap();
                let number = *numbers.entry(key).or_insert(next);
                prop_assert_eq!(table.get(&key, hash(&key)).is_some(), number != next);
                prop_assert_eq!(table.intern(&key, hash(&key)), number);
                prop_assert_eq!(table.key(number as usize), key);
            }
            prop_assert_eq!(table.len(), numbers.len());
        }
    }
}
