//! One-to-one matching of maximal total weight.

use std::{cmp::Reverse, collections::BinaryHeap};

use consilience_data::{Cell, Contingency};

/// Matches the clusters of two clusterings one to one so that the matched ones share as many samples as can be.
///
/// The assignment problem (Kuhn's Hungarian method, 1955), solved on the cells that hold samples alone: clusters of the first
/// are added one by one, each by the shortest augmenting path (Jonker and Volgenant, *A Shortest Augmenting Path Algorithm for
/// Dense and Sparse Linear Assignment Problems*, Computing 38, 1987). Ties: the path that ends in the lowest cluster.
///
/// As many as possible are matched, the smaller of the two numbers. What is left once all pairs that share samples are
/// chosen is matched in ascending order, the lowest free cluster of the first with the lowest free one of the second.
///
/// # Returns
///
/// The partner of each cluster of the first clustering; `None` for those that have none (only if they are more).
///
/// # Complexity
///
/// For a clusters of the first, and c cells: O(a c log c) at worst; a path looks no further than clusters that compete
/// for one another's partners, so that clusterings that mostly agree take about O(c log c). Memory: O(c).
///
/// # Example
///
/// ```
/// use consilience_data::Contingency;
/// use consilience_graph::maximum_matching;
///
/// let overlap = [((0, 0), 7), ((0, 1), 9), ((1, 0), 2), ((1, 1), 8), ((2, 0), 1)];
/// let overlap = Contingency::weigh(overlap, 3, 2);
/// assert_eq!(maximum_matching(&overlap), [Some(0), Some(1), None]);
/// ```
#[must_use]
pub fn maximum_matching(overlap: &Contingency) -> Vec<Option<usize>> {
    let mut assignment = Assignment::new(overlap);
    for row in 0..assignment.rows.len() {
        assignment.add(row);
    }
    let mut matching = assignment.column_of;
    complete(&mut matching, overlap.dim().1);
    matching
}

/// A matching of the rows that have been added, and the prices of columns that show that none is better.
///
/// A row's gain from a column is its weight less the column's price; from having no column, 0. Every row that has been added
/// has what it gains most from, and columns without a row are free of charge. i128: prices are sums of weights.
struct Assignment<'a> {
    /// The cells of each row.
    rows: Vec<&'a [Cell]>,
    column_of: Vec<Option<usize>>,
    row_of: Vec<Option<usize>>,
    prices: Vec<i128>,
    /// What is known of the columns in the search for a path.
    search: Search,
}

/// The shortest paths from a new row to columns. A path's length is what the others lose by it, less what the new row gains.
struct Search {
    lengths: Vec<i128>,
    /// The row from which a column is reached.
    from: Vec<usize>,
    /// Whether a column was reached in this search; all others' entries are of earlier ones.
    reached: Vec<bool>,
    /// The columns that were reached, and those whose length is final.
    touched: Vec<usize>,
    settled: Vec<usize>,
    border: BinaryHeap<Reverse<(i128, usize)>>,
}

/// Where a path ends.
#[derive(Clone, Copy)]
enum End {
    /// In a column without a row.
    Free(usize),
    /// In a row that goes without a column.
    Without(usize),
}

impl<'a> Assignment<'a> {
    fn new(overlap: &'a Contingency) -> Self {
        let (n_rows, n_columns) = overlap.dim();
        Self {
            rows: overlap.rows().collect(),
            column_of: vec![None; n_rows],
            row_of: vec![None; n_columns],
            prices: vec![0; n_columns],
            search: Search {
                lengths: vec![0; n_columns],
                from: vec![0; n_columns],
                reached: vec![false; n_columns],
                touched: Vec::new(),
                settled: Vec::new(),
                border: BinaryHeap::new(),
            },
        }
    }

    /// Adds a row, and moves others along the shortest path if that is better.
    fn add(&mut self, new: usize) {
        let (end, length) = self.shortest_path(new);
        // Those on the way there pay as much more as the path is longer.
        for &column in &self.search.settled {
            self.prices[column] += length - self.search.lengths[column];
        }
        let mut column = match end {
            End::Free(column) => column,
            End::Without(row) => {
                let Some(column) = self.column_of[row].take() else { return };
                column
            }
        };
        loop {
            let row = self.search.from[column];
            self.row_of[column] = Some(row);
            // Only the new row had none before.
            match self.column_of[row].replace(column) {
                Some(before) => column = before,
                None => return,
            }
        }
    }

    /// Dijkstra's algorithm, over columns; lengths are not negative but for what the new row gains, which all have in common.
    fn shortest_path(&mut self, new: usize) -> (End, i128) {
        self.search.clear();
        let (mut row, mut length, mut gain) = (new, 0, 0);
        let mut without = (End::Without(new), 0);
        loop {
            for cell in self.rows[row] {
                let gained = i128::from(cell.n_samples) - self.prices[cell.second];
                self.search.reach(cell.second, length + gain - gained, row);
            }
            match self.search.settle() {
                Some((column, nearest)) if nearest <= without.1 => {
                    let Some(owner) = self.row_of[column] else {
                        return (End::Free(column), nearest);
                    };
                    self.search.settled.push(column);
                    (row, length) = (owner, nearest);
                    gain = self.gain(owner, column);
                    if length + gain < without.1 {
                        without = (End::Without(owner), length + gain);
                    }
                }
                _ => return without,
            }
        }
    }

    /// What `row` gains from its own column.
    fn gain(&self, row: usize, column: usize) -> i128 {
        let cells = self.rows[row];
        let cell = cells.binary_search_by_key(&column, |cell| cell.second);
        let weight = cell.map_or(0, |place| cells[place].n_samples);
        i128::from(weight) - self.prices[column]
    }
}

impl Search {
    fn clear(&mut self) {
        self.touched.drain(..).for_each(|column| self.reached[column] = false);
        self.settled.clear();
        self.border.clear();
    }

    fn reach(&mut self, column: usize, length: i128, from: usize) {
        if !self.reached[column] {
            self.reached[column] = true;
            self.touched.push(column);
        } else if self.lengths[column] <= length {
            return;
        }
        (self.lengths[column], self.from[column]) = (length, from);
        self.border.push(Reverse((length, column)));
    }

    /// The nearest column that hasn't been settled, with its length.
    fn settle(&mut self) -> Option<(usize, i128)> {
        while let Some(Reverse((length, column))) = self.border.pop() {
            // Columns that were reached by a shorter path later are in it twice.
            if length == self.lengths[column] {
                return Some((column, length));
            }
        }
        None
    }
}

/// Gives free rows the free columns, in ascending order.
fn complete(matching: &mut [Option<usize>], columns: usize) {
    let mut free = vec![true; columns];
    for &column in matching.iter().flatten() {
        free[column] = false;
    }
    let mut free = (0..columns).filter(|&column| free[column]);
    for partner in matching.iter_mut().filter(|partner| partner.is_none()) {
        *partner = free.next();
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use pathfinding::{kuhn_munkres::kuhn_munkres, matrix::Matrix};
    use proptest::prelude::*;

    use super::*;

    fn matching(weights: &Array2<u64>) -> Vec<Option<usize>> {
        let cells = weights.indexed_iter().map(|(pair, &weight)| (pair, weight));
        maximum_matching(&Contingency::weigh(cells, weights.nrows(), weights.ncols()))
    }

    /// The Hungarian method on the whole table, padded with zeros to a square.
    fn dense_total(weights: &Array2<u64>) -> i128 {
        let side = weights.nrows().max(weights.ncols());
        let weight = |pair| weights.get(pair).map_or(0, |&weight| i128::from(weight));
        kuhn_munkres(&Matrix::from_fn(side, side, weight)).0
    }

    /// Many zeros, and many ties.
    fn weights() -> impl Strategy<Value = Array2<u64>> {
        (0..30usize, 0..30usize).prop_flat_map(|(rows, columns)| {
            let weight = prop_oneof![3 => Just(0), 1 => 1..4u64, 1 => 0..1000u64];
            prop::collection::vec(weight, rows * columns)
                .prop_map(move |flat| Array2::from_shape_vec((rows, columns), flat).unwrap())
        })
    }

    proptest! {
        #[test]
        fn total_equals_the_dense_hungarian(weights in weights()) {
            let matching = matching(&weights);
            let pairs: Vec<_> = matching.iter().enumerate().filter_map(|(r, c)| Some((r, (*c)?))).collect();
            let mut columns: Vec<_> = pairs.iter().map(|pair| pair.1).collect();
            columns.sort_unstable();
            columns.dedup();
            prop_assert_eq!(columns.len(), pairs.len(), "one to one");
            prop_assert_eq!(pairs.len(), weights.nrows().min(weights.ncols()), "as many as possible");
            let total: u64 = pairs.iter().map(|&pair| weights[pair]).sum();
            prop_assert_eq!(i128::from(total), dense_total(&weights));
        }
    }

    #[test]
    fn pairs_without_weight_are_matched_in_ascending_order() {
        let weights = ndarray::array![[0, 0, 0], [0, 5, 0], [0, 0, 0]];
        assert_eq!(matching(&weights), [Some(0), Some(1), Some(2)]);
        assert_eq!(matching(&weights.slice_move(ndarray::s![.., ..0])), [None; 3]);
    }

    #[test]
    fn ties_go_to_the_lowest() {
        assert_eq!(matching(&ndarray::array![[3, 3], [3, 3]]), [Some(0), Some(1)]);
        assert_eq!(matching(&ndarray::array![[3], [3]]), [Some(0), None]);
    }

    #[test]
    fn large_weights_do_not_overflow() {
        assert_eq!(matching(&ndarray::array![[u64::MAX, 1], [u64::MAX, 0]]), [Some(1), Some(0)]);
    }

    /// A table of them would take 80 GB, and the Hungarian method hours.
    #[test]
    fn a_hundred_thousand_clusters_are_matched() {
        let n = 100_000;
        let pairs = (0..n).map(|at| (at, at * 7919 % n));
        let matching = maximum_matching(&Contingency::count(pairs.clone(), n, n));
        assert!(pairs.zip(&matching).all(|((_, column), &found)| found == Some(column)));
    }

    /// Every cluster shares some samples with twenty others.
    #[test]
    fn thousands_of_clusters_that_mostly_agree_are_matched() {
        let k = 5000;
        let cells = (0..k).flat_map(|row| {
            let others = (0..20).map(move |at| ((row, (row * 31 + at * 977) % k), 1));
            std::iter::once(((row, row), 50)).chain(others)
        });
        let matching = maximum_matching(&Contingency::weigh(cells, k, k));
        assert!(matching.iter().enumerate().all(|(row, &column)| column == Some(row)));
    }
}
