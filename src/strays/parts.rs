//! The rule by which samples are told to belong nowhere, in numbers: what distances are usual, and how they are spread.

/// The score from which on samples are strays by `auto`: that of one in a hundred of ordinary samples.
pub(super) const AUTO: f64 = 0.99;
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

/// How little a sample belongs anywhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stray {
    /// The share of ordinary samples that are less far out, 0..=1. Of the run's samples that differ from those near them half have 0.5 or more, and one in
    /// twenty 0.95 or more.
    pub score: f32,
    /// Whether it is left without a cluster.
    pub is_stray: bool,
}

/// A [`Strays`](super::Strays) rule in plain numbers, but for the samples that it keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct StrayParts {
    /// The mean distance that is usual in each cluster, length n_clusters.
    pub scales: Vec<f32>,
    /// Of the logarithms of distances over scales of the run's ordinary samples, those that equal all that are near them left out: the median and the upper
    /// quartile.
    pub middle: [f32; 2],
    /// By how much the logarithm goes down, below the upper quartile, and up, above it, while the share of samples farther out doubles, and halves.
    pub steps: [f32; 2],
    /// The logarithm from which on a sample is a stray; infinite if none is.
    pub bound: f32,
}

impl StrayParts {
    /// `samples`: the cluster of each, and its distance to those near it; `kept`: the cluster of each that is kept, and its distance to those near it in
    /// other clusters.
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    pub(super) fn fitted(
        samples: &[(usize, f64)],
        kept: &[(usize, f64)],
        n_clusters: usize,
    ) -> Self {
        let usual = usual(samples);
        let distance = |distance: f64| distance.max(EQUAL * usual);
        let of_cluster = |all: &[(usize, f64)], cluster: usize| -> Vec<f64> {
            all.iter().filter(|it| it.0 == cluster).map(|it| it.1).collect()
        };
        let n = samples.len();
        let own: Vec<Own> = (0..n_clusters)
            .map(|cluster| {
                let all = of_cluster(samples, cluster);
                let mut apart: Vec<f64> =
                    all.iter().filter(|&&it| it > 0.0).map(|&it| distance(it)).collect();
                let median = quantile(&mut apart, 0.5).unwrap_or(usual);
                Own { size: all.len(), n_apart: apart.len(), median }
            })
            .collect();
        let scale = |cluster: usize| {
            let Own { size, n_apart, median } = own[cluster];
            // Among equal samples there is no distance that is usual.
            if size < FEWEST.max(n / SHARE) || 2 * n_apart < size {
                return usual;
            }
            let mut to_others = of_cluster(kept, cluster);
            let apart = quantile(&mut to_others, 0.5).map_or(usual, distance) / median;
            let (least, full) = APART;
            usual * (median / usual).powf(((apart - least) / (full - least)).clamp(0.0, 1.0))
        };
        let mut scales: Vec<f64> = (0..n_clusters).map(scale).collect();
        // Equal samples say nothing of how distances are spread, unless hardly any are not equal to others.
        let n_apart = samples.iter().filter(|it| it.1 > 0.0).count();
        let counts = |it: &&(usize, f64)| it.1 > 0.0 || n_apart <= n / KIND;
        let logarithms = |scales: &[f64]| -> Vec<f64> {
            let counted = samples.iter().filter(counts);
            counted.map(|&(cluster, it)| (distance(it) / scales[cluster]).ln()).collect()
        };
        let spread = Levels::of(&mut logarithms(&scales)).spread();
        for (scale, own) in scales.iter_mut().zip(&own) {
            if own.n_apart > n / KIND {
                *scale = scale.max(own.median * (-spread).exp());
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
    pub(super) fn logarithm(&self, cluster: usize, distance: f32) -> f32 {
        let scale = f64::from(self.scales[cluster]);
        (f64::from(distance) / scale).max(EQUAL).ln() as f32
    }

    /// The logarithm at which a score above 0.75 is reached.
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    pub(super) fn logarithm_of(&self, score: f64) -> f32 {
        let halvings = (0.25 / (1.0 - score)).log2();
        (f64::from(self.middle[1]) + halvings * f64::from(self.steps[1])) as f32
    }

    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    pub(super) fn stray(&self, logarithm: f32) -> Stray {
        let beyond = f64::from(logarithm) - f64::from(self.middle[1]);
        let step = self.steps[usize::from(beyond >= 0.0)];
        let farther = 0.25 * (-beyond / f64::from(step)).exp2();
        let score = (1.0 - farther.min(1.0)) as f32;
        Stray { score, is_stray: logarithm >= self.bound }
    }
}

/// What distances are usual in a cluster.
struct Own {
    /// Number of samples.
    size: usize,
    /// Those that aren't equal to all that are near them.
    n_apart: usize,
    /// The median distance of these.
    median: f64,
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

/// The median distance of samples that aren't equal to all that are near them; 1 if all are.
fn usual(samples: &[(usize, f64)]) -> f64 {
    let mut apart: Vec<f64> = samples.iter().map(|it| it.1).filter(|&it| it > 0.0).collect();
    quantile(&mut apart, 0.5).unwrap_or(1.0)
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
pub(super) fn bound_of_share(logarithms: &[f32], share: f64) -> f32 {
    // At most: a share of 0.29 of 100 is 29, although their product is less in binary.
    let most = (share * logarithms.len() as f64 + 1e-9).floor() as usize;
    let mut sorted = logarithms.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let Some(&beyond) = sorted.get(most) else { return f32::INFINITY };
    sorted[..most].iter().copied().filter(|&it| it > beyond).fold(f32::INFINITY, f32::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_exceeded() {
        let logarithms: Vec<f32> = (0..150_u8).map(f32::from).collect();
        let above = |share: f64| {
            let bound = bound_of_share(&logarithms, share);
            logarithms.iter().filter(|&&it| it >= bound).count()
        };
        // 1.5 of 150 are one, 1.9995 are one, and 0.006 none; 0.02 of 150 are 3, to the last.
        assert_eq!([0.01, 0.013_33, 0.000_04, 0.02, 0.0].map(above), [1, 1, 0, 3, 0]);
        let hundred = &logarithms[..100];
        assert_eq!(bound_of_share(hundred, 0.29), 71.0, "0.29 x 100 is less than 29 in binary");
    }
}
