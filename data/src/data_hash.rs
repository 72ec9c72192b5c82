//! A hash of features, to tell whether data are those of a run.

use xxhash_rust::xxh3::Xxh3;

use crate::Features;

/// A hash of rows, taken one chunk after the other.
///
/// It is one of what is clustered, whatever file it came from: of the number of features and each value as a 32-bit float, row
/// after row. Where chunks begin and end changes nothing; the order of rows does. XXH3 with 128 bits: not against people who
/// forge data, but as fast as memory, so that it can be taken of every run.
#[derive(Clone, Default)]
pub struct DataHash {
    hasher: Xxh3,
    is_started: bool,
}

impl std::fmt::Debug for DataHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("DataHash").field(&self.finish()).finish()
    }
}

impl DataHash {
    /// The hash of all features.
    #[must_use]
    pub fn of(features: &Features) -> String {
        let mut hash = Self::default();
        hash.push(features);
        hash.finish()
    }

    /// Adds rows.
    pub fn push(&mut self, features: &Features) {
        if !std::mem::replace(&mut self.is_started, true) {
            self.hasher.update(&(features.n_features() as u64).to_le_bytes());
        }
        let mut bytes = Vec::with_capacity(4 * features.n_features());
        if let Some(rows) = features.as_sparse() {
            // Zeros, into which each row is put and taken out again.
            bytes.resize(4 * rows.n_features(), 0);
            for sample in 0..rows.n_samples() {
                for (column, value) in rows.entries(sample) {
                    bytes[4 * column..][..4].copy_from_slice(&value.to_le_bytes());
                }
                self.hasher.update(&bytes);
                rows.entries(sample).for_each(|(column, _)| bytes[4 * column..][..4].fill(0));
            }
            return;
        }
        for sample in 0..features.n_samples() {
            bytes.clear();
            // Adding zero makes -0.0 and 0.0 the same bits.
            let bits = features.row(sample).iter().map(|value| (value + 0.0).to_le_bytes());
            bytes.extend(bits.flatten());
            self.hasher.update(&bytes);
        }
    }

    /// The hash of the rows so far, such as `xxh3:` and 32 hexadecimal digits.
    #[must_use]
    pub fn finish(&self) -> String {
        format!("xxh3:{:032x}", self.hasher.digest128())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;
    use crate::SparseRows;

    fn features(values: Array2<f32>) -> Features {
        Features::new(values, "test").unwrap()
    }

    #[test]
    fn chunks_do_not_matter_but_order_and_width_do() {
        let all = array![[0.0, 1.0], [2.0, -3.0], [4.0, 5.0]];
        let whole = DataHash::of(&features(all.clone()));
        let mut hash = DataHash::default();
        hash.push(&features(all.slice(s![..1, ..]).to_owned()));
        hash.push(&features(all.slice(s![1.., ..]).to_owned()));
        assert_eq!(hash.finish(), whole);
        assert_eq!(DataHash::of(&features(array![[-0.0, 1.0], [2.0, -3.0], [4.0, 5.0]])), whole);
        let mut rows = SparseRows::with_capacity(3, 5, 2);
        all.rows().into_iter().for_each(|row| rows.push((0..).zip(row.iter().copied())));
        assert_eq!(DataHash::of(&Features::sparse(rows, "test").unwrap()), whole);
        for other in [
            array![[2.0, -3.0], [0.0, 1.0], [4.0, 5.0]],
            array![[0.0, 1.0, 2.0], [-3.0, 4.0, 5.0]],
            array![[0.0, 1.0], [2.0, -3.0], [4.0, 5.000_001]],
        ] {
            assert_ne!(DataHash::of(&features(other)), whole);
        }
    }
}
