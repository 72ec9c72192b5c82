//! Labels the samples of every round, as [`Labelling`] says.

use std::cmp::Reverse;

use consilience_data::{ClusterId, ModelIdx, PseudoLabel, PseudoLabels, SampleIdx, Votes};
use consilience_ensembles::{Ensemble, Prepared};
use consilience_graph::{AgreementGraph, Extraction, GraphError, Threads};

use crate::config::ValidConfig;
use crate::error::RunError;
use crate::labelling::{Labelling, OVER_CLUSTERS};
use crate::progress::{Apart, Observer, Step};

/// Labels the samples of every round.
#[derive(Debug)]
pub(crate) enum Labeller {
    /// By what all models agree on.
    Agreement,
    /// By the first model's clusters, where its confidence exceeds this.
    FirstModel { above: f32 },
    /// By the clusters of this one model, in all rounds the same.
    OverClusters(Votes),
}

/// Exceeded by every confidence.
const ANY: f32 = f32::NEG_INFINITY;

impl Labeller {
    /// Trains the model that over-clusters, if there is to be one.
    pub(crate) fn new(
        config: &ValidConfig,
        data: &Prepared,
        observer: &dyn Observer,
    ) -> Result<Self, RunError> {
        Ok(match config.labelling {
            Labelling::Agreement => Self::Agreement,
            Labelling::Clusters => Self::FirstModel { above: ANY },
            Labelling::Confidence => Self::FirstModel { above: config.agreement.min_confidence() },
            Labelling::OverClusters => Self::OverClusters(over_cluster(config, data, observer)?),
        })
    }

    /// This round's mini-clusters, up to `k`.
    pub(crate) fn label(
        &self,
        graph: &AgreementGraph<'_>,
        votes: &Votes,
        k: usize,
        threads: &Threads<'_>,
    ) -> Result<Extraction, GraphError> {
        match self {
            Self::Agreement => graph.extract(k, threads),
            Self::FirstModel { above } => Ok(largest(votes, *above, graph, k)),
            Self::OverClusters(votes) => Ok(largest(votes, ANY, graph, k)),
        }
    }
}

/// The votes of a model of its own, of the first member's kind, trained as members are in the first round.
fn over_cluster(
    config: &ValidConfig,
    data: &Prepared,
    observer: &dyn Observer,
) -> Result<Votes, RunError> {
    let candidates = config.candidates();
    let (model, n_clusters) =
        (ModelIdx::from_index(candidates.len()), OVER_CLUSTERS * config.n_clusters);
    let (kind, network) = (&candidates[..1], &config.network);
    let mut ensemble =
        Ensemble::of_kinds_from(model, kind, network, data, n_clusters, &config.compute)?;
    let networks = ensemble.n_networks();
    observer.step(&Step::Train { round: 0, rounds: config.rounds, models: 1, networks });
    // In time or not: without it nothing can be labelled. Its number is that of a candidate, so it keeps out of their checkpoints.
    ensemble.train(data, &config.phase(0), &[], &Apart::unhurried_and_unkept(observer))?;
    Ok(Votes::from_answers(&ensemble.predict(data)?)?.of_samples(data.trainable()))
}

/// The `k` largest clusters of the first model in `votes`, of samples in which its confidence exceeds `above`; the largest
/// first (ties: the lowest sample). Samples without a vote get no label. A cluster of fewer than the graph's `min_size` samples is
/// no mini-cluster. The evidence of a label is one model.
fn largest(votes: &Votes, above: f32, graph: &AgreementGraph<'_>, k: usize) -> Extraction {
    let model = ModelIdx(0);
    let mut clusters: Vec<Vec<PseudoLabel>> = vec![Vec::new(); votes.n_clusters(model)];
    for (sample, &cluster) in votes.of_model(model).iter().enumerate() {
        let confidence = votes.confidences()[(model.index(), sample)];
        if cluster != Votes::MISSING && confidence > above {
            let (sample, label) = (SampleIdx::from_index(sample), ClusterId(cluster));
            let evidence = PseudoLabel { sample, label, agreement: 1, margin: 1, confidence };
            clusters[label.index()].push(evidence);
        }
    }
    clusters.retain(|cluster| cluster.len() >= graph.agreement().min_size());
    clusters.sort_by_key(|cluster| (Reverse(cluster.len()), cluster[0].sample));
    clusters.truncate(k);
    for (mini, cluster) in clusters.iter_mut().enumerate() {
        cluster.iter_mut().for_each(|entry| entry.label = ClusterId::from_index(mini));
    }
    let anchors: Vec<SampleIdx> = clusters.iter().map(|cluster| cluster[0].sample).collect();
    let entries = clusters.into_iter().flatten().collect();
    Extraction {
        pseudo_labels: PseudoLabels::new(entries, anchors.len(), votes.n_samples()),
        anchors,
        n_signatures: graph.signatures().len(),
        n_without_votes: graph.signatures().n_without_votes(),
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::Features;
    use consilience_ensembles::{MemberKind, Preparation, Scaling};
    use consilience_graph::{AgreementParams, Signatures};
    use ndarray::{Array2, array, s};

    use super::*;
    use crate::Config;

    const NONE: u16 = Votes::MISSING;

    /// Two models on eight samples, of which the last has no votes.
    fn votes() -> Votes {
        let clusters = array![[2, 0, 0, 0, 2, 1, 0, NONE], [0, 1, 1, 2, 0, 2, 1, NONE]];
        let sure = [0.9, 0.5, 0.8, 0.6, 0.4, 0.7, 0.9, 0.0];
        let confidences = Array2::from_shape_fn((2, 8), |(model, sample)| {
            if model == 0 { sure[sample] } else { f32::from(u8::from(sample < 7)) }
        });
        Votes::new(clusters, confidences).unwrap()
    }

    /// Sample and label of each mini-cluster that `labeller` finds.
    fn found(
        labeller: &Labeller,
        k: usize,
        agreement: AgreementParams,
    ) -> (Vec<(u32, u16)>, usize) {
        let (votes, threads) = (votes(), Threads::new(1).unwrap());
        let agreement = agreement.check(2).unwrap();
        let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
        let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
        let extraction = labeller.label(&graph, &votes, k, &threads).unwrap();
        assert_eq!((extraction.n_signatures, extraction.n_without_votes), (signatures.len(), 1));
        assert_eq!(extraction.pseudo_labels.n_samples(), 8);
        assert_eq!(extraction.pseudo_labels.n_clusters(), extraction.anchors.len());
        let entries = extraction.pseudo_labels.entries().iter();
        (entries.map(|entry| (entry.sample.0, entry.label.0)).collect(), extraction.anchors.len())
    }

    fn loose() -> AgreementParams {
        AgreementParams { min_confidence: 0.0, ..AgreementParams::default() }
    }

    #[test]
    fn clusters_are_those_of_the_first_model_the_largest_first() {
        let labeller = Labeller::FirstModel { above: ANY };
        let all = vec![(0, 1), (1, 0), (2, 0), (3, 0), (4, 1), (5, 2), (6, 0)];
        assert_eq!(found(&labeller, 3, loose()), (all, 3));
        let two = vec![(0, 1), (1, 0), (2, 0), (3, 0), (4, 1), (6, 0)];
        let pairs = AgreementParams { min_size: 2, ..loose() };
        assert_eq!(found(&labeller, 3, pairs), (two, 2), "one alone is too few");
    }

    #[test]
    fn confidence_has_to_exceed_the_bound() {
        let labeller = Labeller::FirstModel { above: 0.6 };
        let sure = vec![(0, 1), (2, 0), (5, 2), (6, 0)];
        assert_eq!(found(&labeller, 3, loose()), (sure, 3), "ties: the lowest sample");
        let none = Labeller::FirstModel { above: 0.9 };
        assert_eq!(found(&none, 3, loose()), (vec![], 0));
    }

    #[test]
    fn the_largest_of_many_clusters_are_taken() {
        let clusters = array![[5, 3, 3, 1, 4, 4, 3, NONE]];
        let votes = Votes::new(clusters.clone(), Array2::zeros(clusters.raw_dim())).unwrap();
        let labelled = vec![(1, 0), (2, 0), (4, 1), (5, 1), (6, 0)];
        assert_eq!(found(&Labeller::OverClusters(votes), 2, loose()), (labelled, 2));
    }

    #[test]
    fn agreement_is_the_graphs() {
        let agreed = vec![(0, 1), (1, 0), (2, 0), (4, 1), (6, 0)];
        assert_eq!(found(&Labeller::Agreement, 2, loose()), (agreed, 2));
    }

    /// One model agrees with itself, so that its confidence is all that the graph goes by.
    #[test]
    fn with_one_model_confidence_is_agreement() {
        let (both, first) = (votes(), s![..1, ..]);
        let clusters = both.clusters().slice(first).to_owned();
        let votes = Votes::new(clusters, both.confidences().slice(first).to_owned()).unwrap();
        let threads = Threads::new(1).unwrap();
        for above in [0.0, 0.45, 0.6] {
            let agreement = AgreementParams { min_confidence: above, ..AgreementParams::default() };
            let agreement = agreement.check(1).unwrap();
            let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
            let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
            for k in 2..=3 {
                let labelled = |labeller: Labeller| labeller.label(&graph, &votes, k, &threads);
                let found = labelled(Labeller::FirstModel { above }).unwrap();
                assert_eq!(found.anchors.len(), k);
                assert_eq!(found, labelled(Labeller::Agreement).unwrap());
            }
        }
    }

    /// Twelve rows, two of which are the same, and the settings for them.
    fn rows() -> (Features, Config) {
        let values = Array2::from_shape_fn((12, 1), |(row, _)| row.max(1) as f32);
        let config = Config {
            n_clusters: 2,
            members: vec![MemberKind::KMeans],
            candidates: 3,
            labelling: Labelling::OverClusters,
            preparation: Preparation { scaling: Scaling::None, components: 0 },
            ..Config::default()
        };
        (Features::new(values, "x").unwrap(), config)
    }

    #[test]
    fn another_model_finds_five_times_as_many_clusters() {
        let (features, config) = rows();
        let config = config.check(&features, 1).unwrap();
        let data = Prepared::new(&features, config.preparation, config.seed, 1).unwrap();
        let Labeller::OverClusters(votes) = Labeller::new(&config, &data, &()).unwrap() else {
            panic!("another way");
        };
        assert_eq!((votes.n_models(), votes.n_clusters(ModelIdx(0))), (1, 10));
    }

    #[test]
    fn what_cannot_be_over_clustered_is_refused() {
        let refused = |change: fn(&mut Config)| {
            let (features, mut config) = rows();
            change(&mut config);
            config.check(&features, 1).unwrap_err().to_string()
        };
        let error = refused(|config| config.n_clusters = 3);
        assert!(error.contains("labelling: need K <= 2 for over-clusters"), "{error}");
        let error = refused(|config| config.network.batch_size = 9);
        assert!(error.contains("batches of 9 samples") && error.ends_with("got 2"), "{error}");
        let values = Array2::from_shape_fn((12, 1), |(row, _)| (row % 9) as f32);
        let few = Features::new(values, "x").unwrap();
        let error = rows().1.check(&few, 1).unwrap_err().to_string();
        assert!(error.contains("need 10 distinct rows") && error.ends_with("got 9"), "{error}");
        let agreement = Config { labelling: Labelling::Agreement, n_clusters: 3, ..rows().1 };
        assert!(agreement.check(&few, 1).is_ok());
    }
}
