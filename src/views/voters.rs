//! What votes on a view that isn't the data.

use consilience_data::{ModelIdx, Votes};
use consilience_ensembles::{Clusterer, Ensemble, KMeansModel, Mixture, Phase};
use consilience_graph::Threads;

use super::view::View;
use crate::error::RunError;
use crate::progress::{Observer, Step, Unhurried};
use crate::settled::settled;
use crate::voters::Voters;

/// Mixtures on a view: enough that one which collapses costs a voter.
const MIXTURES: usize = 3;

/// A view, and what votes on it. Networks are trained on the data alone.
pub struct ViewVoters {
    /// The view.
    pub view: View,
    /// Mixtures and k-means.
    pub members: Ensemble,
    /// What they say of all samples.
    pub votes: Votes,
    /// Communities of the view's own neighbour graph, if there are any.
    pub communities: Option<Voters>,
}

impl ViewVoters {
    /// Finds them: for `k` clusters, with so many communities, on so many threads.
    ///
    /// # Errors
    ///
    /// [`RunError::Ensemble`] and [`RunError::Graph`].
    pub(crate) fn find(
        view: View,
        (k, n_communities, n_threads): (usize, usize, usize),
        threads: &Threads<'_>,
        observer: &dyn Observer,
    ) -> Result<Self, RunError> {
        observer.step(&Step::Communities);
        let data = &view.data;
        let model = |at: usize| -> Box<dyn Clusterer> {
            let model = ModelIdx::from_index(at);
            match at < MIXTURES {
                true => Box::new(Mixture::new(model, k)),
                false => Box::new(KMeansModel::new(model, k)),
            }
        };
        let mut members = Ensemble::new((0..=MIXTURES).map(model).collect(), n_threads)?;
        let once = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
        // Their numbers are those of candidates, so they keep out of their checkpoints.
        let progress = Unhurried { observer, checkpoints: &() };
        members.train(data, &once, &[], &progress)?;
        let votes = Votes::from_answers(&members.vote(data, 0, &progress)?)?;
        let found = Voters::find(data, k, n_communities, n_threads, observer)?;
        let settle = |voters| settled(voters, data, (k, n_threads), threads, observer);
        let communities = found.map(settle).transpose()?;
        Ok(Self { view, members, votes, communities })
    }

    /// Its communities, if they can be evidence.
    #[must_use]
    pub fn evident(&self) -> Option<&Voters> {
        self.communities.as_ref().filter(|voters| voters.is_evidence)
    }
}
