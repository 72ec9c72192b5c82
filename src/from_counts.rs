//! The algorithm on signatures that another engine has counted: a table in, labels by signature out.
//!
//! [`Predictor::vote`](crate::Predictor::vote) gives every sample a cluster and a signature, wherever it is. What is left to do needs no sample: mini-clusters are
//! extracted from counts, which are few, and a sample has the label of its signature if its own cluster says the same.

use std::collections::{BTreeMap, HashMap};

use consilience_data::{ClusterId, Contingency, Votes};
use consilience_graph::{
    AgreementGraph, AgreementParams, Counted, Gate, SignatureCodes, SignatureIdx, Signatures,
    Threads, maximum_matching,
};
use ndarray::Array2;
use toml::Table;

use crate::RunError;
use crate::cut::scaled;

/// How many samples that pass the gate have each signature and cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Signatures as text, whatever [`Codes`](consilience_graph::Codes) they are, length n_rows.
    pub signatures: Vec<String>,
    /// The clusters that these samples were given, length n_rows.
    pub clusters: Vec<ClusterId>,
    /// Numbers of samples, length n_rows.
    pub counts: Vec<u64>,
    /// The lowest of the samples' ids, length n_rows: whole numbers, if all of them are, else text in the order of its bytes.
    pub firsts: Vec<String>,
}

/// The labels of a run's clusters, by signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledCounts {
    /// One for each signature that is in a mini-cluster, in the order of their first samples.
    pub labels: Vec<LabelledSignature>,
    /// Number of mini-clusters that were found, of K.
    pub n_found: usize,
    /// Number of clusters, K.
    pub n_clusters: usize,
    /// Number of distinct signatures.
    pub n_signatures: usize,
    /// Number of samples that were counted, and of those that have a label.
    pub n_samples: u64,
    /// Number of samples with each label, length K.
    pub sizes: Vec<u64>,
}

/// The label of a signature: of those of its samples whose cluster it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledSignature {
    /// As it was given.
    pub signature: String,
    /// In the numbering of the run.
    pub label: ClusterId,
    /// Members of the run that put the signature with its mini-cluster's anchor.
    pub agreement: u16,
    /// By how many members that is ahead of the next best mini-cluster.
    pub margin: i32,
}

impl LabelledCounts {
    /// Number of samples that have a label.
    #[must_use]
    pub fn n_labelled(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// Whether every cluster has labels.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.sizes.contains(&0)
    }
}

/// The settings of the agreement graph that a run used for so many members.
///
/// `config`: the run's `config.toml`.
///
/// # Errors
///
/// [`RunError::Setting`] if it has none, or such that can't be.
pub fn agreement_of(config: &Table, n_models: usize) -> Result<AgreementParams, RunError> {
    let wrong = |got: String| RunError::Setting {
        name: "agreement",
        need: "the settings of a run of 'consilience cluster'".into(),
        got,
    };
    let agreement = config.get("agreement").ok_or_else(|| wrong("none".into()))?;
    let agreement: AgreementParams =
        agreement.clone().try_into().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let planned = config.get("members").and_then(|members| members.as_array()).map_or(0, Vec::len);
    Ok(if n_models < planned { scaled(&agreement, planned) } else { agreement })
}

/// Labels signatures: `k` mini-clusters of the samples that were counted, numbered as the run's `k` clusters are.
///
/// The result is that of the samples themselves, whatever the order and number of the rows. A mini-cluster is the cluster that most of its
/// samples have, one-to-one.
///
/// # Errors
///
/// [`RunError::Setting`] for a table that can't be the run's, and for a gate of anchors alone, as unsure samples aren't counted;
/// [`RunError::Graph`] for settings that don't fit.
///
/// # Complexity
///
/// O(n_rows log n_rows), and that of [`AgreementGraph::extract`].
pub fn from_counts(
    counts: &Counts,
    codes: &SignatureCodes,
    k: usize,
    agreement: &AgreementParams,
    threads: &Threads<'_>,
) -> Result<LabelledCounts, RunError> {
    if agreement.gate == Gate::Anchor {
        return Err(setting("gate", "both, as samples that fail it aren't counted", "anchor"));
    }
    check(counts, k)?;
    let order = in_order(&counts.firsts)?;
    let votes = decode(counts, codes, &order)?;
    let in_order: Vec<u64> = order.iter().map(|&row| counts.counts[row]).collect();
    let gates = vec![true; order.len()];
    let counted = Counted { votes: votes.view(), gates: &gates, counts: &in_order };
    let valid = agreement.check(codes.n_models())?;
    let signatures = Signatures::of_counts(&counted, &valid)?;
    let found = AgreementGraph::new(&signatures, &valid)?.extract_signatures(k, threads)?;

    let text_of =
        |node: SignatureIdx| &counts.signatures[order[signatures.first_sample(node).index()]];
    let nodes: HashMap<&str, SignatureIdx> =
        signatures.iter().map(|node| (text_of(node).as_str(), node)).collect();
    let mini_of = |row: usize| {
        let node = nodes.get(counts.signatures[row].as_str())?;
        Some(found.labels[node.index()]?.label.index())
    };
    let overlap = (0..counts.counts.len()).filter_map(|row| {
        Some(((mini_of(row)?, counts.clusters[row].index()), counts.counts[row]))
    });
    let partners = maximum_matching(&Contingency::weigh(overlap, found.anchors.len(), k));
    let partner = |mini: usize| partners[mini].expect("no more mini-clusters than clusters");
    let mut sizes = vec![0; k];
    for row in 0..counts.counts.len() {
        let cluster = counts.clusters[row].index();
        if mini_of(row).is_some_and(|mini| partner(mini) == cluster) {
            sizes[cluster] += counts.counts[row];
        }
    }
    let labels = signatures.iter().filter_map(|node| {
        let found = found.labels[node.index()]?;
        Some(LabelledSignature {
            signature: text_of(node).clone(),
            label: ClusterId::from_index(partner(found.label.index())),
            agreement: found.agreement,
            margin: found.margin,
        })
    });
    Ok(LabelledCounts {
        labels: labels.collect(),
        n_found: found.anchors.len(),
        n_clusters: k,
        n_signatures: signatures.len(),
        n_samples: counts.counts.iter().sum(),
        sizes,
    })
}

fn check(counts: &Counts, k: usize) -> Result<(), RunError> {
    let n_rows = counts.signatures.len();
    let lengths = [counts.clusters.len(), counts.counts.len(), counts.firsts.len()];
    if let Some(other) = lengths.into_iter().find(|&length| length != n_rows) {
        return Err(setting("counts", "columns of one length", &format!("{n_rows} and {other}")));
    }
    if n_rows == 0 {
        return Err(setting("counts", "samples that pass the gate", "none"));
    }
    if let Some(cluster) = counts.clusters.iter().find(|cluster| cluster.index() >= k) {
        let need = format!("clusters of the run, 0 to {}", k.saturating_sub(1));
        return Err(setting("counts", &need, &cluster.0.to_string()));
    }
    match counts.counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count)) {
        Some(_) => Ok(()),
        None => Err(setting("counts", "fewer than 2^64 samples", "more")),
    }
}

/// Rows in the order of their first samples.
fn in_order(firsts: &[String]) -> Result<Vec<usize>, RunError> {
    let numbers: Option<Vec<i128>> = firsts.iter().map(|first| first.parse().ok()).collect();
    let mut order: Vec<usize> = (0..firsts.len()).collect();
    match &numbers {
        Some(numbers) => order.sort_by_key(|&row| numbers[row]),
        None => order.sort_by_key(|&row| &firsts[row]),
    }
    match order.windows(2).find(|pair| firsts[pair[0]] == firsts[pair[1]]) {
        None => Ok(order),
        Some(pair) => {
            let twice = format!("id {} in two rows", firsts[pair[0]]);
            Err(setting("counts", "ids that each name one sample", &twice))
        }
    }
}

/// The votes of all rows in this order, shape (n_models, n_rows). Rows of one signature are decoded once.
fn decode(
    counts: &Counts,
    codes: &SignatureCodes,
    order: &[usize],
) -> Result<Array2<u16>, RunError> {
    let mut known: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
    let mut votes = Array2::zeros((codes.n_models(), order.len()));
    for (&row, mut column) in order.iter().zip(votes.columns_mut()) {
        let text = counts.signatures[row].as_str();
        if !known.contains_key(text) {
            let need = "signatures that this run's models gave";
            let voted = codes.decode(text).ok_or_else(|| setting("counts", need, text))?;
            let vote = |vote: Option<ClusterId>| vote.map_or(Votes::MISSING, |vote| vote.0);
            known.insert(text, voted.into_iter().map(vote).collect());
        }
        column.iter_mut().zip(&known[text]).for_each(|(to, &vote)| *to = vote);
    }
    Ok(votes)
}

fn setting(name: &'static str, need: &str, got: &str) -> RunError {
    RunError::Setting { name, need: need.into(), got: got.into() }
}
