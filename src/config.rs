//! Settings of a run: as they are written, and as they have been resolved and checked.

use std::sync::Arc;

use consilience_data::{Features, Seed};
use consilience_ensembles::{
    Compute, EngineChoice, EngineName, Ensemble, Initialisation, MemberKind, NetworkParams, Phase,
    Preparation, Scaling, ValidNetworkParams,
};
use consilience_graph::{AgreementParams, ValidAgreement};
use serde::{Deserialize, Serialize};

use crate::cut::{self, Cut};
use crate::error::RunError;
use crate::few_labels::FewLabels;
use crate::labelling::Labelling;
use crate::outcome::StopReason;
use crate::round::Round;
use crate::schedule::Schedule;
use crate::strays::StrayLimit;
use crate::views::ViewSettings;

/// Settings of a run, all that decides its result: a run can be repeated from this and its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Version of the program that wrote this.
    pub version: String,
    /// The preset that settings were started from. It decides nothing any more.
    pub preset: String,
    /// Number of clusters, K. There is no default: 0 is refused.
    pub n_clusters: usize,
    /// The seed of all randomness.
    pub seed: Seed,
    /// Largest number of rounds, the first included. 1 is a plain ensemble.
    pub rounds: usize,
    /// End when the consensus of two rounds has at least this adjusted Rand index; above 1: never.
    pub stable_ari: f64,
    /// How features become what models see.
    pub preparation: Preparation,
    /// The kind of every model, one entry a model.
    pub members: Vec<MemberKind>,
    /// What trains networks.
    pub engine: EngineChoice,
    /// Models trained in the first round, at least: those beyond the members are networks, and those networks go on whose clusters tell
    /// most of neighbours' clusters.
    pub candidates: usize,
    /// What pseudo-labels come from: agreement, or one of the naive ways that it is compared with.
    pub labelling: Labelling,
    /// Training in the first round.
    pub first: Schedule,
    /// Training in every later round.
    pub retrain: Schedule,
    /// Voters beside networks: communities of the neighbour graph, of as many granularities. 0: none.
    pub communities: usize,
    /// Whether the networks' answer is judged beside those of communities, of both kinds and of k-means, and another may be taken.
    #[serde(alias = "guard")]
    pub judge: bool,
    /// The agreement graph.
    pub agreement: AgreementParams,
    /// The networks.
    pub network: NetworkParams,
    /// Which samples are left without a cluster, as they belong nowhere; `None`: none, and no sample has a score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strays: Option<StrayLimit>,
    /// How it learns from labels that are given; none in a run that clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub few_labels: Option<FewLabels>,
    /// How far training went, where the time was up before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// Other views of the samples, on which there are voters, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<ViewSettings>,
}

impl Config {
    /// Checks every setting, alone and against the data, for work on `compute`: a number of threads, or a GPU.
    ///
    /// # Errors
    ///
    /// [`RunError`] with the first setting that can't be, and what it has to be.
    pub fn check(
        self,
        features: &Features,
        compute: impl Into<Compute>,
    ) -> Result<ValidConfig, RunError> {
        let mut compute = Compute { engine: self.engine, ..compute.into() };
        let (k, n) = (self.n_clusters, features.n_samples());
        need(
            (2..=n.min(65_535)).contains(&k),
            "n_clusters (-k)",
            &match n {
                0..=65_535 => format!("2 <= K <= {n} (the number of samples)"),
                _ => "2 <= K <= 65535".into(),
            },
            &k,
        )?;
        let distinct = features.distinct_rows_up_to(k);
        if distinct < k {
            return Err(RunError::TooFewDistinct { k, distinct });
        }
        need(self.rounds >= 1, "rounds", "at least 1", &self.rounds)?;
        if let Some(cut) = &self.cut {
            need(cut.rounds >= 1, "cut.rounds", "at least 1", &cut.rounds)?;
        }
        need(!self.stable_ari.is_nan(), "stable_ari", "a number", &self.stable_ari)?;
        need(
            (1..=65_535).contains(&self.members.len()),
            "members",
            "1 to 65535 models",
            &self.members.len(),
        )?;
        need(self.communities <= 1000, "communities", "at most 1000", &self.communities)?;
        need(self.candidates <= 65_000, "candidates", "at most 65000", &self.candidates)?;
        need(compute.threads >= 1, "threads", "at least 1", &compute.threads)?;
        for (name, schedule) in [("first.epochs", self.first), ("retrain.epochs", self.retrain)] {
            need(schedule.epochs >= 1, name, "at least 1", &schedule.epochs)?;
        }
        let network = self.network.clone().check()?;
        network.check_clusters(k)?;
        network.check_features(self.preparation.seen(features.n_features()))?;
        let trained_by = compute.engine_for(&self.members, &network)?;
        compute.engine = trained_by.into();
        let n_trained = match self.preparation.scaling {
            Scaling::Rows => (0..n).filter(|&row| features.entries(row).next().is_some()).count(),
            _ => n,
        };
        let batch = network.batch_size.min(n_trained);
        need(
            batch >= k,
            "network.batch_size",
            "at least K samples, as a batch has to hold every cluster",
            &batch,
        )?;
        self.labelling.check(k, batch, features)?;
        self.few_labels.iter().try_for_each(FewLabels::check)?;
        if let Some(limit) = self.strays {
            let need = "a share of the samples, 0 to 0.5, or auto";
            self::need(limit.is_possible(), "strays (--strays)", need, &limit)?;
            let learns = self.few_labels.is_some();
            let need = "none in a run that learns from labels: each of its clusters is a class";
            self::need(!learns, "strays (--strays)", need, &limit)?;
        }
        self.check_views(features)?;
        let agreement = self.agreement.check(self.members.len())?;
        let batches = n_trained / batch;
        let start = None;
        Ok(ValidConfig { config: self, network, agreement, compute, trained_by, start, batches })
    }

    /// What votes on views counts when answers are compared, and encoders fit the data.
    fn check_views(&self, features: &Features) -> Result<(), RunError> {
        if self.views.is_empty() {
            return Ok(());
        }
        let name = "views (--view)";
        let compared = self.judge && self.labelling == Labelling::Agreement;
        let need = "judge = true and labelling = agreement, as voters on views are heard when answers are compared";
        self::need(compared, name, need, &(self.judge, self.labelling))?;
        let given = self.views.len();
        let need = "none in a run that learns from labels";
        self::need(self.few_labels.is_none(), name, need, &given)?;
        for view in &self.views {
            view.pretext.iter().try_for_each(|params| params.check(features))?;
            if let Some(networks) = &view.networks {
                networks.params.clone().check()?.check_clusters(self.n_clusters)?;
                let least = networks.params.batch_size.min(features.n_samples());
                let need = "at least K samples, as a batch has to hold every cluster";
                self::need(
                    least >= self.n_clusters,
                    "views.networks.params.batch_size",
                    need,
                    &least,
                )?;
                let (name, need) = ("views.networks.members", "1 to 1000 networks");
                let count = networks.members.len();
                let all = networks.members.iter().all(|kind| kind.is_network());
                self::need(all && (1..=1000).contains(&count), name, need, &networks.members)?;
                let (name, epochs) = ("views.networks.training.epochs", networks.training.epochs);
                self::need(epochs >= 1, name, "at least 1", &epochs)?;
            }
        }
        Ok(())
    }
}

fn need(
    good: bool,
    name: &'static str,
    need: &str,
    got: &dyn std::fmt::Debug,
) -> Result<(), RunError> {
    if good {
        Ok(())
    } else {
        Err(RunError::Setting { name, need: need.into(), got: format!("{got:?}") })
    }
}

/// Settings that have been checked. What isn't shadowed here is read through [`Config`].
#[derive(Debug, Clone)]
pub struct ValidConfig {
    config: Config,
    /// The networks' settings, checked.
    pub network: ValidNetworkParams,
    /// The agreement graph's settings for this number of models.
    pub agreement: ValidAgreement,
    /// What to work on. The number of threads doesn't change the result.
    pub compute: Compute,
    /// What trains the networks, as [`Config::engine`] was resolved.
    pub trained_by: EngineName,
    /// What networks' hidden layers start from, if not from random ones.
    start: Option<Arc<Initialisation>>,
    /// Steps in a pass over the data.
    batches: usize,
}

impl std::ops::Deref for ValidConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl ValidConfig {
    /// The same, with networks whose hidden layers start from `start`, of `features`.
    ///
    /// # Errors
    ///
    /// [`RunError::Setting`] if it is for other features, another scale or other hidden layers, or if there are no networks.
    pub fn starting_from(
        mut self,
        start: Arc<Initialisation>,
        features: &Features,
    ) -> Result<Self, RunError> {
        let wrong = |need: String, got: String| Err(RunError::Setting { name: "init", need, got });
        let (preparation, seen) = (self.preparation, self.preparation.seen(features.n_features()));
        if seen != start.n_features() {
            let got = match seen == features.n_features() {
                true => format!("data of {seen}"),
                false => format!("{seen} principal directions (preparation.components)"),
            };
            return wrong(format!("{} features, as what it starts from", start.n_features()), got);
        }
        if preparation.scaling != start.scaling() {
            let (need, got) = (start.scaling(), preparation.scaling);
            return wrong(format!("preparation.scaling = {need:?}"), format!("{got:?}"));
        }
        if self.network.hidden != start.widths() {
            let need = format!("network.hidden = {:?}, as what it starts from", start.widths());
            return wrong(need, format!("{:?}", self.network.hidden));
        }
        if !self.members.iter().any(|kind| kind.is_network()) {
            return wrong("networks among the members".into(), "none".into());
        }
        self.start = Some(start);
        Ok(self)
    }

    /// Checks that there are as many views as the settings have.
    pub(crate) fn need_views(&self, got: usize) -> Result<(), RunError> {
        let need = format!("{} that were prepared for it", self.views.len());
        self::need(got == self.views.len(), "views", &need, &got)
    }

    /// Has networks start from what they are to start from.
    pub(crate) fn start(&self, ensemble: &mut Ensemble) -> Result<(), RunError> {
        Ok(self.start.iter().try_for_each(|start| ensemble.start_from(start))?)
    }

    /// The kind of every candidate: those of the members, then those of the networks among them, in turn. Other models vote once.
    pub(crate) fn candidates(&self) -> Vec<MemberKind> {
        let networks = self.members.iter().copied().filter(|kind| kind.is_network());
        let spare = self.candidates.saturating_sub(self.members.len());
        self.members.iter().copied().chain(networks.cycle().take(spare)).collect()
    }

    /// Number of communities that vote. Those who ask for communities or the baseline alone, or for naive labels, want to see these.
    pub(crate) fn n_communities(&self) -> usize {
        let is_other = |kind: &MemberKind| kind.is_network() || *kind == MemberKind::Mixture;
        let others = self.members.iter().any(is_other);
        let wanted = self.judge && others && self.labelling == Labelling::Agreement;
        if wanted { self.communities } else { 0 }
    }

    /// The agreement graph's settings for so many models: those asked for, or shares of them where models were lost, or couldn't be
    /// trained in time.
    pub(crate) fn agreement_of(&self, n_models: usize) -> AgreementParams {
        let planned = self.members.len();
        if n_models < planned {
            cut::scaled(&self.config.agreement, planned)
        } else {
            self.config.agreement.clone()
        }
    }

    /// The same, checked.
    pub(crate) fn agreement_for(&self, n_models: usize) -> Result<ValidAgreement, RunError> {
        Ok(self.agreement_of(n_models).check(n_models)?)
    }

    /// Steps of a round's training, of each network.
    pub(crate) fn steps(&self, round: usize) -> usize {
        self.phase(round).epochs * self.batches
    }

    /// The training of a round, without the pseudo-labels.
    pub(crate) fn phase(&self, round: usize) -> Phase {
        let schedule = if round == 0 { self.first } else { self.retrain };
        let epochs = schedule.epochs_of(self.batches);
        Phase { round, epochs, anneal: schedule.anneal, most_steps: None }
    }

    /// Why there should be no further round, if so.
    pub(crate) fn stop(&self, rounds: &[Round]) -> Option<StopReason> {
        let last = rounds.last()?;
        match last.ari_to_previous {
            Some(ari_to_previous) if ari_to_previous >= self.stable_ari => {
                Some(StopReason::Stable { ari_to_previous })
            }
            _ if self.cut.as_ref().is_some_and(|cut| rounds.len() >= cut.rounds) => {
                Some(StopReason::TimeLimit)
            }
            _ if rounds.len() < self.rounds => None,
            _ if rounds.iter().any(|round| round.complete) => Some(StopReason::RoundLimit),
            _ => Some(StopReason::NoCluster),
        }
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Assignments, ClusterId, PseudoLabels};
    use ndarray::Array2;

    use super::*;
    use consilience_ensembles::{Image, Objective, Profile, SizePrior};

    use crate::round::Seconds;

    fn features() -> Features {
        let values = Array2::from_shape_fn((6, 2), |(row, column)| (row.min(4) + column) as f32);
        Features::new(values, "x").unwrap()
    }

    fn rejected(change: impl Fn(&mut Config)) -> String {
        let mut config = Config { n_clusters: 3, ..Config::default() };
        change(&mut config);
        config.check(&features(), 1).unwrap_err().to_string()
    }

    #[test]
    fn every_bound_is_checked() {
        assert!(
            rejected(|c| c.n_clusters = 1).contains("2 <= K <= 6 (the number of samples), got 1")
        );
        assert!(rejected(|c| c.n_clusters = 7).contains("got 7"));
        assert!(rejected(|c| c.n_clusters = 6).contains("only 5 distinct rows"));
        assert!(rejected(|c| c.rounds = 0).contains("rounds"));
        assert!(rejected(|c| c.members = vec![]).contains("members"));
        assert!(rejected(|c| c.first.epochs = 0).contains("first.epochs"));
        assert!(rejected(|c| c.retrain.epochs = 0).contains("retrain.epochs"));
        assert!(rejected(|c| c.stable_ari = f64::NAN).contains("stable_ari"));
        assert!(rejected(|c| c.network.batch_size = 2).contains("at least K"));
        assert!(rejected(|c| c.network.batch_size = 0).contains("batch_size"));
        assert!(rejected(|c| c.agreement.min_size = 0).contains("min_size"));
        let two = |c: &mut Config| c.network.sizes = SizePrior::Given(vec![1.0, 2.0]);
        assert!(rejected(two).contains("sizes: need a number for each cluster, got 2 for 3"));
        let image = Some(Image { rows: 3, columns: 1, channels: 1 });
        let shifted = |c: &mut Config| {
            c.network.image = image;
            c.network.move_weight = 1.0;
        };
        assert!(rejected(shifted).contains("got 3 x 1 x 1 for 2 features"));
        let plain = |c: &mut Config| {
            c.network.objective = Objective::DotProduct;
            c.members = vec![MemberKind::VatIm];
        };
        assert!(rejected(plain).contains("needs the noise of a ladder"));
    }

    #[test]
    fn sizes_and_objective_are_read_as_written() {
        for (sizes, written) in [
            (SizePrior::Uniform, r#"sizes = "uniform""#),
            (SizePrior::Learned, r#"sizes = "learned""#),
            (SizePrior::Given(vec![0.5, 0.3, 0.2]), "sizes = [0.5, 0.3, 0.2]"),
        ] {
            let mut config = Config::default();
            config.network.sizes = sizes;
            config.network.objective = Objective::DotProduct;
            let text = toml::to_string(&config).unwrap();
            assert!(text.contains(written) && text.contains(r#"objective = "dot-product""#));
            assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
            let whole = text.replace(written, "sizes = [5, 3, 2]");
            let given = SizePrior::Given(vec![5.0, 3.0, 2.0]);
            assert_eq!(toml::from_str::<Config>(&whole).unwrap().network.sizes, given);
            let wrong = toml::from_str::<Config>(&text.replace(written, "sizes = \"even\""));
            assert!(wrong.unwrap_err().message().contains("uniform, learned or a list"));
        }
    }

    #[test]
    fn few_samples_have_more_epochs() {
        let mut config = Config { n_clusters: 3, ..Config::default() };
        config.first = Schedule { epochs: 2, min_steps: 10, anneal: false };
        config.network.batch_size = 3;
        assert_eq!(config.check(&features(), 1).unwrap().phase(0).epochs, 5);
    }

    /// A round of four samples with the given history.
    fn round(complete: bool, ari_to_previous: Option<f64>) -> Round {
        Round {
            models: Vec::new(),
            pseudo_labels: PseudoLabels::default(),
            complete,
            n_signatures: 1,
            consensus: Assignments::new(vec![ClusterId(0); 4], 3),
            confidence: vec![1.0; 4],
            diversity: None,
            ari_to_previous,
            information: 1.0,
            with_all_kinds: None,
            seconds: Seconds { total: 0.0, graph: 0.0, models: Profile::default() },
        }
    }

    #[test]
    fn a_run_says_why_it_stops() {
        let config = Config { n_clusters: 3, rounds: 3, stable_ari: 0.9, ..Config::default() };
        let config = config.check(&features(), 1).unwrap();
        let stop = |rounds: &[(bool, Option<f64>)]| {
            let rounds: Vec<Round> =
                rounds.iter().map(|&(complete, ari)| round(complete, ari)).collect();
            config.stop(&rounds)
        };
        assert_eq!(stop(&[(true, None)]), None);
        assert_eq!(stop(&[(true, None), (true, Some(0.8))]), None);
        let stable = StopReason::Stable { ari_to_previous: 0.95 };
        assert_eq!(stop(&[(true, None), (true, Some(0.95))]), Some(stable));
        assert_eq!(
            stop(&[(true, None), (false, Some(0.95))]),
            Some(stable),
            "nothing more is found"
        );
        let incomplete = (false, Some(0.8));
        assert_eq!(stop(&[(true, None), incomplete, incomplete]), Some(StopReason::RoundLimit));
        assert_eq!(stop(&[(false, None), incomplete, incomplete]), Some(StopReason::NoCluster));
    }
}
