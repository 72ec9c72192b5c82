//! The features in which a cluster differs most from the others.

use consilience_data::{ClusterId, Features, SparseRows};
use ndarray::Array2;

/// Sums over the samples of every cluster.
pub(crate) struct Contrasts {
    /// Shape (n_clusters, n_features).
    sums: Array2<f64>,
    sizes: Vec<usize>,
    /// Over all samples that have a cluster, length n_features.
    total: Vec<f64>,
    deviation: Vec<f64>,
}

/// A feature, and how a cluster differs in it.
pub(crate) struct Contrast {
    pub(crate) feature: usize,
    /// Mean in the cluster, and in all others together.
    pub(crate) means: (f64, f64),
    /// Their difference: for terms as it is, else in standard deviations of all samples.
    pub(crate) difference: f64,
}

impl Contrasts {
    /// Goes through the samples twice. O(n d).
    pub(crate) fn of(features: &Features, clusters: &[Option<ClusterId>], k: usize) -> Self {
        let width = features.n_features();
        let mut sums: Array2<f64> = Array2::zeros((k, width));
        let mut sizes = vec![0; k];
        for (sample, cluster) in clusters.iter().enumerate() {
            let Some(cluster) = cluster else { continue };
            sizes[cluster.index()] += 1;
            let mut sums = sums.row_mut(cluster.index());
            match features.as_sparse() {
                Some(rows) => {
                    let entries = rows.entries(sample);
                    entries.for_each(|(feature, value)| sums[feature] += f64::from(value));
                }
                None => {
                    for (sum, &value) in sums.into_iter().zip(features.row(sample)) {
                        *sum += f64::from(value);
                    }
                }
            }
        }
        let n = number(sizes.iter().sum::<usize>().max(1));
        let total = sums.sum_axis(ndarray::Axis(0)).to_vec();
        let clustered = clusters.iter().enumerate().filter(|(_, cluster)| cluster.is_some());
        let clustered = clustered.map(|(sample, _)| sample);
        let squares = match features.as_sparse() {
            Some(rows) => squares_of_sparse(rows, clustered, &total, n),
            None => {
                let mut squares = vec![0.0; width];
                for sample in clustered {
                    for ((square, &value), total) in
                        squares.iter_mut().zip(features.row(sample)).zip(&total)
                    {
                        *square += (f64::from(value) - total / n).powi(2);
                    }
                }
                squares
            }
        };
        let deviation = squares.into_iter().map(|square| (square / n).sqrt()).collect();
        Self { sums, sizes, total, deviation }
    }

    /// The terms that are more frequent in a cluster than in the others, the greatest difference of means first.
    pub(crate) fn terms(&self, cluster: usize, most: usize) -> Vec<Contrast> {
        let mut terms = self.differences(cluster, |_| 1.0);
        terms.retain(|term| term.difference > 0.0);
        terms.sort_by(|a, b| b.difference.total_cmp(&a.difference));
        terms.truncate(most);
        terms
    }

    /// The features in which a cluster differs most from the others, up or down, in standard deviations.
    pub(crate) fn features(&self, cluster: usize, most: usize) -> Vec<Contrast> {
        let mut features = self.differences(cluster, |feature| self.deviation[feature]);
        features.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
        features.truncate(most);
        features
    }

    /// All features that aren't constant, none for a cluster that has no samples or all of them.
    fn differences(&self, cluster: usize, unit: impl Fn(usize) -> f64) -> Vec<Contrast> {
        let (n, size) = (self.sizes.iter().sum::<usize>(), self.sizes[cluster]);
        if size == 0 || size == n {
            return Vec::new();
        }
        let of = |(feature, &sum): (usize, &f64)| {
            let means = (sum / number(size), (self.total[feature] - sum) / number(n - size));
            Contrast { feature, means, difference: (means.0 - means.1) / unit(feature) }
        };
        let all = self.sums.row(cluster);
        let varied = all.iter().enumerate().filter(|&(feature, _)| self.deviation[feature] > 0.0);
        varied.map(of).filter(|contrast| contrast.difference.is_finite()).collect()
    }
}

/// Of every feature, the squared distances of its values in `n` samples to their mean, added up: zeros in one go.
fn squares_of_sparse(
    rows: &SparseRows,
    samples: impl Iterator<Item = usize>,
    total: &[f64],
    n: f64,
) -> Vec<f64> {
    let mut squares = vec![0.0; total.len()];
    let mut zeros = vec![n; total.len()];
    for (feature, value) in samples.flat_map(|sample| rows.entries(sample)) {
        squares[feature] += (f64::from(value) - total[feature] / n).powi(2);
        zeros[feature] -= 1.0;
    }
    for ((square, zeros), total) in squares.iter_mut().zip(zeros).zip(total) {
        *square += zeros * (total / n).powi(2);
    }
    squares
}

#[expect(clippy::cast_precision_loss, reason = "a number of samples")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn what_differs_comes_first() {
        let values = array![
            [1.0, 5.0, 9.0, 3.0],
            [1.2, 5.0, 0.0, 3.0],
            [4.0, 5.0, 8.0, 3.0],
            [4.2, 5.0, 1.0, 3.1],
            [9.0, 9.0, 9.0, 9.0],
        ];
        let features = Features::new(values, "x").unwrap();
        let clusters = [Some(0), Some(0), Some(1), Some(1), None].map(|id| id.map(ClusterId));
        let contrasts = Contrasts::of(&features, &clusters, 3);
        let first = contrasts.features(0, 3);
        let order: Vec<_> = first.iter().map(|contrast| contrast.feature).collect();
        assert_eq!(order, [0, 3, 2], "feature 1 is constant among the clustered");
        assert!((first[0].means.0 - 1.1).abs() < 1e-6 && (first[0].means.1 - 4.1).abs() < 1e-6);
        // 3.0 apart, all at 1.5 or 1.6 from the mean.
        assert!((first[0].difference + 3.0 / 1.503_33).abs() < 1e-4, "{}", first[0].difference);
        let terms: Vec<_> = contrasts.terms(1, 9).iter().map(|term| term.feature).collect();
        assert_eq!(terms, [0, 3], "what is less frequent is no term of a cluster");
        assert!(contrasts.features(2, 3).is_empty(), "nobody is in it");
        let mut rows = SparseRows::with_capacity(5, 0, 4);
        features
            .view()
            .rows()
            .into_iter()
            .for_each(|row| rows.push((0..).zip(row.iter().copied())));
        let sparse = Contrasts::of(&Features::sparse(rows, "x").unwrap(), &clusters, 3);
        assert_eq!((&sparse.sums, &sparse.total), (&contrasts.sums, &contrasts.total));
        let pairs = sparse.deviation.iter().zip(&contrasts.deviation);
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-9));
    }
}
