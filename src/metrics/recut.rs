//! The numbers of another cut of a run.

use consilience_data::Truth;
use consilience_graph::{AgreementParams, Diversity, Signatures, Threads, VoteConsensus};

use super::schema::{Metrics, StrayMetrics};
use super::votes::VotesContext;
use crate::RunError;
use crate::config::Config;
use crate::consensus::ConsensusMethod;
use crate::from_votes::{VotesConfig, VotesOutcome, VotesSeconds};
use crate::labelling::LabelRule;
use crate::recut::Recut;

impl Metrics {
    /// Puts together the numbers of another cut of a run: those of its members' votes, as if they had been given. `seconds`: by the wall's clock, so far.
    ///
    /// # Arguments
    ///
    /// * `config`: the settings of the run, with the new number of clusters.
    /// * `cut_of`: what the run is called.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`](consilience_data::DataError::LabelCount) if the truth is of other samples.
    pub fn of_recut(
        recut: &Recut,
        config: &Config,
        cut_of: &str,
        (n_threads, seconds): (usize, f64),
        truth: Option<&Truth>,
    ) -> Result<Self, RunError> {
        let threads = Threads::new(n_threads)?;
        let min_confidence = config.agreement.min_confidence;
        let gate = AgreementParams { min_confidence, ..AgreementParams::default() };
        let agreement = gate.check(recut.votes.n_models())?;
        let signatures = Signatures::group(&recut.votes, &agreement, &threads)?;
        let labelled = recut.pseudo_labels.sizes();
        let outcome = VotesOutcome {
            pseudo_labels: recut.pseudo_labels.clone(),
            complete: !labelled.contains(&0),
            consensus: VoteConsensus {
                clusters: recut.clusters(),
                confidences: recut.confidence.clone(),
                n_clusters: recut.assignments.n_clusters(),
            },
            method: ConsensusMethod::Linkage,
            consensus_min_agree: None,
            diversity: Diversity::of(&signatures, &threads),
            seconds: VotesSeconds { extraction: 0.0, looser: 0.0, consensus: 0.0 },
        };
        let k = recut.assignments.n_clusters();
        let votes_config = VotesConfig { n_clusters: k, ..VotesConfig::default() };
        let models = recut.members.iter().map(ToString::to_string).collect();
        let context = VotesContext { inputs: Vec::new(), models, threads: n_threads, seconds };
        let numbers = Self::of_votes(&outcome, &signatures, &votes_config, context, truth)?;
        let mut metrics = Self {
            cut_of: Some(cut_of.into()),
            n_features: Some(recut.n_features),
            preset: Some(config.preset.clone()),
            seed: Some(config.seed),
            chosen: Some(recut.chosen),
            views: None,
            held: recut.held,
            pseudo_label_kinds: Some(recut.kinds.clone()),
            pseudo_label_rule: LabelRule::Backed,
            strays: recut
                .strays
                .as_ref()
                .zip(config.strays)
                .map(|(found, asked)| StrayMetrics::of(found, asked)),
            parts: None,
            inputs: None,
            ..numbers
        };
        for (model, &kind) in metrics.rounds[0].models.iter_mut().zip(&recut.members) {
            (model.kind, model.name) = (Some(kind), None);
        }
        Ok(metrics)
    }
}
