//! Which samples to label next: those whose label would tell most of the others.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use consilience_data::{Features, SampleIdx};
use consilience_ensembles::Prepared;
use consilience_graph::Threads;

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

/// Samples between two looks at whether it is to go on.
const WATCHED: usize = 10_000;

/// A sample to label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suggestion {
    /// The sample.
    pub sample: SampleIdx,
    /// How much its label would tell: the number of samples, each as far as the label tells of it.
    pub tells: f64,
}

/// What a run knows of its samples.
struct Known {
    /// What is learnt where a sample's label becomes known, length n_samples.
    weights: Vec<f64>,
    /// How sure it is that each sample is of the class that its cluster is of, 0..=1, length n_samples.
    sure: Vec<f64>,
    /// The cluster of each, length n_samples.
    clusters: Vec<usize>,
    /// Samples whose labels are known.
    labelled: Vec<usize>,
}

/// The `count` samples of a run whose labels would tell most, the best first; fewer, if all others are like them.
///
/// Of a cluster that has no label yet, nobody knows what class it is: its first label tells of all its samples, as far as these, and the one that is
/// labelled, are sure to be of it. So clusters are named first, by samples that are typical of them. Any label tells of its sample's neighbours, too, as
/// far as their neighbourhoods are alike, where the run is unsure: by its confidence, and by whether models of all kinds agree. Samples are taken one after
/// the other, each for what it adds to those before it and to the labels that the run was given (the greedy method for a submodular function:
/// G. Nemhauser, L. Wolsey and M. Fisher, 1978), and counts less in a cluster that has labels already.
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
    let sure = run.confidences.iter().zip(&run.clusters);
    let sure = sure.map(|(&sure, id)| id.map_or(0.0, |_| f64::from(sure))).collect();
    let known = Known { weights, sure, clusters, labelled: labelled.to_vec() };
    let near = Threads::new(threads)?.run(|| similarities(&data, run.n_samples()));
    greedy((&data, &near), &known, none + 1, count, observer)
}

/// A sample that may be taken, and what it was worth when that was last computed: no less than now.
struct Bound {
    worth: f64,
    /// Of equals, the first.
    sample: Reverse<usize>,
}

impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> Ordering {
        self.worth.total_cmp(&other.worth).then(self.sample.cmp(&other.sample))
    }
}

/// Lazily, as what a sample is worth only falls: only those are computed anew that were worth more than the best (M. Minoux, *Accelerated
/// greedy algorithms*, 1978).
fn greedy(
    (data, near): (&Prepared, &[Vec<(u32, f32)>]),
    known: &Known,
    n_clusters: usize,
    count: usize,
    observer: &dyn Observer,
) -> Result<Vec<Suggestion>, RunError> {
    let n = known.weights.len();
    // How far the label of a sample is known by those that are labelled, 0 to 1.
    let mut told = vec![0.0_f64; n];
    let mut in_cluster = vec![0_usize; n_clusters];
    let mut members = vec![0.0_f64; n_clusters];
    known.clusters.iter().zip(&known.sure).for_each(|(&cluster, sure)| members[cluster] += sure);
    let learn = |sample: usize, told: &mut Vec<f64>, in_cluster: &mut Vec<usize>| {
        told[sample] = 1.0;
        for &(other, similarity) in &near[sample] {
            let other = &mut told[other as usize];
            *other = other.max(similarity.into());
        }
        in_cluster[known.clusters[sample]] += 1;
    };
    known.labelled.iter().for_each(|&sample| learn(sample, &mut told, &mut in_cluster));
    let gain = |sample: usize, told: &[f64], in_cluster: &[usize]| {
        let cluster = known.clusters[sample];
        let name =
            if in_cluster[cluster] == 0 { known.sure[sample] * members[cluster] } else { 0.0 };
        let of = |other: usize, similarity: f64| {
            (similarity - told[other]).max(0.0) * known.weights[other]
        };
        let others = near[sample].iter().map(|&(other, like)| of(other as usize, like.into()));
        name + of(sample, 1.0) + others.sum::<f64>()
    };
    let worth = |sample: usize, tells: f64, in_cluster: &[usize]| {
        #[expect(clippy::cast_precision_loss, reason = "a few labels")]
        let labels = (1 + in_cluster[known.clusters[sample]]) as f64;
        tells / labels
    };
    let go_on = || if observer.cancelled() { Err(RunError::Cancelled) } else { Ok(()) };
    let mut bounds = BinaryHeap::with_capacity(data.trainable().len());
    for (at, &sample) in data.trainable().iter().enumerate() {
        if at % WATCHED == 0 {
            go_on()?;
        }
        let sample = sample as usize;
        let worth = worth(sample, gain(sample, &told, &in_cluster), &in_cluster);
        bounds.push(Bound { worth, sample: Reverse(sample) });
    }
    let mut found = Vec::new();
    while found.len() < count {
        let Some(Bound { worth: before, sample: Reverse(sample) }) = bounds.pop() else { break };
        if told[sample] >= KNOWN {
            continue;
        }
        let tells = gain(sample, &told, &in_cluster);
        let worth = worth(sample, tells, &in_cluster);
        if worth < before {
            bounds.push(Bound { worth, sample: Reverse(sample) });
            continue;
        }
        go_on()?;
        learn(sample, &mut told, &mut in_cluster);
        found.push(Suggestion { sample: SampleIdx::from_index(sample), tells });
    }
    Ok(found)
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
        let near = similarities(&data, 150);
        let known = |labelled: &[usize]| Known {
            weights: vec![1.0; 150],
            sure: vec![1.0; 150],
            clusters: clusters.clone(),
            labelled: labelled.to_vec(),
        };
        let of = |labelled: &[usize], count| {
            let found = greedy((&data, &near), &known(labelled), 4, count, &()).unwrap();
            let mut found: Vec<usize> =
                found.iter().map(|suggestion| clusters[suggestion.sample.index()]).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(of(&[], 4), [0, 1, 2, 3]);
        assert_eq!(of(&[1, 40], 2), [2, 3], "two have a label");
        let all = greedy((&data, &near), &known(&[]), 4, 1000, &()).unwrap();
        assert!(all.len() < 100, "{} aren't like those before them", all.len());
        assert!(all[0].tells > all[3].tells || all[0].tells > 5.0, "{all:?}");
    }

    /// The same as when all are computed anew for each.
    #[test]
    fn lazily_is_the_same() {
        let (data, clusters) = crowds();
        let near = similarities(&data, 150);
        let weights: Vec<f64> = (0..150).map(|at| f64::from(at * 7 % 5) / 4.0).collect();
        let sure: Vec<f64> = (0..150).map(|at| f64::from(at * 3 % 10) / 10.0).collect();
        let known = Known { weights, sure, clusters, labelled: vec![3, 77] };
        let found = greedy((&data, &near), &known, 4, 1000, &()).unwrap();
        let (mut told, mut in_cluster) = (vec![0.0_f64; 150], vec![0_u32; 4]);
        let mut learn = |sample: usize, told: &mut Vec<f64>| {
            told[sample] = 1.0;
            for &(other, like) in &near[sample] {
                told[other as usize] = told[other as usize].max(like.into());
            }
            in_cluster[known.clusters[sample]] += 1;
            in_cluster.clone()
        };
        let mut labels = vec![0; 4];
        for sample in [3, 77] {
            labels = learn(sample, &mut told);
        }
        for suggestion in &found {
            let tells = |sample: usize| {
                let of =
                    |other: usize, like: f64| (like - told[other]).max(0.0) * known.weights[other];
                let others =
                    near[sample].iter().map(|&(other, like)| of(other as usize, like.into()));
                let (cluster, sure) = (known.clusters[sample], &known.sure);
                let of_cluster = (0..150).filter(|&other| known.clusters[other] == cluster);
                let members: f64 = of_cluster.map(|other| sure[other]).sum();
                let name = if labels[cluster] == 0 { sure[sample] * members } else { 0.0 };
                name + of(sample, 1.0) + others.sum::<f64>()
            };
            let worth =
                |sample: &usize| tells(*sample) / f64::from(1 + labels[known.clusters[*sample]]);
            let all = data.trainable().iter().map(|&sample| sample as usize);
            let left = all.filter(|&sample| told[sample] < KNOWN);
            let best =
                left.reduce(|best, next| if worth(&next) > worth(&best) { next } else { best });
            assert_eq!(Some(suggestion.sample.index()), best);
            labels = learn(best.unwrap(), &mut told);
        }
        let is_told = |&sample: &u32| told[sample as usize] >= KNOWN;
        assert!(found.len() > 3 && data.trainable().iter().all(is_told), "{found:?}");
    }

    /// A sample at the border of its cluster, which may be of another class, doesn't say what class the cluster is.
    #[test]
    fn clusters_are_named_by_typical_samples_and_large_ones_first() {
        let (data, clusters) = crowds();
        let near = similarities(&data, 150);
        // Half of the samples are unsure: a label of these would tell most of others that are.
        let sure: Vec<f64> = (0..150).map(|at| if at % 2 == 0 { 0.9 } else { 0.4 }).collect();
        let weights = sure.iter().map(|sure| LEAST + 1.0 - sure).collect();
        let known = Known { weights, sure, clusters, labelled: Vec::new() };
        let found = greedy((&data, &near), &known, 4, 4, &()).unwrap();
        let found: Vec<usize> = found.iter().map(|found| found.sample.index()).collect();
        assert!(found[0] >= 90 && found.iter().all(|sample| sample % 2 == 0), "{found:?}");
    }

    #[test]
    fn unsure_samples_come_first_where_all_clusters_have_names() {
        let (data, mut clusters) = crowds();
        let near = similarities(&data, 150);
        let mut weights = vec![LEAST; 150];
        weights[100..110].fill(1.0);
        clusters[0..4].copy_from_slice(&[0, 1, 2, 3]);
        let sure = vec![1.0; 150];
        let known = Known { weights, sure, clusters, labelled: vec![0, 1, 2, 3] };
        let found = greedy((&data, &near), &known, 4, 1, &()).unwrap();
        assert!((90..150).contains(&found[0].sample.index()), "{found:?}");
    }
}
