//! Views as a run's settings ask for them.

use std::borrow::Cow;

use consilience_data::{Features, Recipe, Seed, Stream};
use consilience_ensembles::{Encoder, Prepared};
use consilience_graph::Threads;

use super::settings::{ViewNetworks, ViewSettings};
use super::view::{GivenView, View, ViewSource};
use super::voters::ViewVoters;
use crate::config::{Config, ValidConfig};
use crate::error::RunError;
use crate::progress::{Observer, Step};

/// The views that `config` asks for, in its order, and what votes on each. Encoders are trained on `features`, which `recipe` made of files; `given` are the features
/// of all others, in their order.
///
/// Each has its own random numbers, so that one more view changes none before it. If the time is up while an encoder or networks are trained, what they have learnt
/// counts, and the view's settings say how many steps that were. The same for any number of threads.
///
/// # Errors
///
/// [`RunError::Setting`] if there are other numbers of views or samples, or fewer than K distinct rows in a view; [`RunError::NoTime`] if an encoder hasn't learnt
/// anything in time; as [`Encoder::train`] and [`Prepared::new`]; those of voters, [`RunError::Ensemble`] and [`RunError::Graph`].
///
/// # Complexity
///
/// For each view, that of the encoder, of the neighbour graph and of what votes.
pub fn prepare_views(
    (features, recipe): (&Features, &Recipe),
    given: &[GivenView<'_>],
    config: &ValidConfig,
    observer: &dyn Observer,
) -> Result<Vec<ViewVoters>, RunError> {
    let n_threads = config.compute.threads;
    let cancelled = || observer.cancelled();
    let threads = Threads::watched(n_threads, &cancelled)?;
    let wanted = config.views.iter().filter(|view| view.is_given()).count();
    if wanted != given.len() {
        let need = format!("features of {wanted} views");
        return Err(RunError::Setting { name: "views", need, got: given.len().to_string() });
    }
    let mut given = given.iter();
    let view = |(at, settings): (usize, &ViewSettings)| {
        let seed = Seed(config.seed.rng(Stream::View { view: at as u64 }).bits());
        let mut settings = settings.clone();
        let (found, recipe, source) = match &mut settings.pretext {
            Some(params) => {
                observer.step(&Step::Encode { pretext: params.pretext.name() });
                let (encoder, learnt) =
                    Encoder::train(features, recipe, params, seed, n_threads, observer)?;
                if learnt.steps == 0 {
                    return Err(RunError::NoTime);
                }
                if learnt.epochs < params.epochs {
                    params.most_steps = Some(learnt.steps);
                }
                let found = encoder.embed(features, n_threads, observer)?;
                let source = ViewSource::Learnt(Box::new(encoder));
                (Cow::Owned(found), Recipe::default(), source)
            }
            None => {
                let GivenView { features, recipe } = given.next().expect("they were counted");
                let source = ViewSource::Given(Box::new((*recipe).clone()));
                (Cow::Borrowed(*features), (*recipe).clone(), source)
            }
        };
        check_view(&settings.name, &found, features.n_samples(), config.n_clusters)?;
        observer.step(&Step::Prepare);
        let preset = Config::preset_for("auto", &found, &recipe, config.n_clusters)?;
        let preparation = *settings.preparation.get_or_insert(preset.preparation);
        if config.members.iter().any(|kind| kind.is_network()) {
            let Config { members, first: training, network: params, .. } = preset;
            let networks = ViewNetworks { members, steps: Vec::new(), training, params };
            settings.networks.get_or_insert(networks);
        }
        let mut data = Prepared::new_watched(&found, preparation, seed, n_threads, observer)?;
        data.measure_distances_watched(n_threads, observer)?;
        ViewVoters::find(View { settings, source, data }, config, &threads, observer)
    };
    config.views.iter().enumerate().map(view).collect()
}

/// Checks that `k` clusters of so many samples can be found in the features of a view.
///
/// # Errors
///
/// [`RunError::Setting`].
pub fn check_view(
    name: &str,
    features: &Features,
    n_samples: usize,
    k: usize,
) -> Result<(), RunError> {
    let refused = |need: String, got: usize| {
        let got = format!("{got} in {name}");
        Err(RunError::Setting { name: "views (--view)", need, got })
    };
    match (features.n_samples(), features.distinct_rows_up_to(k)) {
        (found, _) if found != n_samples => refused(format!("{n_samples} samples"), found),
        (_, distinct) if distinct < k => refused(format!("{k} distinct rows"), distinct),
        _ => Ok(()),
    }
}
