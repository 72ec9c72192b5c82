//! From what was typed to the settings of a run: preset, then file, then flags.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use consilience::from_votes::VotesConfig;
use consilience::labelling::{LabelRule, Labelling};
use consilience::overlay::overlay;
use consilience::{Config, Effort, RunError};
use consilience_data::{Dataset, Seed};
use consilience_ensembles::{
    Compute, Device, EnsembleError, Initialisation, MemberKind, Preparation,
};
use consilience_graph::{AgreementParams, GraphError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::k_range::Clusters;
use super::style::plural;
use super::values::cores;
use super::{AgreementArgs, ClusterArgs, PseudoLabelArgs};

/// The table of a run's `config.toml` that isn't settings.
const RUN: &str = "run";
/// The setting that says which others to start from.
const PRESET: &str = "preset";

/// All settings, for `k` clusters unless a file has another number, of networks that start from `start`.
pub(super) fn resolve(
    args: &ClusterArgs,
    data: &Dataset,
    k: usize,
    start: Option<&Initialisation>,
) -> Result<Config> {
    let mut file = args.config.as_deref().map(SettingsFile::read).transpose()?;
    let in_file = file.as_mut().map(|file| file.take_preset(args.preset.is_some())).transpose()?;
    let in_file = in_file.flatten();
    let preset = args.preset.as_deref().or(in_file.as_deref()).unwrap_or("auto");
    let config = Config::preset_for(preset, &data.features, &data.recipe, k);
    let mut config = match (&file, &args.preset) {
        (Some(file), None) if in_file.is_some() => config.with_context(|| file.shown())?,
        _ => config?,
    };
    if args.effort == Effort::Quick {
        no_networks(args)?;
    }
    config = config.with_effort(args.effort);
    if let Some(teaching) = &args.teaching {
        config = teaching.settings(config);
    }
    if let Some(start) = start {
        let (scaling, components) = (start.scaling(), 0);
        config.preparation = Preparation { scaling, components };
        config.network.hidden = start.widths();
    }
    if let Some(file) = file {
        config = file.over(&config, Others::Refused)?;
    }
    match &args.teaching {
        Some(teaching) => teaching.over_file(&mut config)?,
        None => config.few_labels = None,
    }
    config.version = env!("CARGO_PKG_VERSION").into();
    if let Some(seed) = args.seed {
        config.seed = Seed(seed);
    }
    if let Some(rounds) = args.rounds {
        config.rounds = rounds;
    }
    if let Some(kind) = args.member {
        config.members.fill(kind);
        if !kind.is_network() {
            // Who asks for models of this kind wants to see these.
            config.communities = 0;
        }
    }
    if let Some(models) = args.models {
        config.set_models(models.into(), args.member);
    }
    config.engine = args.engine.unwrap_or(config.engine);
    config.labelling = args.labelling.unwrap_or(config.labelling);
    config.strays = args.strays.or(config.strays);
    if args.teaching.is_none() {
        args.views.settle(&mut config, preset, data)?;
    }
    agree(&mut config.agreement, &args.agreement);
    Ok(config)
}

/// Refuses options of networks, of which a quick run has none.
fn no_networks(args: &ClusterArgs) -> Result<()> {
    let network = args.member.is_some_and(MemberKind::is_network);
    let asked = [
        (network || args.models.is_some() && args.member.is_none(), "networks"),
        (args.rounds.is_some_and(|rounds| rounds > 1), "rounds of training"),
        (args.device != Device::Cpu, "a GPU"),
        (args.preset.as_deref() == Some("paper"), "the paper's networks"),
        (args.init.is_some(), "networks that start from --init"),
    ];
    match asked.iter().find(|(asked, _)| *asked) {
        Some((_, what)) => bail!(
            "--effort quick trains no networks, but {what} were asked for; leave out one of both"
        ),
        None => Ok(()),
    }
}

/// All settings for votes that are given.
pub(super) fn for_votes(args: &PseudoLabelArgs) -> Result<VotesConfig> {
    let mut config = VotesConfig::default();
    if let Some(path) = &args.config {
        config = SettingsFile::read(path)?.over(&config, Others::IgnoredInRuns)?;
    }
    config.version = env!("CARGO_PKG_VERSION").into();
    let typed = args.clusters.as_ref().and_then(Clusters::number);
    config.n_clusters = typed.unwrap_or(config.n_clusters);
    config.consensus = args.consensus.unwrap_or(config.consensus);
    agree(&mut config.agreement, &args.agreement);
    Ok(config)
}

/// The number of clusters for votes: as typed, else as in the settings, else to be found.
pub(super) fn clusters_of_votes(args: &PseudoLabelArgs, config: &VotesConfig) -> Result<Clusters> {
    let known = Some(config.n_clusters).filter(|&k| k > 0).map(Clusters::Number);
    match args.clusters.clone().or(known).unwrap_or(Clusters::AUTO) {
        Clusters::Number(0) => bail!("-k 0: give a number of clusters, at least 1"),
        clusters => Ok(clusters),
    }
}

/// Replaces what was typed.
pub(super) fn agree(agreement: &mut AgreementParams, args: &AgreementArgs) {
    agreement.min_agree = args.min_agree.unwrap_or(agreement.min_agree);
    agreement.max_agree = args.max_agree.unwrap_or(agreement.max_agree);
    agreement.min_common = args.min_common.unwrap_or(agreement.min_common);
    agreement.min_confidence = args.min_confidence.unwrap_or(agreement.min_confidence);
}

/// What was typed that the labels which a run ended with don't depend on.
pub(super) fn unheeded(
    args: &AgreementArgs,
    labelling: Labelling,
    rule: LabelRule,
) -> Option<String> {
    let agreed = rule == LabelRule::MiniClusters && labelling == Labelling::Agreement;
    let sure = agreed || rule == LabelRule::MiniClusters && labelling == Labelling::Confidence;
    let typed = [
        (args.min_agree.is_some() && !agreed, "--min-agree"),
        (args.max_agree.is_some() && !agreed, "--max-agree"),
        (args.min_common.is_some() && !agreed, "--min-common"),
        (args.min_confidence.is_some() && !sure, "--min-confidence"),
    ];
    let typed = typed.into_iter().filter_map(|(is_unheeded, flag)| is_unheeded.then_some(flag));
    let typed: Vec<&str> = typed.collect();
    let why = match rule {
        LabelRule::Backed => {
            "which are all samples on which most models of each kind stand behind the answer"
        }
        LabelRule::MiniClusters => "as --labelling asks for another way than agreement",
    };
    let typed = (!typed.is_empty()).then(|| typed.join(", "))?;
    Some(format!("{typed}: not applied to the pseudo-labels of this run, {why}"))
}

/// What to train on. A GPU is looked for right away.
pub(super) fn compute(args: &ClusterArgs) -> Result<Compute> {
    let device = args.device;
    args.engine.unwrap_or_default().check_device(device)?;
    if device == Device::Cpu && args.kernels {
        return Err(EnsembleError::Kernels.into());
    }
    device.check()?;
    if device == Device::Cpu && args.stack.is_some() {
        bail!("--stack: only a GPU trains models as a stack; leave it out, or add --device cuda");
    }
    let cpu = Compute::cpu(args.threads.unwrap_or_else(cores));
    Ok(Compute { device, kernels: args.kernels, stack: args.stack.unwrap_or(cpu.stack), ..cpu })
}

/// The number of clusters: as typed, else as in the settings, else as the data declare, else to be found.
pub(super) fn clusters(args: &ClusterArgs, config: &Config, data: &Dataset) -> Clusters {
    let in_settings = Some(config.n_clusters).filter(|&k| k > 0);
    let known = in_settings.or(data.n_clusters).map(Clusters::Number);
    args.clusters.clone().or(known).unwrap_or(Clusters::AUTO)
}

/// `error`, with a hint where flags are the way out.
pub(super) fn hint(error: RunError) -> anyhow::Error {
    let RunError::Graph(GraphError::Thresholds { n_models, min_agree, .. }) = error else {
        return error.into();
    };
    let percent = match usize::from(min_agree) > n_models && min_agree <= 100 {
        true => format!("; a share of them is written as --min-agree {min_agree}%"),
        false => String::new(),
    };
    let models = plural(n_models, "model");
    anyhow!("{error}; choose --min-agree and --max-agree for {models}{percent}")
}

/// Settings in a file that the command doesn't have.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    /// They are mistakes.
    Refused,
    /// In the file of a run, which may have been of a command that has more settings, they are none.
    IgnoredInRuns,
}

/// Settings in TOML.
struct SettingsFile<'a> {
    path: &'a Path,
    settings: Table,
    /// Whether a run wrote it, with all settings.
    is_of_run: bool,
}

impl<'a> SettingsFile<'a> {
    fn read(path: &'a Path) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{shown}: the settings can't be read"))?;
        let mut settings: Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            anyhow!("{shown}: line {line} is not TOML: {}", error.message())
        })?;
        let is_of_run = settings.remove(RUN).is_some();
        Ok(Self { path, settings, is_of_run })
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// The preset that the settings start from, which the preset itself enters. Of a run's, all of which stand in the file, it stays where another
    /// one was typed, as that changes nothing.
    fn take_preset(&mut self, is_typed: bool) -> Result<Option<String>> {
        let found = match is_typed && self.is_of_run {
            true => self.settings.get(PRESET).cloned(),
            false => self.settings.remove(PRESET),
        };
        let name = |value: Value| match value {
            Value::String(name) => Ok(name),
            other => Err(anyhow!("{}: preset: need a name, got {other}", self.shown())),
        };
        found.map(name).transpose()
    }

    /// `config` with what is set here replaced.
    fn over<C: Serialize + DeserializeOwned>(self, config: &C, others: Others) -> Result<C> {
        let Self { path, mut settings, is_of_run } = self;
        if is_of_run && others == Others::IgnoredInRuns {
            let known = Table::try_from(config)?;
            settings.retain(|key, _| known.contains_key(key));
        }
        overlay(config, settings).map_err(|error| anyhow!("{}: {error}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_applied_is_told() {
        let args = AgreementArgs {
            min_agree: Some("80%".parse().unwrap()),
            max_agree: None,
            min_common: None,
            min_confidence: Some(0.9),
        };
        let told = |labelling, rule| unheeded(&args, labelling, rule).unwrap_or_default();
        assert_eq!(told(Labelling::Agreement, LabelRule::MiniClusters), "");
        let backed = told(Labelling::Agreement, LabelRule::Backed);
        assert!(backed.starts_with("--min-agree, --min-confidence: not applied"), "{backed}");
        let sure = told(Labelling::Confidence, LabelRule::MiniClusters);
        assert!(sure.starts_with("--min-agree: not") && sure.contains("--labelling"), "{sure}");
        let clusters = told(Labelling::Clusters, LabelRule::MiniClusters);
        assert!(clusters.starts_with("--min-agree, --min-confidence: "), "{clusters}");
    }
}
