//! Nearest neighbours of sparse rows by an inverted index of their columns: exact, but for rounding.
//!
//! Every column knows the rows that have a value in it (J. Zobel and A. Moffat, *Inverted Files for Text Search Engines*, ACM Computing Surveys 38, 2006). A row's
//! products with all others are added up column by column; rows that share none aren't looked at. Columns that many rows have are kept dense: to add all of
//! a vector takes less time than to look up a quarter of it.

use consilience_data::SparseRows;
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::elementary::vectorised;
use crate::preparation::exact_search::{Candidates, Found, Nearest};
use crate::progress::{Progress, go_on};

/// Samples whose neighbours are sought at a time, and samples among which: their products lie in a core's first cache.
const QUERIES: usize = 256;
const CANDIDATES: usize = 8192;
/// A column is kept dense if one of so many candidates has it.
const COMMON: usize = 4;

/// Samples among which neighbours are sought, by Euclidean distance.
pub(crate) struct SparseSearch<'a> {
    rows: &'a SparseRows,
    squared_lengths: Vec<f32>,
    blocks: Vec<Block<'a>>,
}

/// Some candidates, by their columns.
struct Block<'a> {
    ids: &'a [u32],
    squared_lengths: Vec<f32>,
    /// Where each column's entries start, length n_features + 1. Columns that are kept dense have none.
    starts: Vec<u32>,
    /// Which candidates have a value in the column, ascending, and what.
    places: Vec<u16>,
    values: Vec<f32>,
    /// Columns that are kept dense, ascending, and their values of all candidates, one after the other.
    common: Vec<u32>,
    dense: Vec<f32>,
}

impl<'a> SparseSearch<'a> {
    /// `among`: samples that can be found, ascending. O(values), and O(n_features) for every 8,192 of them; memory for the values once more, and 8 times
    /// more in columns that are kept dense.
    pub(crate) fn new(rows: &'a SparseRows, among: &'a [u32]) -> Self {
        // In the order in which products are added up: what is equal has a distance of 0.
        let length = |row| rows.entries(row).fold(0.0_f32, |sum, (_, value)| sum + value * value);
        let squared_lengths: Vec<f32> = (0..rows.n_samples()).map(length).collect();
        let block = |ids: &'a [u32]| Block::new(rows, ids, &squared_lengths);
        let blocks = among.par_chunks(CANDIDATES).map(block).collect();
        Self { rows, squared_lengths, blocks }
    }

    /// The `count` nearest others of each of `queries`, nearest first (ties: the lowest sample), on the threads of the current
    /// pool; given up if `progress` says so. O(products of values in one column), and memory O(queries count).
    pub(crate) fn of_samples(
        &self,
        queries: &[u32],
        count: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Found>>, EnsembleError> {
        let some = |queries: &[u32]| {
            let mut nearest = vec![Nearest::new(count); queries.len()];
            let mut products = vec![0.0; CANDIDATES];
            for block in &self.blocks {
                go_on(progress)?;
                for (&query, nearest) in queries.iter().zip(&mut nearest) {
                    block.products(self.rows.row(query as usize), &mut products);
                    let (ids, squared_lengths) = (block.ids, &block.squared_lengths[..]);
                    let candidates = Candidates { ids, squared_lengths, except: Some(query) };
                    let length = self.squared_lengths[query as usize];
                    nearest.look_at(&candidates, length, &products[..ids.len()]);
                }
            }
            Ok(nearest.into_iter().map(Nearest::into_found).collect::<Vec<_>>())
        };
        let found: Result<Vec<_>, EnsembleError> = queries.par_chunks(QUERIES).map(some).collect();
        Ok(found?.concat())
    }

    /// Of some samples, the `k` nearest of the candidates of each, by the same distances. O(values of the candidates), and O(n_features).
    pub(crate) fn ranked(
        &self,
        samples: &[u32],
        candidates: Vec<Vec<Found>>,
        k: usize,
    ) -> Vec<Vec<Found>> {
        let mut own = vec![0.0; self.rows.n_features()];
        let nearest = |(&sample, candidates): (&u32, Vec<Found>)| {
            self.rows.put(sample as usize, &mut own);
            let mut nearest = Nearest::new(k);
            for (_, other) in candidates {
                let entries = self.rows.entries(other as usize);
                // Of columns that the sample doesn't have, zeros are added.
                let product = entries.fold(0.0, |sum, (column, value)| sum + own[column] * value);
                let lengths = [sample, other].map(|it| self.squared_lengths[it as usize]);
                nearest.insert(((lengths[0] + lengths[1]) - 2.0 * product, other));
            }
            self.rows.entries(sample as usize).for_each(|(column, _)| own[column] = 0.0);
            nearest.into_found()
        };
        samples.iter().zip(candidates).map(nearest).collect()
    }
}

/// Products of values in one column that all distances take, and a comparison for each pair.
#[expect(clippy::cast_precision_loss, reason = "about so many")]
pub(crate) fn n_products(rows: &SparseRows, among: &[u32]) -> f64 {
    let mut counts = vec![0_u32; rows.n_features()];
    let columns = |&sample: &u32| rows.row(sample as usize).0;
    among.iter().flat_map(columns).for_each(|&column| counts[column as usize] += 1);
    let in_columns: f64 = counts.into_iter().map(|count| f64::from(count).powi(2)).sum();
    in_columns + (among.len() as f64).powi(2)
}

impl<'a> Block<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "8,192 candidates of u32 columns")]
    fn new(rows: &SparseRows, ids: &'a [u32], squared_lengths: &[f32]) -> Self {
        let width = rows.n_features();
        let mut counts = vec![0_u32; width];
        let columns = |&id: &u32| rows.row(id as usize).0;
        ids.iter().flat_map(columns).for_each(|&column| counts[column as usize] += 1);
        let is_common = |count: u32| count as usize * COMMON >= CANDIDATES;
        let mut starts = Vec::with_capacity(width + 1);
        let (mut common, mut start) = (Vec::new(), 0);
        for (column, &count) in (0..).zip(&counts) {
            starts.push(start);
            if is_common(count) {
                common.push(column);
            } else {
                start += count;
            }
        }
        starts.push(start);
        let mut next = starts.clone();
        let (mut places, mut values) = (vec![0; start as usize], vec![0.0; start as usize]);
        let mut dense = vec![0.0; common.len() * CANDIDATES];
        for (place, &id) in ids.iter().enumerate() {
            for (column, value) in rows.entries(id as usize) {
                if is_common(counts[column]) {
                    let at = common.partition_point(|&other| (other as usize) < column);
                    dense[at * CANDIDATES + place] = value;
                } else {
                    let entry = next[column] as usize;
                    (places[entry], values[entry]) = (place as u16, value);
                    next[column] += 1;
                }
            }
        }
        let squared_lengths = ids.iter().map(|&id| squared_lengths[id as usize]).collect();
        Self { ids, squared_lengths, starts, places, values, common, dense }
    }

    /// The products of a row with all candidates, in place of what was in `products`, length [`CANDIDATES`].
    fn products(&self, (columns, values): (&[u32], &[f32]), products: &mut [f32]) {
        products.fill(0.0);
        for (&column, &value) in columns.iter().zip(values) {
            let entries =
                self.starts[column as usize] as usize..self.starts[column as usize + 1] as usize;
            if !entries.is_empty() {
                let others = self.places[entries.clone()].iter().zip(&self.values[entries]);
                others.for_each(|(&place, &other)| products[place as usize] += value * other);
            } else if let Ok(at) = self.common.binary_search(&column) {
                let others = &self.dense[at * CANDIDATES..(at + 1) * CANDIDATES];
                vectorised(
                    #[inline(always)]
                    || {
                        let pairs = products.iter_mut().zip(others);
                        pairs.for_each(|(product, &other)| *product += value * other);
                    },
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};

    use super::*;

    /// Rows of which the first columns are common, and the last rare; some rows twice, some empty.
    fn rows(n: usize) -> SparseRows {
        let draws = Seed(5).rng(Stream::Subset).normal(n * 12);
        let mut rows = SparseRows::with_capacity(n, 0, 3000);
        for row in 0..n {
            let draws = &draws[row / 2 * 24..][..12];
            let column = |draw: &f32| 3000.0 * (-3.0 * draw.abs()).exp();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a column")]
            let mut columns: Vec<u32> = draws.iter().map(|draw| column(draw) as u32).collect();
            if row % 100 == 7 {
                columns.clear();
            } else if row % 3 != 0 {
                columns.extend([0, 1]);
            }
            columns.sort_unstable();
            columns.dedup();
            let value = |column: u32| 1.0 + (column % 7) as f32 / 3.0;
            rows.push(columns.into_iter().map(|column| (column, value(column))));
        }
        rows
    }

    #[test]
    fn equals_sorting_all_distances() {
        let n = CANDIDATES + 900;
        let rows = rows(n);
        #[expect(clippy::cast_possible_truncation, reason = "a few samples")]
        let among: Vec<u32> = (0..n as u32).filter(|sample| sample % 100 != 7).collect();
        let search = SparseSearch::new(&rows, &among);
        assert!(!search.blocks[0].common.is_empty() && !search.blocks[0].places.is_empty());
        #[expect(clippy::cast_possible_truncation, reason = "a few samples")]
        let queries: Vec<u32> = (0..n as u32).step_by(61).collect();
        let found = search.of_samples(&queries, 10, &()).unwrap();
        let dense = |sample: u32| {
            let mut dense = vec![0.0; 3000];
            rows.put(sample as usize, &mut dense);
            dense
        };
        for (&query, found) in queries.iter().zip(&found) {
            let own = dense(query);
            let distance = |&other: &u32| {
                let pairs = own.iter().zip(dense(other));
                let squared = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
                (squared, other)
            };
            let others = among.iter().filter(|&&other| other != query);
            let mut expected: Vec<(f64, u32)> = others.map(distance).collect();
            expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for (found, expected) in found.iter().zip(&expected) {
                assert!((f64::from(found.0) - expected.0).abs() < 1e-3, "sample {query}");
                if expected.0 == 0.0 {
                    assert_eq!(*found, (0.0, expected.1), "equal rows, the lowest first");
                }
            }
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let again = pool
            .install(|| SparseSearch::new(&rows, &among).of_samples(&queries, 10, &()).unwrap());
        assert_eq!(found, again, "threads");
        // Candidates in another order, and some that are none.
        let mut candidates = found.clone();
        candidates.iter_mut().for_each(|found| {
            found.reverse();
            found.extend([(0.0, 1), (0.0, 2)]);
            let mut seen = std::collections::BTreeSet::new();
            found.retain(|&(_, other)| seen.insert(other));
        });
        let ranked = search.ranked(&queries, candidates, 10);
        let same = ranked.iter().zip(&found).zip(&queries);
        let mut same = same.filter(|&(_, &query)| query > 2);
        assert!(same.all(|((ranked, found), _)| ranked == found));
        // Counted by hand: two rows have the first column, one the second.
        let mut few = SparseRows::with_capacity(3, 0, 2);
        few.push([(0, 1.0), (1, 1.0)]);
        few.push([(0, 2.0)]);
        few.push([(1, 2.0)]);
        assert_eq!((n_products(&few, &[0, 1]), n_products(&few, &[0, 1, 2])), (9.0, 17.0));
    }
}
