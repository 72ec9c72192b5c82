//! Which samples to label next: those whose label would tell most of the others.

use consilience_data::{Features, SampleIdx};
use consilience_ensembles::Prepared;

use crate::algorithm::prepared;
use crate::error::RunError;
use crate::progress::Observer;
use crate::run_folder::RunFolder;

/// Neighbours that a label tells something of.
const NEIGHBOURS: usize = 30;
/// What every sample counts for, so that crowds count where all is sure.
const LEAST: f64 = 0.05;
/// What a sample counts for more if the run's models don't agree on it.
const DISAGREED: f64 = 0.5;
/// A sample that a labelled one tells so much of would tell nothing new.
const KNOWN: f64 = 0.5;

/// A sample to label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suggestion {
    /// The sample.
    pub sample: SampleIdx,
    /// How much its label would tell of samples that the run is unsure of: the number of them, each as far as it is like this one.
    pub tells: f64,
}

/// What a run knows of its samples.
struct Known {
    /// What is learnt where a sample's label becomes known, length n_samples.
    weights: Vec<f64>,
    /// The cluster of each, length n_samples.
    clusters: Vec<usize>,
    /// Samples whose labels are known.
    labelled: Vec<usize>,
}

/// The `count` samples of a run whose labels would tell most, the best first; fewer, if all others are like them.
///
/// A label tells of its sample's neighbours, as far as their neighbourhoods are alike; and it tells something where the run is unsure: by its
/// confidence, and by whether models of all kinds agree. Samples are taken one after the other, each for what it adds to those before it and to
/// the labels that the run was given (the greedy method for a submodular function: G. Nemhauser, L. Wolsey and M. Fisher, 1978), and
/// counts less in a cluster that has labels already, so that all clusters have some first.
///
/// # Arguments
///
/// * `features`: those of the run, shape (n_samples, n_features), unscaled.
/// * `labelled`: samples whose labels are known.
///
/// # Errors
///
/// [`RunError::Folder`] for settings that can't be read, and those of preparing the data.
pub fn suggest(
    run: &RunFolder,
    features: &Features,
    labelled: &[usize],
    count: usize,
    threads: usize,
    observer: &dyn Observer,
) -> Result<Vec<Suggestion>, RunError> {
    let config = run.settings()?;
    let data = prepared(features, &config, threads, observer)?;
    let mut weights: Vec<f64> =
        run.confidences.iter().map(|&sure| LEAST + 1.0 - f64::from(sure) + DISAGREED).collect();
    for entry in run.pseudo_labels.entries() {
        weights[entry.sample.index()] -= DISAGREED;
    }
    let none = run.n_clusters();
    let clusters = run.clusters.iter().map(|id| id.map_or(none, |id| id.index())).collect();
    let known = Known { weights, clusters, labelled: labelled.to_vec() };
    Ok(greedy(&data, &known, none + 1, count))
}

fn greedy(data: &Prepared, known: &Known, n_clusters: usize, count: usize) -> Vec<Suggestion> {
    let n = known.weights.len();
    let near = similarities(data, n);
    // How far the label of a sample is known by those that are labelled, 0 to 1.
    let mut told = vec![0.0_f64; n];
    let mut in_cluster = vec![0_usize; n_clusters];
    let learn = |sample: usize, told: &mut Vec<f64>, in_cluster: &mut Vec<usize>| {
        told[sample] = 1.0;
        for &(other, similarity) in &near[sample] {
            let other = &mut told[other as usize];
            *other = other.max(similarity.into());
        }
        in_cluster[known.clusters[sample]] += 1;
    };
    known.labelled.iter().for_each(|&sample| learn(sample, &mut told, &mut in_cluster));
    let gain = |sample: usize, told: &[f64]| {
        let of = |other: usize, similarity: f64| {
            (similarity - told[other]).max(0.0) * known.weights[other]
        };
        let others = near[sample].iter().map(|&(other, like)| of(other as usize, like.into()));
        of(sample, 1.0) + others.sum::<f64>()
    };
    let mut found = Vec::new();
    while found.len() < count {
        let mut best: Option<(f64, f64, usize)> = None;
        for &sample in data.trainable() {
            let sample = sample as usize;
            if told[sample] >= KNOWN {
                continue;
            }
            let tells = gain(sample, &told);
            #[expect(clippy::cast_precision_loss, reason = "a few labels")]
            let worth = tells / (1 + in_cluster[known.clusters[sample]]) as f64;
            // The first of equals.
            if best.is_none_or(|(most, _, _)| worth > most) {
                best = Some((worth, tells, sample));
            }
        }
        let Some((_, tells, sample)) = best else { break };
        learn(sample, &mut told, &mut in_cluster);
        found.push(Suggestion { sample: SampleIdx::from_index(sample), tells });
    }
    found
}

/// Of each sample, those near it and how alike their neighbourhoods are.
fn similarities(data: &Prepared, n: usize) -> Vec<Vec<(u32, f32)>> {
    let mut near = vec![Vec::new(); n];
    let edges = data.neighbour_graph().map(|graph| graph.edges(NEIGHBOURS));
    for (a, b, similarity) in edges.unwrap_or_default() {
        near[a as usize].push((b, similarity));
        near[b as usize].push((a, similarity));
    }
    near
}

#[cfg(test)]
mod tests {
    use consilience_data::{Features, Seed, Stream};
    use consilience_ensembles::Scaling;
    use ndarray::Array2;

    use super::*;

    /// Three crowds of thirty, a large one of sixty, and no two samples alike.
    fn crowds() -> (Prepared, Vec<usize>) {
        let noise = Seed(5).rng(Stream::Subset).normal(300);
        let cluster = |row: usize| row.min(119) / 30;
        let values = Array2::from_shape_fn((150, 2), |(row, column)| {
            let centre = if column == 0 { cluster(row) % 2 } else { cluster(row) / 2 };
            noise[row * 2 + column] * 0.3 + if centre == 0 { -3.0 } else { 3.0 }
        });
        let features = Features::new(values, "x").unwrap();
        let mut data = Prepared::new(&features, Scaling::None, Seed(1), 1).unwrap();
        data.measure_distances(1).unwrap();
        (data, (0..150).map(cluster).collect())
    }

    #[test]
    fn all_clusters_have_some_first_but_those_that_have_labels() {
        let (data, clusters) = crowds();
        let known = |labelled: &[usize]| Known {
            weights: vec![1.0; 150],
            clusters: clusters.clone(),
            labelled: labelled.to_vec(),
        };
        let of = |labelled: &[usize], count| {
            let found = greedy(&data, &known(labelled), 4, count);
            let mut found: Vec<usize> =
                found.iter().map(|suggestion| clusters[suggestion.sample.index()]).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(of(&[], 4), [0, 1, 2, 3]);
        assert_eq!(of(&[1, 40], 2), [2, 3], "two have a label");
        let all = greedy(&data, &known(&[]), 4, 1000);
        assert!(all.len() < 100, "{} aren't like those before them", all.len());
        assert!(all[0].tells > all[3].tells || all[0].tells > 5.0, "{all:?}");
    }

    #[test]
    fn unsure_samples_come_first() {
        let (data, clusters) = crowds();
        let mut weights = vec![LEAST; 150];
        weights[100..110].fill(1.0);
        let known = Known { weights, clusters, labelled: Vec::new() };
        let found = greedy(&data, &known, 4, 1);
        assert!((90..150).contains(&found[0].sample.index()), "{found:?}");
    }
}
