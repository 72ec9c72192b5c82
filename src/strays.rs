//! Samples that belong nowhere: how far from all others each is, held against what the run's own samples show.
//!
//! The sign is density: the mean distance of a sample to the ten nearest of up to 5,000 that the run keeps, as a multiple of what is usual in its
//! cluster ([`StrayParts::scales`]). How far models agree is none: samples between two kinds are unsure, and belong to one of them.

use std::fmt;
use std::str::FromStr;

use consilience_data::{Assignments, ClusterId, Features, PseudoLabels};
use consilience_ensembles::{Density, Prepared, Progress};
use ndarray::ArrayView2;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::RunError;

/// The score from which on samples are strays by [`StrayLimit::Auto`]: that of one in a hundred of ordinary samples.
const AUTO: f64 = 0.99;
/// Half of all samples can't be strays: then these would be what is usual.
const MOST: f64 = 0.5;
/// A cluster has a density of its own as far as it is apart: in full if samples of others are twice as far as its own neighbours, and not at all if they are
/// half as far again. Seen: 1.3 to 2.1 for digits, 1.0 to 1.2 for topics, 1.2 for uniform noise that became a cluster, 3 and more for groups in a plane.
const APART: (f64, f64) = (1.5, 2.0);
/// Fewer samples, or less than one in so many, are no cluster with a density of its own.
const FEWEST: usize = 5;
const SHARE: usize = 200;
/// What more than one in so many samples have in common is a kind, however sparse: half of them are no farther out than three quarters of all.
const KIND: usize = 20;
/// Distances that differ by less than this share don't differ, whatever all others do.
const NO_DIFFERENCE: f64 = 0.02;
/// Equal samples are so far apart, as a share of what is usual.
const EQUAL: f64 = 1e-3;

/// Which samples are left without a cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StrayLimit {
    /// Those that are as far out as one in a hundred of ordinary samples.
    Auto,
    /// At most this share of the run's samples, 0..=0.5; 0: every sample has a score, and a cluster.
    Share(f64),
}

/// How little a sample belongs anywhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stray {
    /// The share of ordinary samples that are less far out, 0..=1: of the run's samples half have 0.5 or more, a quarter 0.75, and one in twenty 0.95; beyond
    /// that, as an exponential tail goes on.
    pub score: f32,
    /// Whether it is left without a cluster.
    pub is_stray: bool,
}

/// What tells strays, kept for new samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Strays {
    density: Density,
    parts: StrayParts,
}

/// A [`Strays`] rule in plain numbers, but for the samples that it keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct StrayParts {
    /// The mean distance that is usual in each cluster, length n_clusters.
    pub scales: Vec<f32>,
    /// Of the logarithms of distances over scales of the run's ordinary samples: the median and the upper quartile.
    pub middle: [f32; 2],
    /// By how much the logarithm goes down, below the upper quartile, and up, above it, while the share of samples farther out doubles, and halves.
    pub steps: [f32; 2],
    /// The logarithm from which on a sample is a stray; infinite if none is.
    pub bound: f32,
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

impl StrayParts {
    /// `samples`: the cluster of each, and its distance to those near it; `kept`: the cluster of each that is kept, and its distance to those near it in
    /// other clusters.
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    fn fitted(samples: &[(usize, f64)], kept: &[(usize, f64)], n_clusters: usize) -> Self {
        let usual = usual(samples);
        let distance = |distance: f64| distance.max(EQUAL * usual);
        let of_cluster = |all: &[(usize, f64)], cluster: usize| -> Vec<f64> {
            all.iter().filter(|it| it.0 == cluster).map(|it| distance(it.1)).collect()
        };
        let n = samples.len();
        let own: Vec<(usize, f64)> = (0..n_clusters)
            .map(|cluster| {
                let mut own = of_cluster(samples, cluster);
                (own.len(), quantile(&mut own, 0.5).unwrap_or(usual))
            })
            .collect();
        let scale = |cluster: usize| {
            let (size, own) = own[cluster];
            if size < FEWEST.max(n / SHARE) {
                return usual;
            }
            let apart = quantile(&mut of_cluster(kept, cluster), 0.5).unwrap_or(usual) / own;
            let (least, full) = APART;
            usual * (own / usual).powf(((apart - least) / (full - least)).clamp(0.0, 1.0))
        };
        let mut scales: Vec<f64> = (0..n_clusters).map(scale).collect();
        let logarithms = |scales: &[f64]| -> Vec<f64> {
            samples.iter().map(|&(cluster, it)| (distance(it) / scales[cluster]).ln()).collect()
        };
        let spread = Levels::of(&mut logarithms(&scales)).spread();
        for (scale, &(size, own)) in scales.iter_mut().zip(&own) {
            if size > n / KIND {
                *scale = scale.max(own * (-spread).exp());
            }
        }
        // Those that are clearly strays are no ordinary samples.
        let mut ordinary = logarithms(&scales);
        let clear = Levels::of(&mut ordinary).clear();
        ordinary.retain(|&logarithm| logarithm < clear);
        let Levels { median, upper, tail } = Levels::of(&mut ordinary);
        let up = ((tail - upper) / (0.25_f64 / 0.05).log2()).max(NO_DIFFERENCE / 2.0);
        let down = (upper - median).max(NO_DIFFERENCE);
        Self {
            scales: scales.into_iter().map(|scale| scale as f32).collect(),
            middle: [median as f32, upper as f32],
            steps: [down as f32, up as f32],
            bound: f32::INFINITY,
        }
    }

    /// Of a distance over what is usual in a cluster.
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    fn logarithm(&self, cluster: usize, distance: f32) -> f32 {
        let scale = f64::from(self.scales[cluster]);
        (f64::from(distance) / scale).max(EQUAL).ln() as f32
    }

    /// The logarithm at which a score above 0.75 is reached.
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    fn logarithm_of(&self, score: f64) -> f32 {
        let halvings = (0.25 / (1.0 - score)).log2();
        (f64::from(self.middle[1]) + halvings * f64::from(self.steps[1])) as f32
    }

    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    fn stray(&self, logarithm: f32) -> Stray {
        let beyond = f64::from(logarithm) - f64::from(self.middle[1]);
        let step = self.steps[usize::from(beyond >= 0.0)];
        let farther = 0.25 * (-beyond / f64::from(step)).exp2();
        let score = (1.0 - farther.min(1.0)) as f32;
        Stray { score, is_stray: logarithm >= self.bound }
    }
}

/// Places in a distribution: its median, its upper quartile, and what one in twenty exceed.
#[derive(Clone, Copy)]
struct Levels {
    median: f64,
    upper: f64,
    tail: f64,
}

impl Levels {
    /// Of values that are put in order; zeros of none.
    fn of(values: &mut [f64]) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let [median, upper, tail] =
            [0.5, 0.75, 0.95].map(|share| sorted_quantile(values, share).unwrap_or(0.0));
        Self { median, upper, tail }
    }

    fn spread(self) -> f64 {
        (self.upper - self.median).max(NO_DIFFERENCE)
    }

    /// What fewer than one in a hundred exceed even if the tail is as long as an exponential one that goes through the quartiles. Up to a quarter of the
    /// values may be strays, as these quartiles hardly move.
    fn clear(self) -> f64 {
        self.median + self.spread() * (0.5 / (1.0 - AUTO)).log2()
    }
}

/// The median distance, or, if most are 0, the mean of the others; 1 if all are.
fn usual(samples: &[(usize, f64)]) -> f64 {
    let mut all: Vec<f64> = samples.iter().map(|sample| sample.1).collect();
    let median = quantile(&mut all, 0.5).unwrap_or(0.0);
    if median > 0.0 {
        return median;
    }
    let others: Vec<f64> = all.into_iter().filter(|&distance| distance > 0.0).collect();
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let mean = others.iter().sum::<f64>() / others.len().max(1) as f64;
    if mean > 0.0 { mean } else { 1.0 }
}

fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    sorted_quantile(values, share)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place among a number of samples"
)]
fn sorted_quantile(values: &[f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    values.get((share * last as f64).round() as usize).copied()
}

/// The logarithm that at most this share of all reach; infinite if more are equal to the highest.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a number of samples"
)]
fn bound_of_share(logarithms: &[f32], share: f64) -> f32 {
    let most = (share * logarithms.len() as f64).round() as usize;
    let mut sorted = logarithms.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let Some(&beyond) = sorted.get(most) else { return f32::INFINITY };
    sorted[..most].iter().copied().filter(|&it| it > beyond).fold(f32::INFINITY, f32::min)
}

impl StrayLimit {
    /// What is wrong with it, if anything is.
    pub(crate) fn is_possible(self) -> bool {
        match self {
            Self::Auto => true,
            Self::Share(share) => (0.0..=MOST).contains(&share),
        }
    }
}

impl FromStr for StrayLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let limit = match text {
            "auto" => Some(Self::Auto),
            _ => text.parse().ok().map(Self::Share),
        };
        let possible = limit.filter(|limit| limit.is_possible());
        possible.ok_or_else(|| format!("give a share of the samples, 0 to {MOST}, or auto"))
    }
}

impl fmt::Display for StrayLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Share(share) => share.fmt(f),
        }
    }
}

impl Serialize for StrayLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Share(share) => serializer.serialize_f64(*share),
        }
    }
}

impl<'de> Deserialize<'de> for StrayLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Share(f64),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Share(share) => Ok(Self::Share(share)),
            Written::Word(word) => word.parse().map_err(serde::de::Error::custom),
        }
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

    #[test]
    fn limits_are_read_as_they_are_written() {
        let typed = |text: &str| text.parse::<StrayLimit>();
        assert_eq!(typed("auto"), Ok(StrayLimit::Auto));
        assert_eq!(typed("0.01"), Ok(StrayLimit::Share(0.01)));
        for wrong in ["0.51", "-0.1", "1", "NaN", "some", ""] {
            assert!(typed(wrong).is_err(), "{wrong}");
        }
        for limit in [StrayLimit::Auto, StrayLimit::Share(0.25)] {
            let json = serde_json::to_string(&limit).unwrap();
            assert_eq!(serde_json::from_str::<StrayLimit>(&json).unwrap(), limit);
            assert_eq!(typed(&limit.to_string()), Ok(limit));
        }
    }
}
