//! Samples that belong nowhere: how far from all others each is, held against what the run's own samples show.
//!
//! The sign is density: the mean distance of a sample to the ten nearest of up to 5,000 that the run keeps, as a multiple of what is usual in its
//! cluster ([`StrayParts::scales`]). How far models agree is none: samples between two kinds are unsure, and belong to one of them.

mod limit;
mod parts;

use consilience_data::{Assignments, ClusterId, Features, PseudoLabels};
use consilience_ensembles::{Density, Prepared, Progress};
use ndarray::ArrayView2;

pub use self::limit::StrayLimit;
use self::parts::{AUTO, bound_of_share};
pub use self::parts::{Stray, StrayParts};
use crate::error::RunError;

/// What tells strays, kept for new samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Strays {
    density: Density,
    parts: StrayParts,
}

/// Strays of a run.
#[derive(Debug, Clone)]
pub struct StraysFound {
    /// The rule.
    pub rule: Strays,
    /// Of every sample, length n_samples.
    pub samples: Vec<Stray>,
}

/// A clustering in which strays are sought.
pub(crate) struct Clustered<'a> {
    /// Features as models see them.
    pub(crate) seen: &'a Features,
    pub(crate) assignments: &'a Assignments,
    /// The clusters of the samples that are kept.
    pub(crate) of_kept: Vec<usize>,
    /// Samples that aren't empty, ascending.
    pub(crate) samples: &'a [u32],
}

impl StraysFound {
    /// Strays of a run that ended with `assignments`.
    pub(crate) fn of_run(
        data: &Prepared,
        assignments: &Assignments,
        limit: StrayLimit,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, RunError> {
        let (density, kept) = Density::of(data);
        let cluster = |&sample: &u32| assignments.clusters()[sample as usize].index();
        let of_kept = kept.iter().map(cluster).collect();
        let (seen, samples) = (data.features(), data.trainable());
        let clustered = Clustered { seen, assignments, of_kept, samples };
        Self::of(density, &clustered, limit, threads, progress)
    }

    /// Strays of any clustering, among samples of which some are kept.
    pub(crate) fn of(
        density: Density,
        clustered: &Clustered<'_>,
        limit: StrayLimit,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, RunError> {
        let distances = density.distances(clustered.seen, threads, progress)?;
        let to_others = density.to_others(&clustered.of_kept, threads, progress)?;
        let of = |&sample: &u32| {
            let cluster = clustered.assignments.clusters()[sample as usize].index();
            (cluster, f64::from(distances[sample as usize]))
        };
        let ordinary: Vec<(usize, f64)> = clustered.samples.iter().map(of).collect();
        let kept = clustered.of_kept.iter().copied().zip(to_others.into_iter().map(f64::from));
        let n_clusters = clustered.assignments.n_clusters();
        let mut parts = StrayParts::fitted(&ordinary, &kept.collect::<Vec<_>>(), n_clusters);
        let clusters = clustered.assignments.clusters();
        let logarithms: Vec<f32> = clusters
            .iter()
            .zip(&distances)
            .map(|(cluster, &distance)| parts.logarithm(cluster.index(), distance))
            .collect();
        parts.bound = match limit {
            StrayLimit::Auto => parts.logarithm_of(AUTO),
            StrayLimit::Share(share) => bound_of_share(&logarithms, share),
        };
        let samples = logarithms.into_iter().map(|logarithm| parts.stray(logarithm)).collect();
        Ok(Self { rule: Strays { density, parts }, samples })
    }

    /// Number of strays.
    #[must_use]
    pub fn count(&self) -> usize {
        self.samples.iter().filter(|sample| sample.is_stray).count()
    }

    /// The clusters of all samples but strays, length n_samples.
    #[must_use]
    pub fn clusters(&self, found: &Assignments) -> Vec<Option<ClusterId>> {
        without(found, &self.samples)
    }

    /// The labels of all samples but strays.
    #[must_use]
    pub fn labels(&self, labels: &PseudoLabels) -> PseudoLabels {
        let is_stray = |sample: usize| self.samples[sample].is_stray;
        let entries = labels.entries().iter().filter(|label| !is_stray(label.sample.index()));
        PseudoLabels::new(entries.copied().collect(), labels.n_clusters(), labels.n_samples())
    }
}

/// The clusters of all samples but strays.
pub(crate) fn without(found: &Assignments, strays: &[Stray]) -> Vec<Option<ClusterId>> {
    let samples = found.clusters().iter().zip(strays);
    samples.map(|(&cluster, sample)| (!sample.is_stray).then_some(cluster)).collect()
}

impl Strays {
    /// From the samples that are kept and the numbers; `None` if they don't fit.
    #[must_use]
    pub fn from_parts(density: Density, parts: StrayParts) -> Option<Self> {
        let is_good = |value: &f32| value.is_finite();
        let StrayParts { scales, middle, steps, bound } = &parts;
        let is_whole = !scales.is_empty()
            && scales.iter().chain(steps).all(|value| is_good(value) && *value > 0.0)
            && middle.iter().all(is_good)
            && !bound.is_nan();
        is_whole.then_some(Self { density, parts })
    }

    /// The numbers.
    #[must_use]
    pub fn parts(&self) -> &StrayParts {
        &self.parts
    }

    /// The samples that are kept, shape (n_kept, n_features).
    #[must_use]
    pub fn rows(&self) -> ArrayView2<'_, f32> {
        self.density.rows()
    }

    /// What is kept of the data.
    pub(crate) fn density(&self) -> &Density {
        &self.density
    }

    /// The score from which on samples are strays; above 1 if none is.
    #[must_use]
    pub fn threshold(&self) -> f32 {
        if self.parts.bound.is_finite() { self.parts.stray(self.parts.bound).score } else { 2.0 }
    }

    /// How little each sample belongs anywhere, length n_samples. It depends on the sample and its cluster alone.
    ///
    /// # Arguments
    ///
    /// * `seen`: samples as models see them, shape (n_samples, n_features).
    ///
    /// # Errors
    ///
    /// [`RunError::Ensemble`] for another number of features.
    pub(crate) fn of(
        &self,
        seen: &Features,
        found: &Assignments,
        threads: usize,
    ) -> Result<Vec<Stray>, RunError> {
        let distances = self.density.distances(seen, threads, &())?;
        let samples = found.clusters().iter().zip(distances);
        let logarithm = |(cluster, distance): (&ClusterId, f32)| {
            self.parts.logarithm(cluster.index(), distance)
        };
        Ok(samples.map(|sample| self.parts.stray(logarithm(sample))).collect())
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};
    use ndarray::Array2;

    use super::*;

    /// Normal samples of some spreads around centres on a line, and the cluster of each.
    fn groups(sizes: &[usize], spreads: &[f32], apart: f32) -> (Array2<f32>, Vec<usize>) {
        let of: Vec<usize> =
            sizes.iter().enumerate().flat_map(|(group, &size)| vec![group; size]).collect();
        let noise = Seed(9).rng(Stream::Subset).normal(3 * of.len());
        let points = Array2::from_shape_fn((of.len(), 3), |(row, column)| {
            let centre = if column == 0 { apart * of[row] as f32 } else { 0.0 };
            centre + spreads[of[row]] * noise[3 * row + column]
        });
        (points, of)
    }

    fn found(points: Array2<f32>, of: &[usize], limit: StrayLimit) -> StraysFound {
        let samples: Vec<u32> = (0..u32::try_from(of.len()).unwrap()).collect();
        let seen = Features::new(points.clone(), "x").unwrap();
        let clusters = of.iter().map(|&cluster| ClusterId::from_index(cluster)).collect();
        let assignments = Assignments::new(clusters, of.iter().max().unwrap() + 1);
        let density = Density::from_rows(points).unwrap();
        let of_kept = of.to_vec();
        let clustered =
            Clustered { seen: &seen, assignments: &assignments, of_kept, samples: &samples };
        StraysFound::of(density, &clustered, limit, 1, &()).unwrap()
    }

    fn strays_of(found: &StraysFound, of: &[usize], cluster: usize) -> usize {
        let own = found.samples.iter().zip(of).filter(|(_, it)| **it == cluster);
        own.filter(|(sample, _)| sample.is_stray).count()
    }

    #[test]
    fn scores_are_shares_of_the_samples() {
        let (points, of) = groups(&[400, 400], &[1.0, 1.0], 30.0);
        let found = found(points, &of, StrayLimit::Auto);
        let above = |score: f32| {
            let above = found.samples.iter().filter(|sample| sample.score >= score).count();
            above as f64 / of.len() as f64
        };
        assert!((above(0.5) - 0.5).abs() < 0.01, "{}", above(0.5));
        assert!((above(0.75) - 0.25).abs() < 0.01, "{}", above(0.75));
        assert!((above(0.95) - 0.05).abs() < 0.02, "{}", above(0.95));
        assert!(found.count() <= 8 && (found.rule.threshold() - 0.99).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn a_sparse_group_that_is_apart_is_a_kind_and_far_samples_are_strays() {
        // The last four samples are said to be of the first group, and lie between the groups.
        let (points, mut of) = groups(&[600, 600, 40], &[1.0, 1.0, 4.0], 60.0);
        let far = ndarray::array![
            [30.0, 0.0, 9.0],
            [90.0, 9.0, 0.0],
            [0.0, 40.0, 0.0],
            [0.0, 0.0, -25.0_f32]
        ];
        let points = ndarray::concatenate![ndarray::Axis(0), points, far];
        of.extend([0, 1, 0, 0]);
        let auto = found(points.clone(), &of, StrayLimit::Auto);
        let last: Vec<bool> = auto.samples[1240..].iter().map(|sample| sample.is_stray).collect();
        assert_eq!(last, [true; 4]);
        assert!(auto.count() <= 4 + 12, "{}", auto.count());
        assert!(strays_of(&auto, &of, 2) <= 2, "{}", strays_of(&auto, &of, 2));
        let share = found(points.clone(), &of, StrayLimit::Share(0.01));
        assert_eq!(share.count(), 12);
        assert!(share.samples[1240..].iter().all(|sample| sample.is_stray));
        assert_eq!(found(points, &of, StrayLimit::Share(0.0)).count(), 0);
    }

    #[test]
    fn where_all_is_equal_nothing_is_a_stray() {
        let points = Array2::ones((40, 2));
        let of = vec![0; 40];
        for limit in [StrayLimit::Auto, StrayLimit::Share(0.1)] {
            assert_eq!(found(points.clone(), &of, limit).count(), 0);
        }
        // One that differs is one.
        let mut points = points;
        points[(7, 0)] = 2.0;
        let found = found(points, &of, StrayLimit::Auto);
        assert_eq!((found.count(), found.samples[7].is_stray), (1, true));
    }

    /// Groups 0 and 1 are copies of one sample each, the second with 40 % that lie around it as group 2 is spread; then four that are far out.
    #[test]
    fn copies_are_a_kind_and_so_is_what_lies_among_them() {
        let (mut points, mut of) = groups(&[300, 300, 300], &[1.0, 1.0, 1.0], 40.0);
        for row in 0..480 {
            let centre = if row < 300 { 0.0 } else { 40.0 };
            points.row_mut(row).assign(&ndarray::array![centre, 0.0, 0.0]);
        }
        let far = ndarray::array![
            [0.0, 12.0, 0.0],
            [40.0, 0.0, 15.0],
            [80.0, -12.0, 0.0],
            [20.0, 9.0, 9.0_f32]
        ];
        let points = ndarray::concatenate![ndarray::Axis(0), points, far];
        of.extend([0, 1, 2, 0]);
        let found = found(points.clone(), &of, StrayLimit::Auto);
        let strays = [0, 1, 2].map(|cluster| strays_of(&found, &of, cluster));
        assert!(found.samples[900..].iter().all(|sample| sample.is_stray), "{strays:?}");
        assert!(strays[0] == 2 && strays[1] <= 1 + 4 && strays[2] <= 1 + 6, "{strays:?}");
        // A new copy is as ordinary as those of the run, and what is near them is not far out.
        let near = ndarray::array![[0.0, 0.0, 0.0], [40.3, 0.2, 0.0], [0.0, 12.0, 0.1_f32]];
        let near = Features::new(near, "x").unwrap();
        let clusters = [0, 1, 0].map(ClusterId::from_index).to_vec();
        let told = found.rule.of(&near, &Assignments::new(clusters, 3), 1).unwrap();
        assert_eq!(told.iter().map(|it| it.is_stray).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn new_samples_are_told_as_those_of_the_run() {
        let (points, of) = groups(&[300, 200], &[1.0, 2.0], 40.0);
        let seen = Features::new(points.clone(), "x").unwrap();
        let clusters: Vec<_> = of.iter().map(|&cluster| ClusterId::from_index(cluster)).collect();
        let assignments = Assignments::new(clusters, 2);
        let found = found(points, &of, StrayLimit::Share(0.02));
        let parts = found.rule.parts().clone();
        let again =
            Strays::from_parts(Density::from_rows(found.rule.rows().to_owned()).unwrap(), parts);
        assert_eq!(again.unwrap().of(&seen, &assignments, 2).unwrap(), found.samples);
        let broken = StrayParts { steps: [0.0, 1.0], ..found.rule.parts().clone() };
        assert!(Strays::from_parts(found.rule.density().clone(), broken).is_none());
    }
}
