//! Who is asked about a view: they are trained and found here.

use consilience_data::Votes;
use consilience_ensembles::{Compute, Ensemble, MemberKind, Phase};
use consilience_graph::Threads;

use super::view::View;
use super::voters::ViewVoters;
use crate::config::ValidConfig;
use crate::cut::leave_untrained;
use crate::error::RunError;
use crate::progress::{Apart, Observer, Step};
use crate::settled::settled;
use crate::voters::Voters;

/// What votes where networks aren't trained: mixtures, enough that one which collapses costs a voter, and k-means.
const WITHOUT_NETWORKS: [MemberKind; 4] =
    [MemberKind::Mixture, MemberKind::Mixture, MemberKind::Mixture, MemberKind::KMeans];

/// What votes on a view, as `config` has it.
///
/// # Errors
///
/// [`RunError::Ensemble`] and [`RunError::Graph`]; [`RunError::NoTime`] if no network has learnt anything in time.
pub(super) fn ask(
    mut view: View,
    config: &ValidConfig,
    threads: &Threads<'_>,
    observer: &dyn Observer,
) -> Result<ViewVoters, RunError> {
    let (k, n_threads) = (config.n_clusters, config.compute.threads);
    // Numbers of its members are those of candidates, so they keep out of their checkpoints.
    let unkept = Apart::unkept(observer);
    let mut members = trained(&mut view, config, &unkept)?;
    let data = &view.data;
    let votes = Votes::from_answers(&members.vote(data, 0, &unkept)?)?;
    observer.step(&Step::Communities);
    let found = Voters::find(data, k, config.n_communities(), n_threads, observer)?;
    let settle = |voters| settled(voters, data, (k, n_threads), threads, observer);
    let communities = found.map(settle).transpose()?;
    Ok(ViewVoters { view, members, votes, communities })
}

/// The members that vote on a view. Those whose time was up before they had learnt anything are left out.
fn trained(
    view: &mut View,
    config: &ValidConfig,
    observer: &dyn Observer,
) -> Result<Ensemble, RunError> {
    let (data, k) = (&view.data, config.n_clusters);
    // What trains the data's networks need not fit these.
    let compute = Compute { engine: config.engine, ..config.compute };
    let mut phase = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
    let Some(networks) = &mut view.settings.networks else {
        let params = config.network.clone();
        let mut members = Ensemble::of_kinds(&WITHOUT_NETWORKS, &params, data, k, &compute)?;
        members.train(data, &phase, &[], observer)?;
        return Ok(members);
    };
    let name = &view.settings.name;
    observer.step(&Step::TrainView { name, networks: networks.members.len() });
    let params = networks.params.clone().check()?;
    let mut members = Ensemble::of_kinds(&networks.members, &params, data, k, &compute)?;
    members.limit(&networks.steps);
    let batches = data.trainable().len() / params.batch_size.min(data.trainable().len());
    (phase.epochs, phase.anneal) = (networks.training.epochs_of(batches), networks.training.anneal);
    members.train(data, &phase, &[], observer)?;
    networks.steps = leave_untrained(&mut members, phase.epochs * batches);
    if members.n_models() == 0 { Err(RunError::NoTime) } else { Ok(members) }
}
