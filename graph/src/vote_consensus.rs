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

/// Expectation maximisation ends when no sample's probability changes by more than this,
const TOLERANCE: f32 = 1e-3;
/// or after so many iterations.
const MAX_ITERATIONS: usize = 100;
/// Probabilities below this are taken for none, so that what is learnt from them stays sparse.
const NEGLIGIBLE: f32 = 1e-9;
/// Pairs of a cluster of a model and a mini-cluster of which something may be known, at most; 24 bytes each.
const MAX_KNOWN: usize = 1 << 26;
/// Models times mini-clusters, at most; 4 bytes each.
const MAX_UNKNOWN: usize = 1 << 27;

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
/// [`GraphError::SampleCount`] if the pseudo-labels are of other samples, [`GraphError::ConsensusSize`] if K times the number
/// of models is over 2²⁷, [`GraphError::Cancelled`] if whoever watches the threads says so.
///
/// # Complexity
///
/// O(n_signatures * (n_models + K + p)), p being the pairs of a vote and a mini-cluster that have occurred together, over all votes
/// of a sample; times n_models where votes are missing. The same for each iteration over at most about 131,072 samples (fewer with many
/// clusters), drawn from each mini-cluster and from the samples in none. Memory: 24 bytes for each such pair of all models, which are few
/// where models mostly agree, and never more than 2²⁶; 8 bytes for each of the samples' probabilities that aren't negligible; and 4 for
/// each model and mini-cluster.
pub fn consensus_of_votes(
    signatures: &Signatures,
    pseudo_labels: &PseudoLabels,
    threads: &Threads<'_>,
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
    check_consensus_size(signatures, n_clusters)?;
    threads.run(|| {
        let mut observers = Observers::new(signatures, n_clusters);
        observers.start(pseudo_labels);
        observers.fit(&draw(signatures, pseudo_labels, BOUNDS), MAX_ITERATIONS, threads)?;
        threads.go_on()?;
        Ok(observers.consensus())
    })
}

/// Checks that [`consensus_of_votes`] can be had for `k` mini-clusters, before they are looked for.
///
/// # Errors
///
/// [`GraphError::ConsensusSize`].
pub fn check_consensus_size(signatures: &Signatures, k: usize) -> Result<(), GraphError> {
    let n_models = signatures.n_models();
    if n_models.saturating_mul(k) > MAX_UNKNOWN {
        return Err(GraphError::ConsensusSize { k, n_models });
    }
    Ok(())
}

/// Where each model's clusters start among those of all models, length n_models + 1.
fn starts(signatures: &Signatures) -> Vec<usize> {
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
    starts
}

/// Numbers by mini-cluster, ascending; those of all others are 0.
type Sparse<T> = Vec<(u32, T)>;

/// How the models vote, as far as known.
///
/// The logarithm of the probability of a vote given a mini-cluster is that of a vote that has never been seen with it, which is the
/// same for all of a model's, and what is known beyond.
struct Observers<'a> {
    signatures: &'a Signatures,
    k: usize,
    /// Where each model's clusters start among those of all models, length n_models + 1.
    starts: Vec<usize>,
    /// By cluster of all models, what is known beyond: ln(1 + expected members / the part of one more), above 0.
    known: Vec<Sparse<f32>>,
    /// Of votes that have never been seen, shape (n_models, K).
    log_unseen: Vec<f32>,
    /// Logarithm of the probability of each mini-cluster, length K.
    log_prior: Vec<f32>,
    /// That, and the votes of all models, as if none had ever been seen, length K.
    log_all_unseen: Vec<f64>,
}

impl<'a> Observers<'a> {
    fn new(signatures: &'a Signatures, k: usize) -> Self {
        let starts = starts(signatures);
        let n_models = signatures.n_models();
        Self {
            signatures,
            k,
            known: vec![Vec::new(); starts[n_models]],
            starts,
            log_unseen: vec![0.0; n_models * k],
            log_prior: vec![0.0; k],
            log_all_unseen: vec![0.0; k],
        }
    }

    /// Learns from the mini-clusters alone.
    fn start(&mut self, pseudo_labels: &PseudoLabels) {
        let (mut nodes, mut labels) = (Vec::new(), Vec::new());
        for entry in pseudo_labels.entries() {
            let signature = self.signatures.of_sample(entry.sample);
            // A signature's samples are labelled alike; its first one stands for them.
            if self.signatures.first_sample(signature) == entry.sample {
                nodes.push((signature, f64::from(self.signatures.multiplicity(signature))));
                labels.push(vec![(u32::from(entry.label.0), 1.0)]);
            }
        }
        self.maximise(&nodes, &labels);
    }

    /// Expectation maximisation, of at most so many iterations.
    fn fit(
        &mut self,
        nodes: &[(SignatureIdx, f64)],
        iterations: usize,
        threads: &Threads<'_>,
    ) -> Result<(), GraphError> {
        let most = self.most_probable(nodes.len());
        let mut probabilities: Vec<Sparse<f32>> = vec![Vec::new(); nodes.len()];
        for _ in 0..iterations {
            threads.go_on()?;
            let change = nodes
                .par_iter()
                .zip(&mut probabilities)
                .map_init(
                    || (vec![0.0; self.k], vec![0.0; self.k]),
                    |(sums, updated), (&(node, _), old)| {
                        self.infer(node, sums, updated);
                        let change = largest_change(old, updated);
                        *old = sparse(updated, most);
                        change
                    },
                )
                .reduce(|| 0.0, f32::max);
            if change < TOLERANCE {
                break;
            }
            self.maximise(nodes, &probabilities);
        }
        Ok(())
    }

    /// How many mini-clusters of each of so many nodes can be kept: all, but where memory might not suffice.
    fn most_probable(&self, n_nodes: usize) -> usize {
        let n_models = self.signatures.n_models();
        if self.known.len().saturating_mul(self.k) <= MAX_KNOWN {
            return self.k;
        }
        (MAX_KNOWN / (n_models * n_nodes).max(1)).max(1)
    }

    /// Learns from the probabilities of mini-clusters for each of `nodes`. Each model on its own, so that sums don't depend
    /// on the number of threads.
    fn maximise(&mut self, nodes: &[(SignatureIdx, f64)], probabilities: &[Sparse<f32>]) {
        let mut sizes = vec![0.0; self.k];
        for (&(_, weight), probabilities) in nodes.iter().zip(probabilities) {
            add(&mut sizes, probabilities, weight);
        }
        let models = (0..self.signatures.n_models()).into_par_iter();
        let models: Vec<(Vec<Sparse<f32>>, Vec<f32>)> =
            models.map(|model| self.learn(model, nodes, probabilities)).collect();
        self.known.clear();
        self.log_unseen.clear();
        for (known, log_unseen) in models {
            self.known.extend(known);
            self.log_unseen.extend(log_unseen);
        }
        self.expect_sizes(&sizes);
    }

    /// What is known of a model's votes: of each of its clusters, and of those that were never seen with a mini-cluster, length K.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "logarithms")]
    fn learn(
        &self,
        model: usize,
        nodes: &[(SignatureIdx, f64)],
        probabilities: &[Sparse<f32>],
    ) -> (Vec<Sparse<f32>>, Vec<f32>) {
        let n_own = self.starts[model + 1] - self.starts[model];
        let one_more = 1.0 / n_own as f64;
        let mut voted: Vec<Vec<usize>> = vec![Vec::new(); n_own];
        for (place, &(node, _)) in nodes.iter().enumerate() {
            let words = self.signatures.words_of(node);
            if let Some(own) = self.signatures.layout.get(words, model) {
                voted[usize::from(own)].push(place);
            }
        }
        let mut totals = vec![1.0; self.k];
        let mut counts = vec![0.0; self.k];
        let known = voted.into_iter().map(|places| {
            let mut named: Vec<u32> = Vec::new();
            for place in places {
                add(&mut counts, &probabilities[place], nodes[place].1);
                named.extend(probabilities[place].iter().map(|&(mini, _)| mini));
                // Not to grow with the samples: most name the same.
                if named.len() > 2 * self.k {
                    named.sort_unstable();
                    named.dedup();
                }
            }
            named.sort_unstable();
            named.dedup();
            let learnt = named.into_iter().map(|mini| {
                let count = std::mem::take(&mut counts[mini as usize]);
                totals[mini as usize] += count;
                (mini, (count / one_more).ln_1p() as f32)
            });
            learnt.collect()
        });
        let known = known.collect();
        (known, totals.iter().map(|total| (one_more / total).ln() as f32).collect())
    }

    /// Learns the (expected) numbers of members, length K.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "logarithms")]
    fn expect_sizes(&mut self, sizes: &[f64]) {
        let total = sizes.iter().sum::<f64>() + self.k as f64;
        for (log, size) in self.log_prior.iter_mut().zip(sizes) {
            *log = ((size + 1.0) / total).ln() as f32;
        }
        for (mini, log) in self.log_all_unseen.iter_mut().enumerate() {
            let unseen = self.log_unseen.iter().skip(mini).step_by(self.k);
            let unseen: f64 = unseen.map(|&log| f64::from(log)).sum();
            *log = f64::from(self.log_prior[mini]) + unseen;
        }
    }

    /// The probability of each mini-cluster given a signature's votes, into `probabilities`, length K; `sums` is for
    /// scratch.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "differences of at most some hundreds, storage"
    )]
    fn infer(&self, node: SignatureIdx, sums: &mut [f64], probabilities: &mut [f32]) {
        if self.votes(node).count() == self.signatures.n_models() {
            sums.copy_from_slice(&self.log_all_unseen);
        } else {
            sums.iter_mut().zip(&self.log_prior).for_each(|(sum, &log)| *sum = f64::from(log));
            for (model, _) in self.votes(node) {
                let logs = &self.log_unseen[model * self.k..][..self.k];
                sums.iter_mut().zip(logs).for_each(|(sum, &log)| *sum += f64::from(log));
            }
        }
        for (_, cluster) in self.votes(node) {
            for &(mini, log) in &self.known[cluster] {
                sums[mini as usize] += f64::from(log);
            }
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
                    if self.votes(node).next().is_none() {
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

    /// The models that voted on a signature, each with its cluster among those of all models.
    fn votes(&self, node: SignatureIdx) -> impl Iterator<Item = (usize, usize)> {
        let words = self.signatures.words_of(node);
        let own = move |model| self.signatures.layout.get(words, model).map(usize::from);
        (0..self.signatures.n_models())
            .filter_map(move |model| Some((model, self.starts[model] + own(model)?)))
    }
}

fn add(sums: &mut [f64], probabilities: &[(u32, f32)], weight: f64) {
    for &(mini, probability) in probabilities {
        sums[mini as usize] += weight * f64::from(probability);
    }
}

/// The probabilities that aren't negligible, `most` at most (ties: the lowest ids), scaled to sum to 1 again if more were dropped.
fn sparse(probabilities: &[f32], most: usize) -> Sparse<f32> {
    let all = probabilities.iter().zip(0..).map(|(&probability, mini)| (mini, probability));
    let mut kept: Sparse<f32> = all.filter(|&(_, probability)| probability >= NEGLIGIBLE).collect();
    if kept.len() > most {
        kept.sort_by(|a, b| b.1.total_cmp(&a.1));
        kept.truncate(most);
        kept.sort_unstable_by_key(|&(mini, _)| mini);
        let total: f32 = kept.iter().map(|&(_, probability)| probability).sum();
        kept.iter_mut().for_each(|(_, probability)| *probability /= total);
    }
    kept
}

fn largest_change(old: &[(u32, f32)], new: &[f32]) -> f32 {
    let mut old = old.iter().peekable();
    let changes = new.iter().zip(0..).map(|(&new, mini)| {
        let before = old.next_if(|entry| entry.0 == mini).map_or(0.0, |entry| entry.1);
        (new - before).abs()
    });
    changes.fold(0.0, f32::max)
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
            let mut observers = Observers::new(&signatures, labels.n_clusters());
            observers.start(&labels);
            observers.fit(&draw(&signatures, &labels, BOUNDS), ITERATIONS, &threads).unwrap();
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
            let mut observers = Observers::new(&signatures, labels.n_clusters());
            observers.start(&labels);
            let nodes = draw(&signatures, &labels, bounds);
            assert_eq!(nodes.iter().map(|(_, weight)| weight).sum::<f64>(), 5000.0);
            observers.fit(&nodes, MAX_ITERATIONS, &threads).unwrap();
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

    /// In a table of all pairs, this would be 250 million probabilities, 20 bytes each.
    #[test]
    fn what_is_known_of_thousands_of_clusters_is_sparse() {
        let (k, n) = (5000, 20_000);
        let clusters = Array2::from_shape_fn((10, n), |(model, sample)| {
            let wrong = (sample * 7919 + model * 31) % 97 == 0;
            u16::try_from((sample + model + 13 * usize::from(wrong)) % k).unwrap()
        });
        let votes = Votes::new(clusters, Array2::ones((10, n))).unwrap();
        let agreement = AgreementParams::default().check(10).unwrap();
        let threads = Threads::new(2).unwrap();
        let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
        let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
        let labels = graph.extract(k, &threads).unwrap().pseudo_labels;
        assert_eq!(labels.n_clusters(), k);
        let mut observers = Observers::new(&signatures, k);
        observers.start(&labels);
        observers.fit(&draw(&signatures, &labels, BOUNDS), MAX_ITERATIONS, &threads).unwrap();
        let n_known: usize = observers.known.iter().map(Vec::len).sum();
        assert!(n_known < 4 * 10 * n, "{n_known}");
        let found = observers.consensus().clusters;
        for entry in labels.entries() {
            assert_eq!(found[entry.sample.index()], Some(entry.label));
        }
    }

    #[test]
    fn only_the_most_probable_are_kept_where_memory_might_not_suffice() {
        let probabilities = [0.25, 1e-12, 0.125, 0.5, 0.125];
        assert_eq!(sparse(&probabilities, 5), [(0, 0.25), (2, 0.125), (3, 0.5), (4, 0.125)]);
        assert_eq!(sparse(&probabilities, 2), [(0, 0.25 / 0.75), (3, 0.5 / 0.75)]);
        assert_eq!(largest_change(&[(1, 0.5), (2, 0.5)], &[0.25, 0.5, 0.25]), 0.25);
    }
}
