//! One-to-one matching of maximal total weight.

use ndarray::ArrayView2;
use pathfinding::{kuhn_munkres::kuhn_munkres, matrix::Matrix};

/// Matches rows to columns one to one so that the total weight is as large as can be (Hungarian method: Kuhn,
/// 1955; Munkres, 1957).
///
/// As many as possible are matched, the smaller of the two numbers. What is left once all pairs that have
/// weight are chosen is matched in ascending order, the lowest free row with the lowest free column.
///
/// # Arguments
///
/// * `weights`: shape (rows, columns), any shape.
///
/// # Returns
///
/// The column of each row, length rows; `None` for rows that have no partner (only if rows exceed columns).
///
/// # Complexity
///
/// O(max(rows, columns)³).
///
/// # Example
///
/// ```
/// use consilience_graph::maximum_matching;
/// use ndarray::array;
///
/// let overlap = array![[7, 9], [2, 8], [1, 0]];
/// assert_eq!(maximum_matching(overlap.view()), [Some(0), Some(1), None]);
/// ```
#[must_use]
pub fn maximum_matching(weights: ArrayView2<'_, u64>) -> Vec<Option<usize>> {
    let (rows, columns) = weights.dim();
    if rows == 0 || columns == 0 {
        return vec![None; rows];
    }
    // kuhn_munkres panics if rows exceed columns; columns of zeros change no total. i128: the sum of any
    // number of u64 weights that fits memory.
    let width = rows.max(columns);
    let padded = Matrix::from_fn(rows, width, |(row, column)| {
        weights.get((row, column)).map_or(0, |&weight| i128::from(weight))
    });
    let (_, partners) = kuhn_munkres(&padded);
    let mut matching: Vec<Option<usize>> = partners
        .into_iter()
        .enumerate()
        .map(|(row, column)| (column < columns && weights[(row, column)] > 0).then_some(column))
        .collect();
    complete(&mut matching, columns);
    matching
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
    use proptest::prelude::*;

    use super::*;

    /// The largest total over all ways of matching rows from `row` on.
    fn best_total(weights: &Array2<u64>, row: usize, used: &mut Vec<bool>) -> u64 {
        if row == weights.nrows() {
            return 0;
        }
        let mut best = best_total(weights, row + 1, used);
        for column in 0..weights.ncols() {
            if !used[column] {
                used[column] = true;
                best = best.max(weights[(row, column)] + best_total(weights, row + 1, used));
                used[column] = false;
            }
        }
        best
    }

    fn weights() -> impl Strategy<Value = Array2<u64>> {
        (0..6usize, 0..6usize).prop_flat_map(|(rows, columns)| {
            let weight = prop_oneof![Just(0), 0..4u64, 0..1000u64];
            prop::collection::vec(weight, rows * columns)
                .prop_map(move |flat| Array2::from_shape_vec((rows, columns), flat).unwrap())
        })
    }

    proptest! {
        #[test]
        fn total_equals_brute_force(weights in weights()) {
            let matching = maximum_matching(weights.view());
            let pairs: Vec<_> = matching.iter().enumerate().filter_map(|(r, c)| Some((r, (*c)?))).collect();
            let mut columns: Vec<_> = pairs.iter().map(|pair| pair.1).collect();
            columns.sort_unstable();
            columns.dedup();
            prop_assert_eq!(columns.len(), pairs.len(), "one to one");
            prop_assert_eq!(pairs.len(), weights.nrows().min(weights.ncols()), "as many as possible");
            let total: u64 = pairs.iter().map(|&pair| weights[pair]).sum();
            prop_assert_eq!(total, best_total(&weights, 0, &mut vec![false; weights.ncols()]));
        }
    }

    #[test]
    fn pairs_without_weight_are_matched_in_ascending_order() {
        let weights = ndarray::array![[0, 0, 0], [0, 5, 0], [0, 0, 0]];
        assert_eq!(maximum_matching(weights.view()), [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn large_weights_do_not_overflow() {
        let weights = ndarray::array![[u64::MAX, 1], [u64::MAX, 0]];
        assert_eq!(maximum_matching(weights.view()), [Some(1), Some(0)]);
    }
}
