//! One clustering out of votes that come without probabilities, by expectation maximisation.

use consilience_data::{ClusterId, PseudoLabels};
use rayon::prelude::*;

use crate::{
    GraphError, SignatureIdx, Signatures, Threads,
    draw::{BOUNDS, draw},
    vote_consensus::VoteConsensus,
};

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
    let start = labels_of_signatures(signatures, pseudo_labels);
    consensus_from(signatures, &start, pseudo_labels.n_clusters(), threads)
}

/// As [`consensus_of_votes`], from any clusters in place of mini-clusters.
///
/// # Arguments
///
/// * `start`: the cluster, below `k`, of some of the signatures, shape (n_signatures). Without any, no sample gets a cluster.
///
/// # Errors
///
/// [`GraphError::SignatureCount`] if the start is of other signatures, [`GraphError::ConsensusSize`], [`GraphError::Cancelled`].
pub fn consensus_from(
    signatures: &Signatures,
    start: &[Option<ClusterId>],
    k: usize,
    threads: &Threads<'_>,
) -> Result<VoteConsensus, GraphError> {
    let (found, expected) = (start.len(), signatures.len());
    if found != expected {
        return Err(GraphError::SignatureCount { found, expected });
    }
    if start.iter().all(Option::is_none) {
        return Ok(VoteConsensus::of_signatures(signatures, &vec![(None, 0.0); expected], k));
    }
    check_consensus_size(signatures, k)?;
    threads.run(|| {
        let mut observers = Observers::new(signatures, k);
        observers.start(start);
        observers.fit(&draw(signatures, start, k, BOUNDS), MAX_ITERATIONS, threads)?;
        threads.go_on()?;
        Ok(observers.consensus())
    })
}

/// The label of each signature, shape (n_signatures): its samples are labelled alike.
fn labels_of_signatures(
    signatures: &Signatures,
    pseudo_labels: &PseudoLabels,
) -> Vec<Option<ClusterId>> {
    let mut labels = vec![None; signatures.len()];
    for entry in pseudo_labels.entries() {
        labels[signatures.of_sample(entry.sample).index()] = Some(entry.label);
    }
    labels
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
        let starts = signatures.cluster_starts();
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

    /// Learns from the start alone.
    fn start(&mut self, start: &[Option<ClusterId>]) {
        let (mut nodes, mut labels) = (Vec::new(), Vec::new());
        for (signature, label) in self.signatures.iter().zip(start) {
            if let Some(label) = label {
                nodes.push((signature, f64::from(self.signatures.multiplicity(signature))));
                labels.push(vec![(u32::from(label.0), 1.0)]);
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
        VoteConsensus::of_signatures(self.signatures, &best, self.k)
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
mod tests;
