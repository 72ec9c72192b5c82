//! What neighbours say of a clustering, without the truth.

use std::collections::BTreeMap;

use consilience_data::Assignments;

use crate::preparation::prepared::Prepared;

impl Prepared {
    /// What a sample's cluster tells of its neighbours' clusters: the mutual information, in nats, of the clusters of a sample and of one
    /// of its ten nearest neighbours, both drawn at random. `None` if neighbours weren't measured.
    ///
    /// A measure of clusterings that needs no truth. It is 0 if all are in one cluster, at most ln K, and lower wherever a
    /// cluster's border goes through a crowd or two crowds share a cluster. (Ji, Henriques and Vedaldi train by it, with
    /// images and their copies in place of neighbours: *Invariant Information Clustering*, ICCV 2019.)
    /// O(n log K).
    #[must_use]
    pub fn neighbour_information(&self, found: &Assignments) -> Option<f64> {
        self.neighbour_entropies(found).map(|(information, _)| information)
    }

    /// What a sample's cluster leaves open of its neighbours' clusters, in nats: the conditional entropy, of the same pairs as
    /// [`Prepared::neighbour_information`]. 0 if no neighbours are in two clusters. O(n log K).
    #[must_use]
    pub fn neighbour_uncertainty(&self, found: &Assignments) -> Option<f64> {
        self.neighbour_entropies(found).map(|(_, uncertainty)| uncertainty)
    }

    /// How many pairs of a sample and one of its ten nearest neighbours are in each two clusters, the lower first. `None` if neighbours weren't measured.
    /// O(n log K).
    #[must_use]
    pub fn neighbour_pairs(&self, found: &Assignments) -> Option<BTreeMap<(u16, u16), f64>> {
        self.neighbour_graph()?;
        let mut pairs = BTreeMap::new();
        for &sample in self.trainable() {
            let own = found.clusters()[sample as usize].0;
            for &neighbour in self.neighbours(sample as usize).unwrap_or(&[]) {
                let other = found.clusters()[neighbour as usize].0;
                *pairs.entry((own.min(other), own.max(other))).or_insert(0.0) += 1.0;
            }
        }
        Some(pairs)
    }

    /// Mutual information and conditional entropy of the clusters of a sample and of one of its neighbours.
    fn neighbour_entropies(&self, found: &Assignments) -> Option<(f64, f64)> {
        let pairs = self.neighbour_pairs(found)?;
        // Each pair in both orders, so that both have the same share of each cluster.
        let (mut single, mut total) = (BTreeMap::new(), 0.0);
        for (&(own, other), &count) in &pairs {
            *single.entry(own).or_insert(0.0) += count;
            *single.entry(other).or_insert(0.0) += count;
            total += 2.0 * count;
        }
        let information = |(&(own, other), &count): (&(u16, u16), &f64)| {
            let joint = if own == other { 2.0 * count / total } else { count / total };
            let product: f64 = single[&own] * single[&other] / (total * total);
            let orders = if own == other { 1.0 } else { 2.0 };
            orders * joint * (joint / product).ln()
        };
        let information: f64 = pairs.iter().map(information).sum();
        let entropy: f64 = single.values().map(|count| -count / total * (count / total).ln()).sum();
        Some((information, entropy - information))
    }

    /// How often neighbours are in two clusters, as a share of how often two samples at random are: 0 where no border goes between
    /// neighbours, 1 if clusters have nothing to do with them. `None` if neighbours weren't measured; 0 with a single cluster. O(n).
    #[must_use]
    pub fn neighbours_separated(&self, found: &Assignments) -> Option<f64> {
        self.neighbour_graph()?;
        let clusters = found.clusters();
        let mut sizes = vec![0.0_f64; found.n_clusters()];
        let (mut apart, mut pairs) = (0.0, 0.0);
        for &sample in self.trainable() {
            let own = clusters[sample as usize];
            sizes[own.index()] += 1.0;
            for &neighbour in self.neighbours(sample as usize).unwrap_or(&[]) {
                apart += f64::from(u8::from(clusters[neighbour as usize] != own));
                pairs += 1.0;
            }
        }
        let n: f64 = sizes.iter().sum();
        let by_chance = 1.0 - sizes.iter().map(|size| (size / n).powi(2)).sum::<f64>();
        Some(if by_chance > 0.0 && pairs > 0.0 { apart / pairs / by_chance } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{ClusterId, Features, Seed};
    use ndarray::Array2;

    use super::*;
    use crate::preparation::transform::Scaling;

    /// Two groups on a line.
    fn two_groups() -> Features {
        let values = Array2::from_shape_fn((40, 1), |(row, _)| {
            f32::from(u8::try_from(row).unwrap()) + if row < 20 { 0.0 } else { 100.0 }
        });
        Features::new(values, "x").unwrap()
    }

    #[test]
    fn neighbours_tell_good_clusters_from_bad_ones() {
        let mut data = Prepared::new(&two_groups(), Scaling::None, Seed(1), 2).unwrap();
        let of = |data: &Prepared, cluster: fn(usize) -> u16| {
            let clusters = (0..40).map(|sample| ClusterId(cluster(sample))).collect();
            data.neighbour_information(&Assignments::new(clusters, 3))
        };
        assert_eq!(of(&data, |_| 0), None, "nothing was measured");
        data.measure_distances(1).unwrap();
        let groups = of(&data, |sample| u16::from(sample >= 20)).unwrap();
        assert!((groups - 2f64.ln()).abs() < 1e-9, "{groups}");
        assert_eq!(of(&data, |_| 0), Some(0.0));
        let split = of(&data, |sample| u16::from(sample % 2 == 0)).unwrap();
        let shifted = of(&data, |sample| u16::from(sample >= 14)).unwrap();
        assert!(split < shifted && shifted < groups, "{split} {shifted} {groups}");
        let open = |cluster: fn(usize) -> u16| {
            let clusters = (0..40).map(|sample| ClusterId(cluster(sample))).collect();
            data.neighbour_uncertainty(&Assignments::new(clusters, 3)).unwrap()
        };
        assert!(open(|sample| u16::from(sample >= 20)).abs() < 1e-9 && open(|_| 2).abs() < 1e-9);
        let all = open(|sample| u16::from(sample >= 14)) + shifted;
        assert!((0.0..=2f64.ln()).contains(&all), "what is told and what is open: {all}");
        let apart = |cluster: fn(usize) -> u16| {
            let clusters = (0..40).map(|sample| ClusterId(cluster(sample))).collect();
            data.neighbours_separated(&Assignments::new(clusters, 3)).unwrap()
        };
        assert_eq!((apart(|sample| u16::from(sample >= 20)), apart(|_| 2)), (0.0, 0.0));
        let (shifted, split) =
            (apart(|sample| u16::from(sample >= 14)), apart(|sample| u16::from(sample % 2 == 0)));
        assert!(0.0 < shifted && shifted < split && split < 1.5, "{shifted} {split}");
    }
}
