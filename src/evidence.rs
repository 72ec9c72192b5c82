//! What speaks for a clustering, without the truth.

use consilience_data::Assignments;
use consilience_ensembles::Prepared;
use serde::Serialize;

/// What an answer tells of neighbours' clusters differs by up to this share of ln K by chance. From round to round it was seen to change
/// by up to 1.5 % where rounds neither gained nor lost, and to fall by 3 to 6 % where they lost.
const CHANCE: f64 = 0.02;
/// Neighbours speak clearly more for one answer than for another if its [`Evidence::net`] is higher by this share of ln K. Communities were found on
/// the neighbour graph, so that it speaks a little more for them by nature, and the more the fewer samples there are. Seen: by up to 0.09 where both kinds
/// together were better (two thirds of 10,000 images), and by 0.15 to 0.47 where communities were. A failed ensemble was a third behind
/// k-means; with 400 images of digits, one that was right more often by 0.06 was a twentieth behind.
const CLEARLY: f64 = 0.12;
/// See [`Evidence::net`]. A cut of a crowd in two halves, with a share s of its neighbours across, tells ln 2 - h(s) more and leaves h(s) open, h being the
/// entropy of s: that is ln 2 = (1 + OPEN) h(s) at s = 4 %. Seen: communities of one granularity, or branches, were better by what 2 to 6 times would show.
pub(crate) const OPEN: f64 = 3.0;

/// What a clustering shows of itself on the neighbour graph, without the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evidence {
    /// What a sample's cluster tells of its neighbours' clusters, in nats: see [`Prepared::neighbour_information`].
    pub neighbour_information: f64,
    /// What a sample's cluster leaves open of its neighbours' clusters, in nats: see [`Prepared::neighbour_uncertainty`].
    pub neighbour_uncertainty: f64,
}

impl Evidence {
    /// On the neighbour graphs of several views of the same samples, at least one: the means.
    pub(crate) fn of(assignments: &Assignments, views: &[&Prepared]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let mean = |of: &dyn Fn(&Prepared) -> Option<f64>| {
            let all = views.iter().map(|view| of(view).unwrap_or(0.0));
            all.reduce(|sum, more| sum + more).unwrap_or(0.0) / views.len() as f64
        };
        Self {
            neighbour_information: mean(&|view| view.neighbour_information(assignments)),
            neighbour_uncertainty: mean(&|view| view.neighbour_uncertainty(assignments)),
        }
    }

    /// What is told less three times what is left open, in nats.
    ///
    /// Information alone speaks for clusters of equal size, which have the most to tell. With this, a crowd that is cut in two halves gains
    /// only if fewer than 4 % of its neighbours are then apart.
    #[must_use]
    pub fn net(&self) -> f64 {
        self.neighbour_information - OPEN * self.neighbour_uncertainty
    }
}

/// By how much two answers' evidence may differ by chance, in nats.
pub(crate) fn by_chance(k: usize) -> f64 {
    CHANCE * log(k)
}

/// By how much one answer's [`Evidence::net`] is clearly higher than another's, in nats.
pub(crate) fn clearly(k: usize) -> f64 {
    CLEARLY * log(k)
}

#[expect(clippy::cast_precision_loss, reason = "a number of clusters")]
fn log(k: usize) -> f64 {
    (k as f64).ln()
}

#[cfg(test)]
mod tests {
    use consilience_data::{ClusterId, Features, Seed};
    use consilience_ensembles::Scaling;
    use ndarray::Array2;

    use super::*;

    #[test]
    fn views_are_asked_alike() {
        // Two groups in the first column, others in the second.
        let prepared = |group: fn(usize) -> bool| {
            let value = |(row, _)| f32::from(u8::from(group(row))) + 1e-3 * row as f32;
            let features = Features::new(Array2::from_shape_fn((40, 1), value), "x").unwrap();
            let mut data = Prepared::new(&features, Scaling::None, Seed(1), 1).unwrap();
            data.measure_distances(1).unwrap();
            data
        };
        let (own, other) = (prepared(|row| row < 20), prepared(|row| row % 2 == 0));
        let clusters = (0..40).map(|row| ClusterId(u16::from(row < 20))).collect();
        let found = Assignments::new(clusters, 2);
        let alone = [&own, &other].map(|view| Evidence::of(&found, &[view]));
        assert_eq!(alone[0].neighbour_information, own.neighbour_information(&found).unwrap());
        assert!(alone[0].net() > alone[1].net() + 0.1, "{alone:?}");
        let both = Evidence::of(&found, &[&own, &other]);
        let mean = (alone[0].net() + alone[1].net()) / 2.0;
        assert!((both.net() - mean).abs() < 1e-12);
    }

    #[test]
    fn a_cut_through_a_crowd_gains_if_few_neighbours_are_apart() {
        let entropy = |s: f64| -s * s.ln() - (1.0 - s) * (1.0 - s).ln();
        let net = |across: f64| {
            let open = entropy(across);
            let (neighbour_information, neighbour_uncertainty) = (2f64.ln() - open, open);
            Evidence { neighbour_information, neighbour_uncertainty }.net()
        };
        assert!(net(0.03) > 0.0 && net(0.05) < 0.0);
    }
}
