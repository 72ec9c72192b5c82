//! Clusters joined until few enough are left, each time two that have neighbours in each other, and of which it costs the least evidence.
//!
//! Many small communities are rarely wrong, as a border between kinds is a border between some of them, too; what they don't know is which belong together.
//! That is asked of neighbours in the features ([`Evidence::net`](crate::evidence::Evidence::net)), which know nothing of the sizes that clusters should have.

use std::collections::{BTreeMap, BTreeSet};

use consilience_data::{Assignments, ClusterId, ModelIdx, Votes};
use consilience_ensembles::{Communities, CommunityParams, Ensemble, Phase, Prepared};

use crate::error::RunError;
use crate::evidence::OPEN;
use crate::progress::{Apart, Observer};
use crate::voters::TOLD;

/// How many communities are looked for before they are joined, as a multiple of K.
const FINE: [f64; TOLD] = [2.0, 3.0, 4.0];

/// Communities in a layout of the samples (UMAP), where crowds are further apart than in the features, joined until `k` are left: the cluster of every sample, in
/// three ways. `None` if communities couldn't be found.
///
/// # Errors
///
/// [`RunError::Ensemble`].
pub(crate) fn joined_communities(
    data: &Prepared,
    k: usize,
    threads: usize,
    observer: &dyn Observer,
) -> Result<Option<[Vec<usize>; TOLD]>, RunError> {
    let laid_out = data.laid_out(threads, observer)?;
    let model = |(at, granularity): (usize, f64)| {
        let granularity = (granularity, granularity);
        let params = CommunityParams { granularity, ..CommunityParams::default() };
        Communities::new(ModelIdx::from_index(at), k, params)
    };
    let models = FINE.into_iter().enumerate().map(model).collect();
    let mut ensemble = Ensemble::of_communities(models, threads)?;
    let progress = Apart::unhurried_and_unkept(observer);
    let once = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
    ensemble.train(&laid_out, &once, &[], &progress)?;
    let votes = Votes::from_answers(&ensemble.vote(&laid_out, 0, &progress)?)?;
    let of_model = |model: usize| {
        let model = ModelIdx::from_index(model);
        let clusters = votes.of_model(model).iter().map(|&own| ClusterId(own)).collect();
        let joined = joined(&Assignments::new(clusters, votes.n_clusters(model)), data, k);
        joined.clusters().iter().map(|cluster| cluster.index()).collect()
    };
    let found: Vec<Vec<usize>> = (0..votes.n_models()).map(of_model).collect();
    Ok(found.try_into().ok())
}

/// The clusters of `found`, joined until there are `k`; as they are if there are no more, or neighbours weren't measured.
///
/// O(n + joins (pairs + d^3)), with `pairs` of clusters that have neighbours in each other, d with each.
fn joined(found: &Assignments, data: &Prepared, k: usize) -> Assignments {
    let Some(pairs) = data.neighbour_pairs(found) else { return found.clone() };
    let group = Joint::new(&pairs, found.n_clusters()).joined(k);
    // Those that are left, numbered in their order.
    let left: BTreeSet<usize> = group.iter().copied().collect();
    let number: BTreeMap<usize, usize> = left.iter().copied().zip(0..).collect();
    let of = |cluster: &ClusterId| ClusterId::from_index(number[&group[cluster.index()]]);
    Assignments::new(found.clusters().iter().map(of).collect(), left.len())
}

/// How probable it is that a sample and one of its neighbours are in each two clusters.
struct Joint {
    /// By cluster, those that it has neighbours in, itself included; the same in both orders.
    rows: Vec<BTreeMap<usize, f64>>,
    /// Of each cluster.
    shares: Vec<f64>,
}

impl Joint {
    fn new(pairs: &BTreeMap<(u16, u16), f64>, n_clusters: usize) -> Self {
        let total: f64 = pairs.values().sum::<f64>().max(1.0);
        let mut joint =
            Self { rows: vec![BTreeMap::new(); n_clusters], shares: vec![0.0; n_clusters] };
        for (&(a, b), &count) in pairs {
            let (a, b) = (usize::from(a), usize::from(b));
            let each = count / total / if a == b { 1.0 } else { 2.0 };
            joint.rows[a].insert(b, each);
            joint.rows[b].insert(a, each);
            joint.shares[a] += each;
            if a != b {
                joint.shares[b] += each;
            }
        }
        joint
    }

    /// Which cluster each is part of, once `k` are left.
    fn joined(mut self, k: usize) -> Vec<usize> {
        let mut group: Vec<usize> = (0..self.rows.len()).collect();
        let mut left: BTreeSet<usize> = group.iter().copied().collect();
        let mut gains: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        for &cluster in &left {
            self.measure(cluster, &mut gains);
        }
        while left.len() > k.max(1) {
            // The first of equals.
            let best =
                gains.iter().reduce(|best, other| if other.1 > best.1 { other } else { best });
            let (to, from) = best.map_or_else(|| self.smallest(&left), |(&pair, _)| pair);
            self.join(to, from);
            left.remove(&from);
            group.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
            gains.retain(|&(a, b), _| a != from && b != from);
            // What has neighbours in the joint cluster, had them in either, and so all its pairs changed.
            let changed: Vec<usize> = self.rows[to].keys().copied().collect();
            for cluster in changed {
                self.measure(cluster, &mut gains);
            }
        }
        group
    }

    /// Measures all pairs with a cluster.
    fn measure(&self, cluster: usize, gains: &mut BTreeMap<(usize, usize), f64>) {
        for &other in self.rows[cluster].keys().filter(|&&other| other != cluster) {
            let pair = (cluster.min(other), cluster.max(other));
            gains.insert(pair, self.gain(pair.0, pair.1));
        }
    }

    /// By how much the evidence is higher if two clusters are one: told less [`OPEN`] times left open is
    /// (1 + `OPEN`) sum p(a, b) ln p(a, b) - (2 + `OPEN`) sum p(a) ln p(a), of which only what has to do with the two changes.
    fn gain(&self, a: usize, b: usize) -> f64 {
        let at = |row: usize, column: usize| self.rows[row].get(&column).copied().unwrap_or(0.0);
        let (own, other, across) = (at(a, a), at(b, b), at(a, b));
        let mut pairs = x_ln_x(own + other + 2.0 * across)
            - (x_ln_x(own) + x_ln_x(other) + 2.0 * x_ln_x(across));
        for (&third, &with_a) in self.rows[a].iter().filter(|(third, _)| ![a, b].contains(third)) {
            let with_b = at(b, third);
            if with_b > 0.0 {
                pairs += 2.0 * (x_ln_x(with_a + with_b) - x_ln_x(with_a) - x_ln_x(with_b));
            }
        }
        let (of_a, of_b) = (self.shares[a], self.shares[b]);
        let singles = x_ln_x(of_a + of_b) - x_ln_x(of_a) - x_ln_x(of_b);
        (1.0 + OPEN) * pairs - (2.0 + OPEN) * singles
    }

    /// The two smallest: where no two have neighbours in each other, the fewest samples are then with others.
    fn smallest(&self, left: &BTreeSet<usize>) -> (usize, usize) {
        let mut order: Vec<usize> = left.iter().copied().collect();
        order.sort_by(|&a, &b| self.shares[a].total_cmp(&self.shares[b]).then(a.cmp(&b)));
        (order[0].min(order[1]), order[0].max(order[1]))
    }

    fn join(&mut self, to: usize, from: usize) {
        let row = std::mem::take(&mut self.rows[from]);
        for (third, with) in row {
            if third == from {
                *self.rows[to].entry(to).or_insert(0.0) += with;
                continue;
            }
            self.rows[third].remove(&from);
            if third == to {
                // In both orders.
                *self.rows[to].entry(to).or_insert(0.0) += 2.0 * with;
            } else {
                *self.rows[to].entry(third).or_insert(0.0) += with;
                *self.rows[third].entry(to).or_insert(0.0) += with;
            }
        }
        self.shares[to] += std::mem::take(&mut self.shares[from]);
    }
}

fn x_ln_x(x: f64) -> f64 {
    if x > 0.0 { x * x.ln() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Features, Seed, Stream};
    use consilience_ensembles::Scaling;
    use ndarray::Array2;

    use super::*;
    use crate::evidence::Evidence;

    /// Samples in the plane, three crowds of unequal size, the first two near each other.
    fn crowds() -> Prepared {
        let noise = Seed(4).rng(Stream::Subset).normal(2 * 240);
        let value = |(row, column): (usize, usize)| {
            let centre = match row {
                0..160 => [0.0, 0.0],
                160..220 => [5.0, 0.0],
                _ => [0.0, 20.0],
            };
            centre[column] + noise[2 * row + column]
        };
        let features = Features::new(Array2::from_shape_fn((240, 2), value), "x").unwrap();
        let mut data = Prepared::new(&features, Scaling::None, Seed(1), 1).unwrap();
        data.measure_distances(1).unwrap();
        data
    }

    /// Cells of a grid.
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    fn cells(data: &Prepared, size: f32) -> Assignments {
        let cell = |sample: usize| {
            let row = data.features().row(sample);
            ((row[0] / size).floor() as i32, (row[1] / size).floor() as i32)
        };
        let all: BTreeSet<_> = (0..240).map(cell).collect();
        let number: BTreeMap<_, usize> = all.iter().copied().zip(0..).collect();
        let clusters = (0..240).map(|sample| ClusterId::from_index(number[&cell(sample)]));
        Assignments::new(clusters.collect(), all.len())
    }

    /// Every pair that has neighbours in each other is tried, and the evidence of what comes out measured.
    fn one_less(found: &Assignments, data: &Prepared) -> Assignments {
        let k = found.n_clusters();
        let join = |(a, b): (usize, usize)| {
            let of = |cluster: &ClusterId| match cluster.index() {
                own if own == b => ClusterId::from_index(a),
                own if own > b => ClusterId::from_index(own - 1),
                _ => *cluster,
            };
            Assignments::new(found.clusters().iter().map(of).collect(), k - 1)
        };
        let near = data.neighbour_pairs(found).unwrap();
        let pairs = near.keys().map(|&(a, b)| (usize::from(a), usize::from(b)));
        let pairs = pairs.filter(|(a, b)| a != b);
        let net = |found: &Assignments| Evidence::of(found, &[data]).net();
        pairs.map(join).max_by(|a, b| net(a).total_cmp(&net(b))).unwrap()
    }

    #[test]
    fn each_time_the_two_are_joined_that_leave_the_most_evidence() {
        let data = crowds();
        let mut slow = cells(&data, 1.5);
        let fine = slow.clone();
        assert!(fine.n_clusters() > 20);
        while slow.n_clusters() > 2 {
            slow = one_less(&slow, &data);
            let fast = joined(&fine, &data, slow.n_clusters());
            assert_eq!(fast.n_clusters(), slow.n_clusters());
            let evidence = [&fast, &slow].map(|found| Evidence::of(found, &[&data]).net());
            assert!((evidence[0] - evidence[1]).abs() < 1e-9, "{evidence:?}");
        }
        let three = joined(&fine, &data, 3);
        let sizes: BTreeSet<usize> = three.sizes().into_iter().collect();
        assert!(sizes.contains(&20) && sizes.iter().any(|size| (155..165).contains(size)));
    }

    #[test]
    fn few_stay_and_what_nothing_joins_is_joined_from_the_smallest() {
        let data = crowds();
        let fine = cells(&data, 1.5);
        let n = fine.n_clusters();
        assert_eq!(joined(&fine, &data, n + 1).sizes(), fine.sizes());
        let pairs = BTreeMap::from([((0, 0), 5.0), ((1, 1), 2.0), ((2, 2), 3.0)]);
        assert_eq!(Joint::new(&pairs, 3).joined(2), [0, 1, 1]);
    }
}
