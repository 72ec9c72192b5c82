//! Which communities count.

use consilience_data::{Assignments, Cell, Votes};
use consilience_ensembles::Prepared;
use consilience_graph::Threads;

use crate::error::RunError;
use crate::evidence::Evidence;
use crate::granularity::{Branches, branches};
use crate::linked::cut_where_told;
use crate::progress::Observer;
use crate::voters::Voters;

/// Of three kinds of communities, those that the neighbour graph speaks for: of all granularities around K, of those from K on, or the K branches that
/// stay whole longest over all granularities.
///
/// Communities of one granularity are of like sizes. Coarse ones keep together what belongs together where sizes are unequal. Where
/// they are alike, all that such a voter can do is to join kinds that are near each other, and a consensus that follows it joins these and splits
/// others: so coarse voters are left out if the others' consensus tells more of neighbours' clusters. Where one kind is
/// thirty times as large as another, no granularity shows both, and branches do. Information speaks for equal sizes, so these are held against
/// the others by [`Evidence::net`].
///
/// # Errors
///
/// [`RunError::Graph`], [`RunError::Ensemble`].
pub(crate) fn settled(
    mut voters: Voters,
    data: &Prepared,
    (k, n_threads): (usize, usize),
    threads: &Threads<'_>,
    observer: &dyn Observer,
) -> Result<Voters, RunError> {
    let found = |votes: &Votes, shares| -> Result<Option<(Assignments, Evidence)>, RunError> {
        let kinds = vec![0; votes.n_models()];
        let found = cut_where_told(votes, &kinds, (k, shares), &[data], threads)?;
        Ok(found.map(|found| (found.assignments, found.evidence)))
    };
    let Some(mut best) = found(&voters.votes, voters.shares(0.0))? else { return Ok(voters) };
    let fine = voters.fine().map(|fine| voters.votes.of_models(fine));
    if let Some(of_fine) = fine.map(|fine| found(&fine, voters.shares(0.0))).transpose()?.flatten()
        && of_fine.1.neighbour_information > best.1.neighbour_information
    {
        (voters, best) = (voters.without_coarse(), of_fine);
    }
    voters.is_evidence &= best.1.net() > 0.0;
    let Some(Branches { samples, clusters }) = branches(data, k, n_threads, observer)? else {
        return Ok(voters);
    };
    let mut of_branches = voters.of_labels(data, (&samples, &clusters), n_threads, observer)?;
    let Some(told) = found(&of_branches.votes, of_branches.shares(0.0))? else { return Ok(voters) };
    let smallest = told.0.sizes().into_iter().min().unwrap_or(0);
    if told.1.net() > best.1.net() && stands(smallest, &told.0, &clusters) {
        of_branches.is_evidence = told.1.net() > 0.0;
        of_branches.smallest = Some(smallest);
        return Ok(of_branches);
    }
    voters.smallest = smallest_of_both(&best.0, &told.0);
    Ok(voters)
}

/// Whether all branches are left when neighbours have voted: the `smallest` cluster has half of the share of all samples that the smallest branch has. A branch of
/// fewer samples than vote for one goes under among others, and a single one of them may remain.
fn stands(smallest: usize, answer: &Assignments, branches: &[usize]) -> bool {
    let mut sizes = vec![0; answer.n_clusters()];
    branches.iter().for_each(|&branch| sizes[branch] += 1);
    let least = sizes.into_iter().min().unwrap_or(0);
    2 * smallest * branches.len() >= least * answer.n_samples()
}

/// The size of the smallest cluster of `found`, if `other` has it, too, with half of all samples that are in either.
fn smallest_of_both(found: &Assignments, other: &Assignments) -> Option<usize> {
    let (sizes, others) = (found.sizes(), other.sizes());
    let (smallest, &size) = sizes.iter().enumerate().min_by_key(|&(_, size)| size)?;
    let overlap = found.contingency(other);
    let is_same = |cell: &Cell| {
        cell.first == smallest
            && 2 * cell.n_samples >= size as u64 + others[cell.second] as u64 - cell.n_samples
    };
    overlap.rows().flatten().any(is_same).then_some(size)
}

#[cfg(test)]
mod tests {
    use consilience_data::ClusterId;

    use super::*;

    #[test]
    fn branches_stand_if_half_of_the_smallest_is_left() {
        let answer = |sizes: [u16; 2]| {
            let of = (0..).zip(sizes).flat_map(|(id, size)| vec![ClusterId(id); size.into()]);
            Assignments::new(of.collect(), 2)
        };
        // One in ten of a tenth of the samples.
        let branches = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        assert!(stands(5, &answer([95, 5]), &branches));
        assert!(!stands(4, &answer([96, 4]), &branches));
    }
}
