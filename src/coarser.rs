//! What joins clusters that no model ever put together: how near they are.

use consilience_data::{Assignments, Features, Votes};
use ndarray::Array2;

/// Levels, at most: each is a voter.
const MOST_LEVELS: usize = 64;
/// Distances between more clusters take too long.
const MOST_CLUSTERS: usize = 1000;

/// Voters that put clusters together, from K - 1 down to 2 groups, by Ward's method: those are joined first that add least to the squared distances of samples to
/// the means of their groups. Average linkage would leave the outermost clusters alone and join all others. `None` if there is nothing to put together, or too
/// much.
///
/// # Arguments
///
/// * `seen`: features as models see them, shape (n_samples, n_features).
///
/// # Complexity
///
/// O(n d + K² d + K³).
pub(crate) fn coarser(found: &Assignments, seen: &Features) -> Option<Votes> {
    let k = found.n_clusters();
    if !(3..=MOST_CLUSTERS).contains(&k) {
        return None;
    }
    let levels = groups(costs(found, seen), &found.sizes());
    let step = levels.len().div_ceil(MOST_LEVELS);
    let levels: Vec<Vec<u16>> = levels.into_iter().rev().step_by(step).collect();
    let of_sample =
        |(level, sample): (usize, usize)| levels[level][found.clusters()[sample].index()];
    let clusters = Array2::from_shape_fn((levels.len(), found.n_samples()), of_sample);
    let sure = Array2::ones(clusters.raw_dim());
    Votes::new(clusters, sure).ok()
}

/// What joining each two clusters would add to the squared distances, shape (K, K).
#[expect(clippy::cast_precision_loss, reason = "numbers of samples")]
fn costs(found: &Assignments, seen: &Features) -> Array2<f64> {
    let (k, width) = (found.n_clusters(), seen.n_features());
    let sizes = found.sizes();
    let mut means = Array2::<f64>::zeros((k, width));
    for (sample, cluster) in found.clusters().iter().enumerate() {
        let share = 1.0 / sizes[cluster.index()] as f64;
        let mean = means.row_mut(cluster.index());
        mean.into_iter()
            .zip(seen.row(sample))
            .for_each(|(mean, &it)| *mean += share * f64::from(it));
    }
    let squared = |a: usize, b: usize| {
        means.row(a).iter().zip(means.row(b)).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
    };
    let cost = |(a, b): (usize, usize)| {
        let (own, other) = (sizes[a] as f64, sizes[b] as f64);
        squared(a, b) * own * other / (own + other).max(1.0)
    };
    Array2::from_shape_fn((k, k), cost)
}

/// The group of each cluster with K - 1, ..., 2 groups, numbered by their first clusters. Of equally near groups the first are joined.
/// Costs change as Lance and Williams have it (*The Computer Journal* 9, 1967).
#[expect(clippy::cast_precision_loss, reason = "numbers of samples")]
fn groups(mut apart: Array2<f64>, sizes: &[usize]) -> Vec<Vec<u16>> {
    let k = sizes.len();
    let mut sizes: Vec<f64> = sizes.iter().map(|&size| size.max(1) as f64).collect();
    let mut of_cluster: Vec<usize> = (0..k).collect();
    let mut active: Vec<usize> = (0..k).collect();
    let mut levels = Vec::with_capacity(k - 2);
    while active.len() > 2 {
        let mut best = (f64::INFINITY, active[0], active[1]);
        for (at, &a) in active.iter().enumerate() {
            for &b in &active[at + 1..] {
                if apart[(a, b)] < best.0 {
                    best = (apart[(a, b)], a, b);
                }
            }
        }
        let (cost, keep, gone) = best;
        active.retain(|&group| group != gone);
        let (own, other) = (sizes[keep], sizes[gone]);
        for &third in active.iter().filter(|&&third| third != keep) {
            let n = sizes[third];
            let sum = (own + n) * apart[(keep, third)] + (other + n) * apart[(gone, third)];
            let joined = (sum - n * cost) / (own + other + n);
            (apart[(keep, third)], apart[(third, keep)]) = (joined, joined);
        }
        sizes[keep] += other;
        of_cluster.iter_mut().filter(|group| **group == gone).for_each(|group| *group = keep);
        let number = |group: &usize| active.iter().position(|it| it == group).unwrap_or(0);
        let numbered = of_cluster.iter().map(|group| u16::try_from(number(group)).unwrap_or(0));
        levels.push(numbered.collect());
    }
    levels
}

#[cfg(test)]
mod tests {
    use consilience_data::ClusterId;
    use ndarray::array;

    use super::*;

    #[test]
    fn near_clusters_are_joined_first() {
        // Two samples in each of five clusters on a line: at 0, 1, 10, 12 and 40.
        let places = [0.0, 1.0, 10.0, 12.0, 40.0_f32];
        let values = Array2::from_shape_fn((10, 1), |(row, _)| places[row / 2]);
        let seen = Features::new(values, "x").unwrap();
        let clusters = (0..10).map(|row| ClusterId::from_index(row / 2)).collect();
        let found = Assignments::new(clusters, 5);
        let votes = coarser(&found, &seen).unwrap();
        let of_clusters = votes.clusters().select(ndarray::Axis(1), &[0, 2, 4, 6, 8]);
        let expected = array![[0, 0, 0, 0, 1], [0, 0, 1, 1, 2], [0, 0, 1, 2, 3]];
        assert_eq!(of_clusters, expected, "two groups, three, four");
        assert!(coarser(&Assignments::new(vec![ClusterId(0); 10], 2), &seen).is_none());
    }
}
