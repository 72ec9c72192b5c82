//! `clusters.csv`: what each cluster is, in a line.

use std::path::Path;

use consilience_data::{ClusterId, Features, SampleIdx};
use serde::Serialize;

use super::results::{row, write_csv};
use super::source::Provenance;
use crate::RunError;
use crate::contrast::{Contrast, Contrasts};
use crate::outcome::Outcome;

/// Samples and features that are named of each cluster, at most.
const TYPICAL: usize = 5;
const FEATURES: usize = 5;
/// What separates them.
const BETWEEN: &str = "; ";

/// A line of `clusters.csv`.
#[derive(Serialize)]
struct Described {
    cluster: usize,
    /// Number of samples.
    size: usize,
    /// Of all samples.
    share: f64,
    /// Mean confidence.
    confidence: f64,
    /// Ids, or rows of the data, of the samples nearest to the mean of the cluster, the nearest first.
    typical: String,
    /// The features, or terms, in which it differs most from the other samples.
    features: String,
}

const HEADER: [&str; 6] = ["cluster", "size", "share", "confidence", "typical", "features"];

/// Clusters that are to be described.
#[derive(Debug, Clone, Copy)]
pub struct Clustering<'a> {
    /// The cluster of every sample, length n_samples; `None` of those that have none.
    pub clusters: &'a [Option<ClusterId>],
    /// How sure it is, length n_samples.
    pub confidences: &'a [f32],
    /// Number of clusters, K.
    pub n_clusters: usize,
    /// Features as models see them.
    pub seen: &'a Features,
}

impl<'a> Clustering<'a> {
    /// What a run ended with; `clusters`: as [`Outcome::clusters`] has them.
    #[must_use]
    pub fn of(outcome: &'a Outcome, clusters: &'a [Option<ClusterId>]) -> Self {
        let answer = &outcome.answer;
        let (n_clusters, seen) = (answer.assignments.n_clusters(), outcome.data.features());
        Self { clusters, confidences: &answer.confidence, n_clusters, seen }
    }
}

/// Describes each cluster of a run in `clusters.csv`, by its size, its most typical samples, and what sets it apart from the others. O(n d).
///
/// # Arguments
///
/// * `features`: as the files have them, shape (n_samples, n_features).
/// * `is_text`: whether features are terms, of which only those count that a cluster has more of.
///
/// # Errors
///
/// [`DataError::Unwritable`](consilience_data::DataError::Unwritable).
pub fn write_clusters(
    folder: &Path,
    found: &Clustering<'_>,
    features: &Features,
    provenance: &Provenance<'_>,
    is_text: bool,
) -> Result<(), RunError> {
    let (k, n) = (found.n_clusters, found.clusters.len());
    let contrasts = Contrasts::of(features, found.clusters, k);
    let (mut sizes, mut confidences) = (vec![0; k], vec![0.0; k]);
    for (cluster, &confidence) in found.clusters.iter().zip(found.confidences) {
        let Some(cluster) = cluster else { continue };
        sizes[cluster.index()] += 1;
        confidences[cluster.index()] += f64::from(confidence);
    }
    let typical = typical(found, &sizes);
    let called = |&sample: &usize| match provenance.ids {
        Some(ids) => ids[sample].clone(),
        None => row(provenance.rows, SampleIdx::from_index(sample)).to_string(),
    };
    #[expect(clippy::cast_precision_loss, reason = "shares of a number of samples")]
    let line = |cluster: usize| {
        let size = sizes[cluster];
        let contrasts = if is_text {
            contrasts.terms(cluster, FEATURES)
        } else {
            contrasts.features(cluster, FEATURES)
        };
        let words = contrasts.iter().map(|contrast| worded(contrast, provenance, is_text));
        Described {
            cluster,
            size,
            share: thousandths(size as f64 / n as f64),
            confidence: thousandths(confidences[cluster] / size.max(1) as f64),
            typical: typical[cluster].iter().map(called).collect::<Vec<_>>().join(BETWEEN),
            features: words.collect::<Vec<_>>().join(BETWEEN),
        }
    };
    Ok(write_csv(&folder.join("clusters.csv"), &HEADER, (0..k).map(line))?)
}

/// A feature in words: its mean in the cluster, and in all others.
fn worded(contrast: &Contrast, provenance: &Provenance<'_>, is_text: bool) -> String {
    let Contrast { feature, means: (inside, outside), .. } = *contrast;
    let recipe = provenance.recipe;
    let name = recipe.feature_names.as_ref().and_then(|names| names.get(feature));
    let name = name.map_or_else(|| format!("feature {feature}"), Clone::clone);
    if is_text {
        return name;
    }
    let [inside, outside] = [inside, outside].map(|mean| recipe.original_mean(feature, mean));
    format!("{name} {} (else {})", thousandths(inside), thousandths(outside))
}

/// The samples of each cluster that are nearest to its mean, by the features as models see them.
fn typical(found: &Clustering<'_>, sizes: &[usize]) -> Vec<Vec<usize>> {
    let (features, k) = (found.seen, found.n_clusters);
    let in_clusters = || {
        let all = found.clusters.iter().enumerate();
        all.filter_map(|(sample, cluster)| Some((sample, (*cluster)?.index())))
    };
    let mut means = vec![vec![0.0_f64; features.n_features()]; k];
    for (sample, cluster) in in_clusters() {
        #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
        let share = 1.0 / sizes[cluster] as f64;
        for (sum, &value) in means[cluster].iter_mut().zip(features.row(sample)) {
            *sum += share * f64::from(value);
        }
    }
    let mut nearest: Vec<Vec<(f64, usize)>> = vec![Vec::new(); k];
    for (sample, cluster) in in_clusters() {
        let pairs = means[cluster].iter().zip(features.row(sample));
        let distance = pairs.map(|(mean, &value)| (mean - f64::from(value)).powi(2)).sum::<f64>();
        let near = &mut nearest[cluster];
        near.push((distance, sample));
        if near.len() > 2 * TYPICAL {
            closest(near);
        }
    }
    nearest.iter_mut().for_each(closest);
    nearest.into_iter().map(|near| near.into_iter().map(|(_, sample)| sample).collect()).collect()
}

/// Keeps the closest; of equals, the first samples.
fn closest(near: &mut Vec<(f64, usize)>) {
    near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    near.truncate(TYPICAL);
}

fn thousandths(value: f64) -> f64 {
    if value.abs() < 1e12 { (value * 1000.0).round() / 1000.0 } else { value }
}
