//! Another number of clusters from the votes of a finished run, without training.
//!
//! The models vote on the run's data again, average linkage makes the tree of their votes, and that is cut elsewhere. So what comes out is what the
//! models say of new samples, too.

use consilience_data::{Assignments, ClusterId, Features, PseudoLabels, Votes};
use consilience_ensembles::{Ensemble, EnsembleError};
use consilience_graph::{GraphError, Placer, Threads, Tree};

use crate::coarser::coarser;
use crate::error::RunError;
use crate::judge::{Chosen, stood_behind};
use crate::knowledge::Held;
use crate::linked::{FAINT, MIN_SHARE, linked, placed};
use crate::progress::Observer;
use crate::rule::Rule;
use crate::run_folder::{RunFolder, Saved, read_models, read_pairs};
use crate::strays::{Clustered, StraysFound};

/// Another cut of a run.
pub struct Recut {
    /// What the run ended with: the votes of these models were cut.
    pub chosen: Chosen,
    /// A cluster for every sample.
    pub assignments: Assignments,
    /// Mean co-association with the samples of the cluster, length n_samples.
    pub confidence: Vec<f32>,
    /// All samples on which the models of each kind stand behind the answer.
    pub pseudo_labels: PseudoLabels,
    /// These kinds.
    pub kinds: Vec<&'static str>,
    /// The tree of the votes.
    pub tree: Tree,
    /// The votes of the run's members, without communities beside them.
    pub votes: Votes,
    /// What each member is, length n_models.
    pub members: Vec<&'static str>,
    /// Number of features that the data have.
    pub n_features: usize,
    /// Features as models see them.
    pub seen: Features,
    /// How votes become clusters.
    pub placer: Placer,
    /// Samples that belong nowhere, if the run sought them.
    pub strays: Option<StraysFound>,
    /// What became of pairs that the run was held to, if it was.
    pub held: Option<Held>,
}

impl Recut {
    /// The cluster of every sample, length n_samples; `None` of strays.
    #[must_use]
    pub fn clusters(&self) -> Vec<Option<ClusterId>> {
        let all = || self.assignments.clusters().iter().copied().map(Some).collect();
        self.strays.as_ref().map_or_else(all, |strays| strays.clusters(&self.assignments))
    }
}

/// Checks that a run can be cut into `k` clusters, as far as it can be told without its models.
///
/// # Errors
///
/// [`RunError::Folder`] for runs without a tree of votes: those that learnt from labels, or ended with k-means; for runs with other views; and if it has `k` clusters already.
/// [`RunError::Graph`] if its pairs have to be in more clusters.
pub fn check_recut(run: &RunFolder, k: usize) -> Result<(), RunError> {
    let refused = |why: &str| Err(RunError::folder(&run.path, &why));
    if !run.metrics["views"].is_null() {
        return refused(
            "voters on other views of the data had a part in it, and these can't be asked again; run 'consilience cluster' again with this -k",
        );
    }
    if !run.metrics["given"].is_null() {
        return refused("it learnt its classes from labels, so there is nothing to cut");
    }
    if run.metrics["chosen"] == "k-means" {
        return refused(
            "its answer is that of k-means, which has no tree to cut; run 'consilience cluster' again with this -k",
        );
    }
    if run.n_clusters() == k {
        return refused(&format!("it has {k} clusters already; give another -k"));
    }
    Ok(read_pairs(run)?.constraints().check(k)?)
}

/// Cuts a run into `k` clusters.
///
/// The tree is that of the votes that the run's answer came from: of communities, of both kinds, or, if networks alone were chosen, of networks. A branch is
/// an island and no cluster where it was one in the run: with less than a fifth of n / K samples, or than the run's smallest cluster has. What comes out is held to the pairs that
/// the run was held to.
///
/// # Arguments
///
/// * `features`: those of the run, shape (n_samples, n_features), unscaled.
///
/// # Errors
///
/// As [`check_recut`]; [`RunError::Graph`] if the votes tell fewer than `k` kinds of samples apart; those of reading models.
///
/// # Complexity
///
/// That of prediction, and O(n_leaves² n_models) for a tree of at most 6,000 distinct votes.
pub fn recut(
    run: &RunFolder,
    features: &Features,
    k: usize,
    n_threads: usize,
    observer: &dyn Observer,
) -> Result<Recut, RunError> {
    check_recut(run, k)?;
    let saved = read_models(&run.path, n_threads)?;
    let Saved { chosen, sight, rule, apart, strays, .. } = saved;
    let transform = &sight.data;
    let cancelled = || observer.cancelled();
    let threads = Threads::watched(n_threads, &cancelled)?;
    let go_on = || if cancelled() { Err(RunError::Cancelled) } else { Ok(()) };
    let expected = transform.n_features();
    if features.n_features() != expected {
        let found = features.n_features();
        return Err(EnsembleError::Width { found, expected }.into());
    }
    let seen = transform.apply(features, n_threads)?;
    let votes = Votes::from_answers(&rule.ask(std::slice::from_ref(&seen))?)?;
    go_on()?;
    let of_members = apart.as_ref().map(|members| members.predict_new(&seen)).transpose()?;
    let of_members = of_members.map(|answers| Votes::from_answers(&answers)).transpose()?;
    go_on()?;
    let ensembles: Vec<&Ensemble> = match &rule {
        Rule::Averaged(ensemble, _) => vec![ensemble],
        Rule::Placed(ensembles, _) => ensembles.iter().map(|(_, ensemble)| ensemble).collect(),
    };
    let sizes = ensembles.iter().map(|ensemble| ensemble.n_models());
    let kinds: Vec<usize> = sizes.enumerate().flat_map(|(kind, n)| vec![kind; n]).collect();
    let min_share = min_share(run);
    let samples = transform.trainable(features);
    let found = if k < run.n_clusters() {
        joined(&rule, (&votes, &kinds, &seen), (k, min_share), &samples, &threads)?
    } else {
        linked(&votes, &kinds, (k, min_share), &samples, &threads)?
    };
    let Some((tree, placer)) = found else {
        let n_signatures = linked(&votes, &kinds, (1, 0.0), &samples, &threads)?;
        let n_signatures = n_signatures.map_or(0, |(tree, _)| tree.n_leaves());
        return Err(GraphError::TooManyClusters { k, n_signatures }.into());
    };
    let (mut assignments, mut confidence) = placed(&placer, &votes)?;
    go_on()?;
    // The members are the first kind; where they have no part in the rule, they stand beside it.
    let of_kind = |kind: usize| {
        let models = kinds.iter().enumerate().filter(|&(_, &other)| other == kind);
        votes.of_models(&models.map(|(model, _)| model).collect::<Vec<_>>())
    };
    let (members, others) = match of_members {
        Some(members) => (members, Some(of_kind(0))),
        None => (of_kind(0), (ensembles.len() > 1).then(|| of_kind(1))),
    };
    let told: Vec<&Votes> = std::iter::once(&members).chain(&others).collect();
    let mut pseudo_labels = stood_behind((&assignments, &confidence), &told, &samples);
    let strays = match strays.zip(run.settings()?.strays) {
        Some((strays, limit)) => {
            let kept = Features::new(strays.rows().to_owned(), "samples that are kept")?;
            let kept_votes = Votes::from_answers(&rule.ask(std::slice::from_ref(&kept))?)?;
            let of_kept = placed(&placer, &kept_votes)?.0;
            let of_kept = of_kept.clusters().iter().map(|cluster| cluster.index()).collect();
            let clustered =
                Clustered { seen: &seen, assignments: &assignments, of_kept, samples: &samples };
            let density = strays.density().clone();
            Some(StraysFound::of(density, &clustered, limit, n_threads, observer)?)
        }
        None => None,
    };
    if let Some(strays) = &strays {
        pseudo_labels = strays.labels(&pseudo_labels);
    }
    let found = (&mut assignments, &mut confidence[..], &mut pseudo_labels);
    let held = read_pairs(run)?.conclude_cut(found, &votes, &samples)?;
    let kinds = ["networks", "communities"][..told.len()].to_vec();
    let model_kinds = apart.as_ref().unwrap_or(ensembles[0]).kinds();
    Ok(Recut {
        chosen,
        assignments,
        confidence,
        pseudo_labels,
        kinds,
        tree,
        votes: members,
        members: model_kinds,
        n_features: expected,
        seen,
        placer,
        strays,
        held,
    })
}

/// The tree of votes, cut into fewer clusters than the run has. Where models never put two of these together, those that are near are joined: models that were
/// told K tell nothing of how its clusters lie.
fn joined(
    rule: &Rule,
    (votes, kinds, seen): (&Votes, &[usize], &Features),
    cut: (usize, f64),
    samples: &[u32],
    threads: &Threads<'_>,
) -> Result<Option<(Tree, Placer)>, RunError> {
    let plain = || linked(votes, kinds, cut, samples, threads);
    let Rule::Placed(_, before) = rule else { return plain() };
    let (found, _) = placed(before, votes)?;
    let Some(coarser) = coarser(&found, seen) else { return plain() };
    let all = votes.stacked(&coarser)?;
    let kinds: Vec<usize> =
        kinds.iter().copied().chain((0..coarser.n_models()).map(|_| FAINT)).collect();
    let Some((tree, placer)) = linked(&all, &kinds, cut, samples, threads)? else {
        return Ok(None);
    };
    // What is coarser follows from the votes, so that they alone decide of new samples.
    match placer.of_first(votes.n_models()) {
        Some(placer) => Ok(Some((tree, placer))),
        None => plain(),
    }
}

/// The share of n / K samples that a cluster has at least: that of the run's smallest cluster, if that is less than is usual.
#[expect(clippy::cast_precision_loss, reason = "samples are counted in u32")]
fn min_share(run: &RunFolder) -> f64 {
    let mut sizes = vec![0_usize; run.n_clusters()];
    run.clusters.iter().flatten().for_each(|cluster| sizes[cluster.index()] += 1);
    let n: usize = sizes.iter().sum();
    let smallest = sizes.iter().filter(|&&size| size > 0).min();
    let share = |&size: &usize| size as f64 * sizes.len() as f64 / n as f64;
    smallest.map_or(MIN_SHARE, |size| MIN_SHARE.min(share(size)))
}
