//! All that vote in a run: on the data and on other views.

use consilience_data::{DataError, Votes};
use consilience_ensembles::Prepared;

use super::part::Part;
use super::voters::ViewVoters;
use crate::linked::{MIN_SHARE, Shares};
use crate::voters::Voters;

/// All that vote in a run.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    /// What the members of the ensemble say.
    pub(crate) members: &'a Votes,
    /// Communities of the data, if there are any.
    pub(crate) communities: Option<&'a Voters>,
    /// What votes on other views.
    pub(crate) views: &'a [ViewVoters],
}

/// The votes of some of them. Each kind has the same weight.
pub(crate) struct Ballot {
    pub(crate) parts: Vec<Part>,
    pub(crate) votes: Votes,
    /// Of every model.
    pub(crate) kinds: Vec<usize>,
}

impl<'a> Panel<'a> {
    /// The data and the other views.
    pub(crate) fn seen(&self, data: &'a Prepared) -> Vec<&'a Prepared> {
        std::iter::once(data).chain(self.views.iter().map(|it| &it.view.data)).collect()
    }

    /// Communities that can be evidence.
    pub(crate) fn evident(&self) -> Vec<(Part, &'a Voters)> {
        let of_data = self.communities.filter(|voters| voters.is_evidence);
        let of_data = of_data.map(|voters| (Part::COMMUNITIES, voters));
        let of_views = self.views.iter().enumerate();
        let of_views =
            of_views.filter_map(|(at, it)| Some((Part::communities(at + 1), it.evident()?)));
        of_data.into_iter().chain(of_views).collect()
    }

    /// Communities whose answer is on the table: those that can be evidence, or those of the data.
    pub(crate) fn asked(&self) -> Vec<(Part, &'a Voters)> {
        let evident = self.evident();
        match self.communities {
            Some(voters) if evident.is_empty() => vec![(Part::COMMUNITIES, voters)],
            _ => evident,
        }
    }

    /// The votes of communities alone, if there are any.
    pub(crate) fn of_communities(&self) -> Result<Option<Ballot>, DataError> {
        stacked(self.asked().into_iter().map(|(part, voters)| (part, &voters.votes)))
    }

    /// The votes of all kinds, if there are others than the members: on other views mixtures and k-means count in any case, communities if they can be evidence.
    pub(crate) fn of_all(&self) -> Result<Option<Ballot>, DataError> {
        let asked = if self.views.is_empty() { self.asked() } else { self.evident() };
        let communities = asked.into_iter().map(|(part, voters)| (part, &voters.votes));
        let views = self.views.iter().enumerate();
        let of_views = views.map(|(at, it)| (Part::members(at + 1), &it.votes));
        let mut others: Vec<_> = communities.chain(of_views).collect();
        if others.is_empty() {
            return Ok(None);
        }
        others.sort_by_key(|&(part, _)| part);
        stacked(std::iter::once((Part::MEMBERS, self.members)).chain(others))
    }

    /// What all say, whether it counts or not.
    pub(crate) fn votes(&self) -> Result<Votes, DataError> {
        let of_view = |it: &'a ViewVoters| {
            std::iter::once(&it.votes).chain(it.communities.as_ref().map(|voters| &voters.votes))
        };
        let communities = self.communities.map(|voters| &voters.votes);
        let others = communities.into_iter().chain(self.views.iter().flat_map(of_view));
        others.into_iter().try_fold(self.members.clone(), |all, votes| all.stacked(votes))
    }

    /// What is no island in a consensus of communities, or with them: see [`Voters::shares`]. Clusters may be small as a rule where that holds for all communities.
    pub(crate) fn shares(&self, least: f64) -> Shares {
        let usual = self.asked().into_iter().map(|(_, voters)| voters.shares(least).usual);
        Shares { usual: usual.reduce(f64::max).unwrap_or(MIN_SHARE), least }
    }

    /// Samples in the smallest community that is no island, if all kinds of them have one: see [`Voters::smallest`].
    pub(crate) fn smallest(&self) -> Option<usize> {
        let smallest: Option<Vec<usize>> =
            self.asked().into_iter().map(|(_, voters)| voters.smallest).collect();
        smallest?.into_iter().min()
    }
}

/// Members and communities of the data are a kind each, as one of them learns from pseudo-labels; every other view is one.
fn stacked<'a>(
    parts: impl IntoIterator<Item = (Part, &'a Votes)>,
) -> Result<Option<Ballot>, DataError> {
    let mut all: Option<Ballot> = None;
    for (part, votes) in parts {
        let Some(Ballot { parts, votes: before, kinds }) = &mut all else {
            let kinds = vec![0; votes.n_models()];
            all = Some(Ballot { parts: vec![part], votes: votes.clone(), kinds });
            continue;
        };
        let is_same_kind = parts.last().is_some_and(|last| last.view == part.view && part.view > 0);
        let kind = kinds.last().map_or(0, |last| last + usize::from(!is_same_kind));
        kinds.extend(vec![kind; votes.n_models()]);
        parts.push(part);
        *before = before.stacked(votes)?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn every_other_view_is_one_kind() {
        let votes = |models| Votes::new(Array2::zeros((models, 4)), Array2::ones((models, 4)));
        let [one, two, three] = [1, 2, 3].map(|models| votes(models).unwrap());
        let parts = [
            (Part::MEMBERS, &two),
            (Part::COMMUNITIES, &three),
            (Part::members(1), &one),
            (Part::communities(1), &two),
            (Part::communities(2), &one),
        ];
        let ballot = stacked(parts).unwrap().unwrap();
        assert_eq!(ballot.kinds, [0, 0, 1, 1, 1, 2, 2, 2, 3]);
        assert_eq!(
            (ballot.votes.n_models(), ballot.parts),
            (9, parts.map(|(part, _)| part).into())
        );
        assert!(stacked([]).unwrap().is_none());
    }
}
