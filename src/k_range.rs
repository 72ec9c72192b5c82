//! A help to choose K: what each of several would give, without the truth.

use std::ops::RangeInclusive;

use consilience_data::{Features, ModelIdx};
use consilience_ensembles::Compute;
use consilience_graph::{AgreementGraph, AgreementParams, Diversity, KPoint, Signatures, Threads};
use serde::Serialize;

use crate::progress::Observer;
use crate::{Config, RunError, run};

/// What one K gives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KRow {
    /// The number of clusters asked for.
    pub k: usize,
    /// Number of mini-clusters that were found, at most k.
    pub n_found: usize,
    /// Share of all samples that they hold, 0..=1.
    pub coverage: f64,
    /// Number of samples in the smallest of them; 0 without any.
    pub smallest: usize,
    /// Mean margin of their samples: how many fewer models put a sample with the next best mini-cluster.
    pub mean_margin: f64,
    /// Number of models that name k clusters, or were asked for k.
    pub n_voters: usize,
    /// Share of the pairs of samples that at most a tenth of these models see differently from the others, 0..=1;
    /// `None` with fewer than two of them.
    pub unambiguous: Option<f64>,
    /// Mean adjusted Rand index of pairs of these models; `None` with fewer than two.
    pub ari: Option<f64>,
}

/// Models that name as many clusters, and how well they agree.
struct SameK {
    n_models: usize,
    unambiguous: Option<f64>,
    ari: Option<f64>,
}

impl SameK {
    fn of(signatures: &Signatures, models: &[ModelIdx], threads: &Threads<'_>) -> Self {
        let n_models = models.len();
        if n_models < 2 {
            return Self { n_models, unambiguous: None, ari: None };
        }
        let signatures = signatures.of_models(models);
        Self {
            n_models,
            unambiguous: Some(signatures.pair_counts(threads).share_unambiguous(n_models / 10)),
            ari: Diversity::of(&signatures, threads).mean(),
        }
    }
}

impl KRow {
    /// `found`: the last point of an extraction with this k, if it found anything.
    fn new(k: usize, found: Option<&KPoint>, voters: SameK) -> Self {
        Self {
            k,
            n_found: found.map_or(0, |point| point.k),
            coverage: found.map_or(0.0, |point| point.coverage),
            smallest: found.map_or(0, |point| point.smallest),
            mean_margin: found.map_or(0.0, |point| point.mean_margin),
            n_voters: voters.n_models,
            unambiguous: voters.unambiguous,
            ari: voters.ari,
        }
    }
}

/// What each of `ks` gives for votes. One extraction serves all, as mini-clusters are taken one after the other.
///
/// # Arguments
///
/// * `signatures`: all votes, grouped with the `min_confidence` of `agreement`.
///
/// # Errors
///
/// [`RunError::Graph`] if the settings or the largest K don't fit the votes.
pub fn of_votes(
    signatures: &Signatures,
    agreement: &AgreementParams,
    ks: RangeInclusive<usize>,
    threads: &Threads<'_>,
) -> Result<Vec<KRow>, RunError> {
    signatures.check_k(*ks.end())?;
    let agreement = agreement.check(signatures.n_models())?;
    let graph = AgreementGraph::new(signatures, &agreement)?;
    let points = graph.curve_over_k(&graph.extract(*ks.end(), threads)?, threads);
    let models = (0..signatures.n_models()).map(ModelIdx::from_index);
    let models: Vec<_> = models.map(|model| (model, signatures.n_clusters(model))).collect();
    let row = |k: usize| {
        let voters = models.iter().filter(|&&(_, n_clusters)| n_clusters == k);
        let voters: Vec<ModelIdx> = voters.map(|&(model, _)| model).collect();
        let found = points.get(..k.min(points.len())).and_then(<[_]>::last);
        KRow::new(k, found, SameK::of(signatures, &voters, threads))
    };
    Ok(ks.map(row).collect())
}

/// What each of `ks` gives for data: a run for each.
///
/// # Arguments
///
/// * `config`: of the runs, but for K; a round or two are enough.
/// * `compute`: what to work on.
/// * `observe`: is given each row when it is known.
///
/// # Errors
///
/// As [`Config::check`] and [`run`].
pub fn of_runs(
    features: &Features,
    config: &Config,
    ks: RangeInclusive<usize>,
    compute: Compute,
    observer: &dyn Observer,
    mut observe: impl FnMut(&KRow),
) -> Result<Vec<KRow>, RunError> {
    // Votes are looked at, and no answer; so other views have nothing to say.
    let with = |k| {
        let config = config.clone();
        Config { n_clusters: k, judge: false, views: Vec::new(), ..config }.check(features, compute)
    };
    // Both ends, so that nothing is refused after hours.
    with(*ks.start())?;
    with(*ks.end())?;
    let pool = Threads::new(compute.threads)?;
    let row = |k| {
        let config = with(k)?;
        let outcome = run(features, &config, observer)?;
        let signatures = Signatures::group(&outcome.votes, &config.agreement, &pool)?;
        let graph = AgreementGraph::new(&signatures, &config.agreement)?;
        let points = graph.curve_over_k(&graph.extract(k, &pool)?, &pool);
        let models: Vec<_> = (0..signatures.n_models()).map(ModelIdx::from_index).collect();
        let row = KRow::new(k, points.last(), SameK::of(&signatures, &models, &pool));
        observe(&row);
        Ok(row)
    };
    ks.map(row).collect()
}

#[cfg(test)]
mod tests {
    use consilience_data::read_dataset;
    use consilience_ensembles::MemberKind;

    use super::*;

    #[test]
    fn runs_of_several_k_are_compared() {
        let features = read_dataset(&["digits".into()], &[]).unwrap().features;
        // k-means is seldom as sure as a network.
        let agreement = AgreementParams { min_confidence: 0.0, ..AgreementParams::default() };
        let members = vec![MemberKind::KMeans; 3];
        let (rounds, candidates, communities) = (1, 0, 0);
        let config =
            Config { rounds, candidates, communities, members, agreement, ..Config::default() };
        let mut told = Vec::new();
        let observe = |row: &KRow| told.push(row.k);
        let rows = of_runs(&features, &config, 9..=11, Compute::cpu(2), &(), observe).unwrap();
        assert_eq!(told, [9, 10, 11]);
        assert_eq!(rows.iter().map(|row| row.k).collect::<Vec<_>>(), told);
        assert!(rows.iter().all(|row| row.n_voters == 3 && row.coverage > 0.3), "{rows:?}");
    }
}
