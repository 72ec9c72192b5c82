//! What votes on a view that isn't the data.

use consilience_data::Votes;
use consilience_ensembles::Ensemble;

use super::view::View;
use crate::voters::Voters;

/// A view, and what votes on it. No pseudo-labels are learnt from here: rounds are of the data alone.
pub struct ViewVoters {
    /// The view.
    pub view: View,
    /// Networks; where none are trained, mixtures and k-means.
    pub members: Ensemble,
    /// What they say of all samples.
    pub votes: Votes,
    /// Communities of the view's own neighbour graph, if there are any.
    pub communities: Option<Voters>,
}

impl ViewVoters {
    /// Its communities, if they can be evidence.
    #[must_use]
    pub fn evident(&self) -> Option<&Voters> {
        self.communities.as_ref().filter(|voters| voters.is_evidence)
    }
}
