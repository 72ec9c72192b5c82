//! One clustering out of votes that come without probabilities.

use consilience_data::{ClusterId, PseudoLabels};
use rayon::prelude::*;

use crate::{
    GraphError, SignatureIdx, Signatures, Threads,
    draw::{BOUNDS, draw},
};

/// A cluster for every sample on which a model voted.
#[derive(Debug, Clone, PartialEq)]
pub struct VoteConsensus {
    /// The most probable mini-cluster of each sample (ties: the lowest id), length n_samples; `None` without votes, and
    /// for all if there are no mini-clusters.
    pub clusters: Vec<Option<ClusterId>>,
    /// Its probability, 0..=1, length n_samples; 0 without votes.
    pub confidences: Vec<f32>,
    /// Number of mini-clusters, K.
    pub n_clusters: usize,
}

impl VoteConsensus {
    /// Number of samples in each cluster, length K.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.n_clusters];
        for cluster in self.clusters.iter().flatten() {
            sizes[cluster.index()] += 1;
        }
        sizes
    }
}

/// Probabilities that can be estimated, in all models.
const MAX_PROBABILITIES: usize = 1 << 30;
/// Expectation maximisation ends when no sample's probability changes by more than this,
const TOLERANCE: f32 = 1e-3;
/// or after so many iterations.
const MAX_ITERATIONS: usize = 100;

/// The consensus of votes alone: each model's own clusters may be any number, and mean anything.
///
/// How often each model names which of its clusters for the members of each mini-cluster is estimated by expectation
/// maximisation (Dawid and Skene, *Maximum Likelihood Estimation of Observer Error-Rates*, Applied Statistics 28, 1979). It starts from the mini-clusters, and counts as if one more member of each had been
/// spread over a model's clusters. So a model that merges two mini-clusters, splits one, or errs often, counts for
/// just what its vote tells. Probabilities are those of the mini-clusters given a sample's votes; as models are taken
/// to err independently, they are near 0 or 1 more often than they are right.
///
/// # Arguments
///
/// * `pseudo_labels`: the mini-clusters, as extracted from the same votes: all samples of a signature have the same
///   label or none. Without any, no sample gets a cluster.
///
/// # Errors
///
/// [`GraphError::SampleCount`] if the pseudo-labels are of other samples, [`GraphError::ConsensusSize`] over 2³⁰
/// probabilities in all, K times the number of clusters of all models.
///
/// # Complexity
///
/// O(n_models * K * n_signatures), and the same for each iteration over at most about 131,072 samples (fewer with many
/// clusters), drawn from each mini-cluster and from the samples in none. Memory for the probabilities of votes, about 20
/// bytes each, and for those of the samples drawn.
pub fn consensus_of_votes(
    signatures: &Signatures,
    pseudo_labels: &PseudoLabels,
    threads: &Threads,
) -> Result<VoteConsensus, GraphError> {
    let (found, expected) = (pseudo_labels.n_samples(), signatures.n_samples());
    if found != expected {
        return Err(GraphError::SampleCount { what: "pseudo-labels", found, expected });
    }
    let n_clusters = pseudo_labels.n_clusters();
    if pseudo_labels.is_empty() {
        let (clusters, confidences) = (vec![None; expected], vec![0.0; expected]);
        return Ok(VoteConsensus { clusters, confidences, n_clusters });
    }
    threads.run(|| {
        let mut observers = Observers::new(signatures, n_clusters)?;
        observers.start(pseudo_labels);
        observers.fit(&draw(signatures, pseudo_labels, BOUNDS), MAX_ITERATIONS);
        Ok(observers.consensus())
    })
}

/// Checks that [`consensus_of_votes`] can be had for `k` mini-clusters, before they are looked for.
///
/// # Errors
///
/// [`GraphError::ConsensusSize`].
pub fn check_consensus_size(signatures: &Signatures, k: usize) -> Result<(), GraphError> {
    starts(signatures, k).map(|_| ())
}

/// Where each model's clusters start among those of all models, length n_models + 1, unless there are too many.
fn starts(signatures: &Signatures, k: usize) -> Result<Vec<usize>, GraphError> {
    let mut starts = vec![0; signatures.n_models() + 1];
    for node in signatures.iter() {
        for (model, start) in starts[1..].iter_mut().enumerate() {
            let own = signatures.layout.get(signatures.words_of(node), model);
            *start = own.map_or(0, |own| usize::from(own) + 1).max(*start);
        }
    }
    for model in 0..signatures.n_models() {
        starts[model + 1] += starts[model];
    }
    let n_clusters = starts[signatures.n_models()];
    if n_clusters.saturating_mul(k) > MAX_PROBABILITIES {
        return Err(GraphError::ConsensusSize { k, n_clusters });
    }
    Ok(starts)
}

/// How the models vote, as far as known.
struct Observers<'a> {
    signatures: &'a Signatures,
    k: usize,
    /// Where each model's clusters start among those of all models, length n_models + 1.
    starts: Vec<usize>,
    /// Logarithm of the probability of each vote given the mini-cluster, shape (clusters of all models, K).
    log_votes: Vec<f32>,
    /// Logarithm of the probability of each mini-cluster, length K.
    log_prior: Vec<f32>,
}

impl<'a> Observers<'a> {
    fn new(signatures: &'a Signatures, k: usize) -> Result<Self, GraphError> {
        let starts = starts(signatures, k)?;
        let (log_votes, log_prior) = (vec![0.0; starts[signatures.n_models()] * k], vec![0.0; k]);
        Ok(Self { signatures, k, starts, log_votes, log_prior })
    }

    /// Learns from the mini-clusters alone.
    fn start(&mut self, pseudo_labels: &PseudoLabels) {
        let mut counts = vec![0.0; self.log_votes.len()];
        let mut sizes = vec![0.0; self.k];
        for entry in pseudo_labels.entries() {
            let signature = self.signatures.of_sample(entry.sample);
            // A signature's samples are labelled alike; its first one stands for them.
            if self.signatures.first_sample(signature) == entry.sample {
                let weight = f64::from(self.signatures.multiplicity(signature));
                sizes[entry.label.index()] += weight;
                for row in self.rows(signature) {
                    counts[row * self.k + entry.label.index()] += weight;
                }
            }
        }
        self.learn(&counts, &sizes);
    }

    /// Expectation maximisation, of at most so many iterations.
    fn fit(&mut self, nodes: &[(SignatureIdx, f64)], iterations: usize) {
        let mut probabilities = vec![0.0; nodes.len() * self.k];
        for _ in 0..iterations {
            let change = nodes
                .par_iter()
                .zip(probabilities.par_chunks_exact_mut(self.k))
                .map_init(
                    || (vec![0.0; self.k], vec![0.0; self.k]),
                    |(sums, updated), (&(node, _), old)| {
                        self.infer(node, sums, updated);
                        let change = updated.iter().zip(&*old).map(|(new, old)| (new - old).abs());
                        let change = change.fold(0.0, f32::max);
                        old.copy_from_slice(updated);
                        change
                    },
                )
                .reduce(|| 0.0, f32::max);
            if change < TOLERANCE {
                return;
            }
            self.maximise(nodes, &probabilities);
        }
    }

    /// Learns from the probabilities of all mini-clusters for each of `nodes`, shape (n_nodes, K). Each model on its
    /// own, so that sums don't depend on the number of threads.
    fn maximise(&mut self, nodes: &[(SignatureIdx, f64)], probabilities: &[f32]) {
        let k = self.k;
        let weighted = || nodes.iter().zip(probabilities.chunks_exact(k));
        let mut sizes = vec![0.0; k];
        for (&(_, weight), probabilities) in weighted() {
            add(&mut sizes, probabilities, weight);
        }
        let counts = (0..self.signatures.n_models()).into_par_iter().flat_map_iter(|model| {
            let mut counts = vec![0.0; (self.starts[model + 1] - self.starts[model]) * k];
            for (&(node, weight), probabilities) in weighted() {
                let words = self.signatures.words_of(node);
                if let Some(own) = self.signatures.layout.get(words, model) {
                    add(&mut counts[usize::from(own) * k..][..k], probabilities, weight);
                }
            }
            counts
        });
        let counts: Vec<f64> = counts.collect();
        self.learn(&counts, &sizes);
    }

    /// Probabilities from (expected) numbers: of members that each model puts into each of its clusters, shape
    /// (clusters of all models, K), and of members, length K.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "logarithms")]
    fn learn(&mut self, counts: &[f64], sizes: &[f64]) {
        let k = self.k;
        for range in self.starts.windows(2) {
            let (counts, one_more) =
                (&counts[range[0] * k..range[1] * k], 1.0 / (range[1] - range[0]) as f64);
            let mut totals = vec![1.0; k];
            counts.chunks_exact(k).for_each(|row| {
                totals.iter_mut().zip(row).for_each(|(total, count)| *total += count);
            });
            let logs = self.log_votes[range[0] * k..range[1] * k].chunks_exact_mut(k);
            for (row, logs) in counts.chunks_exact(k).zip(logs) {
                for ((log, count), total) in logs.iter_mut().zip(row).zip(&totals) {
                    *log = ((count + one_more) / total).ln() as f32;
                }
            }
        }
        let total = sizes.iter().sum::<f64>() + k as f64;
        for (log, size) in self.log_prior.iter_mut().zip(sizes) {
            *log = ((size + 1.0) / total).ln() as f32;
        }
    }

    /// The probability of each mini-cluster given a signature's votes, into `probabilities`, length K; `sums` is for
    /// scratch.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "differences of at most some hundreds, storage"
    )]
    fn infer(&self, node: SignatureIdx, sums: &mut [f64], probabilities: &mut [f32]) {
        sums.iter_mut().zip(&self.log_prior).for_each(|(sum, &log)| *sum = f64::from(log));
        for row in self.rows(node) {
            let logs = &self.log_votes[row * self.k..][..self.k];
            sums.iter_mut().zip(logs).for_each(|(sum, &log)| *sum += f64::from(log));
        }
        let largest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut total = 0.0;
        for (probability, sum) in probabilities.iter_mut().zip(sums) {
            *probability = ((*sum - largest) as f32).exp();
            total += f64::from(*probability);
        }
        let share = (1.0 / total) as f32;
        probabilities.iter_mut().for_each(|probability| *probability *= share);
    }

    fn consensus(&self) -> VoteConsensus {
        let nodes = (0..self.signatures.len()).into_par_iter().map(SignatureIdx::new);
        let best: Vec<(Option<ClusterId>, f32)> = nodes
            .map_init(
                || (vec![0.0; self.k], vec![0.0; self.k]),
                |(sums, probabilities), node| {
                    if self.rows(node).next().is_none() {
                        return (None, 0.0);
                    }
                    self.infer(node, sums, probabilities);
                    let mut best = 0;
                    for cluster in 1..self.k {
                        if probabilities[cluster] > probabilities[best] {
                            best = cluster;
                        }
                    }
                    (Some(ClusterId::from_index(best)), probabilities[best])
                },
            )
            .collect();
        let of_sample = self.signatures.of_sample.iter().map(|&signature| best[signature as usize]);
        let (clusters, confidences) = of_sample.unzip();
        VoteConsensus { clusters, confidences, n_clusters: self.k }
    }

    /// Rows of [`Self::log_votes`], one for each model that voted.
    fn rows(&self, node: SignatureIdx) -> impl Iterator<Item = usize> {
        let words = self.signatures.words_of(node);
        let own = move |model| self.signatures.layout.get(words, model).map(usize::from);
        (0..self.signatures.n_models())
            .filter_map(move |model| Some(self.starts[model] + own(model)?))
    }
}

fn add(sums: &mut [f64], probabilities: &[f32], weight: f64) {
    for (sum, &probability) in sums.iter_mut().zip(probabilities) {
        *sum += weight * f64::from(probability);
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::Votes;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        AgreementGraph, AgreementParams,
        common::{fitting, params, votes},
        draw::Bounds,
    };

    /// Few: where models contradict each other evenly, iterations magnify the last digit without end.
    const ITERATIONS: usize = 6;

    /// Sample by sample, in products of probabilities and not in logarithms, without any bound.
    fn dense(votes: &Votes, labels: &PseudoLabels) -> Array2<f64> {
        let (k, n) = (labels.n_clusters(), votes.n_samples());
        let clusters = votes.clusters();
        let own = |model: usize| clusters.row(model).into_iter().filter(|&&c| c != Votes::MISSING);
        let n_own = |model: usize| own(model).max().map_or(0, |&largest| usize::from(largest) + 1);
        let mut weights = Array2::<f64>::zeros((n, k));
        for entry in labels.entries() {
            weights[(entry.sample.index(), entry.label.index())] = 1.0;
        }
        for iteration in 0..=ITERATIONS {
            let mut updated = Array2::<f64>::zeros((n, k));
            for sample in 0..n {
                for cluster in 0..k {
                    let mass = weights.column(cluster).sum();
                    let mut product = (mass + 1.0) / (weights.sum() + k as f64);
                    for model in 0..votes.n_models() {
                        let vote = clusters[(model, sample)];
                        if vote == Votes::MISSING {
                            continue;
                        }
                        let (mut same, mut all) = (1.0 / n_own(model) as f64, 1.0);
                        for other in (0..n).filter(|&j| clusters[(model, j)] != Votes::MISSING) {
                            all += weights[(other, cluster)];
                            if clusters[(model, other)] == vote {
                                same += weights[(other, cluster)];
                            }
                        }
                        product *= same / all;
                    }
                    updated[(sample, cluster)] = product;
                }
                let total = updated.row(sample).sum();
                updated.row_mut(sample).mapv_inplace(|product| product / total);
            }
            let change = (&updated - &weights).mapv(f64::abs).fold(0.0, |a: f64, &b| a.max(b));
            weights = updated;
            if iteration > 0 && change < f64::from(TOLERANCE) {
                break;
            }
        }
        weights
    }

    proptest! {
        #[test]
        fn expectation_maximisation_equals_the_dense_oracle(votes in votes(), params in params()) {
            let agreement = fitting(&votes, &params).check(votes.n_models()).unwrap();
            let threads = Threads::new(2).unwrap();
            let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
            let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
            let labels = graph.extract(3, &threads).unwrap().pseudo_labels;
            let found = consensus_of_votes(&signatures, &labels, &threads).unwrap();
            prop_assert_eq!(&found, &consensus_of_votes(&signatures, &labels, &Threads::new(1).unwrap()).unwrap());
            if labels.is_empty() {
                prop_assert!(found.clusters.iter().all(Option::is_none));
                return Ok(());
            }
            let mut observers = Observers::new(&signatures, labels.n_clusters()).unwrap();
            observers.start(&labels);
            observers.fit(&draw(&signatures, &labels, BOUNDS), ITERATIONS);
            let found = observers.consensus();
            let expected = dense(&votes, &labels);
            for (sample, cluster) in found.clusters.iter().enumerate() {
                let voted = votes.clusters().column(sample).iter().any(|&c| c != Votes::MISSING);
                prop_assert_eq!(cluster.is_some(), voted);
                if let Some(cluster) = cluster {
                    let best = expected.row(sample).fold(0.0, |a: f64, &b| a.max(b));
                    let own = expected[(sample, cluster.index())];
                    prop_assert!((best - own).abs() < 0.05, "{best} {own}");
                    let confidence = f64::from(found.confidences[sample]);
                    prop_assert!((confidence - own).abs() < 0.05, "{confidence} {own}");
                }
            }
        }
    }

    /// With samples in an order that has a period, and clusters that a sample could miss.
    #[test]
    fn no_mini_cluster_is_forgotten_among_many_samples() {
        let bounds = Bounds { samples: 100, cells: 400, least: 50 };
        for period in [2, 5, 10] {
            let cluster = |at: usize| if at > 4990 { at - 4991 + period } else { at % period };
            let clusters =
                Array2::from_shape_fn((3, 5000), |(_, at)| u16::try_from(cluster(at)).unwrap());
            let votes = Votes::new(clusters.clone(), Array2::ones((3, 5000))).unwrap();
            let agreement = AgreementParams::default().check(3).unwrap();
            let threads = Threads::new(2).unwrap();
            let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
            let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
            let labels = graph.extract(period + 9, &threads).unwrap().pseudo_labels;
            let mut observers = Observers::new(&signatures, labels.n_clusters()).unwrap();
            observers.start(&labels);
            let nodes = draw(&signatures, &labels, bounds);
            assert_eq!(nodes.iter().map(|(_, weight)| weight).sum::<f64>(), 5000.0);
            observers.fit(&nodes, MAX_ITERATIONS);
            let found = observers.consensus().clusters;
            for entry in labels.entries() {
                assert_eq!(found[entry.sample.index()], Some(entry.label), "period {period}");
            }
        }
    }

    /// Three models with numbers of clusters of their own: one sees both clusters, one splits the first, and one
    /// joins everything; the last two samples have a single vote and none.
    #[test]
    fn models_may_have_any_clusters() {
        const NONE: u16 = Votes::MISSING;
        let clusters = array![
            [0, 0, 0, 0, 1, 1, 1, 1, NONE, NONE],
            [5, 5, 6, 6, 2, 2, 2, 2, 6, NONE],
            [0, 0, 0, 0, 0, 0, 0, 0, NONE, NONE]
        ];
        let votes = Votes::new(clusters, Array2::ones((3, 10))).unwrap();
        let params =
            AgreementParams { max_agree: crate::Strictness::Count(1), ..Default::default() };
        let agreement = params.check(3).unwrap();
        let threads = Threads::new(1).unwrap();
        let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
        let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
        let labels = graph.extract(2, &threads).unwrap().pseudo_labels;
        let found = consensus_of_votes(&signatures, &labels, &threads).unwrap();
        let ids: Vec<_> = found.clusters.iter().map(|cluster| cluster.map(|id| id.0)).collect();
        assert_eq!(ids[..9], [1, 1, 1, 1, 0, 0, 0, 0, 1].map(Some));
        assert_eq!((ids[9], found.confidences[9]), (None, 0.0));
        assert_eq!(found.sizes(), [4, 5]);
    }
}
