//! Which communities count.

use consilience_data::{Assignments, Cell, Votes};
use consilience_ensembles::Prepared;
use consilience_graph::Threads;

use crate::error::RunError;
use crate::evidence::{Evidence, by_chance};
use crate::granularity::{Branches, Witnesses};
use crate::joining::joined_communities;
use crate::linked::cut_where_told;
use crate::progress::Observer;
use crate::voters::{Search, TOLD, Voters};

/// Communities are evidence, whatever they leave open, if voters that see half of the samples find their consensus again so far (Jaccard index, mean over samples). For
/// single clusters 0.75 is what `clusterboot` of the R package fpc (C. Hennig) asks of a stable one. Seen: 0.53 on sparse texts and on a grid of numbers, where they were useless, 0.63 on embedded
/// texts, where networks were as good, 0.79 to 0.94 on tables where they were better. Of what was joined: 0.60 of a crowd in pieces, 0.76 to 0.95 of what was right.
const FOUND_AGAIN: f64 = 0.75;

/// Of four kinds of communities, those that the neighbour graph speaks for: of all granularities around K, of those from K on, the K branches that
/// stay whole longest over all granularities, or many communities of a layout that were joined ([`joined_communities`]).
///
/// Communities of one granularity are of like sizes. Coarse ones keep together what belongs together where sizes are unequal. Where
/// they are alike, all that such a voter can do is to join kinds that are near each other, and a consensus that follows it joins these and splits
/// others: so coarse voters are left out if the others' consensus tells more of neighbours' clusters. Where one kind is
/// thirty times as large as another, no granularity shows both, and branches do. Information speaks for equal sizes, so these are held against
/// the others by [`Evidence::net`]. They count only if that is above zero, however often they are found again: that is what they were chosen by, and no other
/// witness is left. On embedded texts they leave as much open as the others, and join what lies near each other.
///
/// Where branches count, sizes are unequal, and these are held against what was joined of a layout, whose borders are sharper. What was joined by evidence has much of it, so that this
/// alone is no witness: a crowd in the plane, cut in pieces, has more than the whole. So it has to be ahead by more than chance, and to be found again by voters that see half of
/// the samples. (Where one granularity shows all clusters, voters of many differ, which a consensus with networks needs, and those that join what they found vote nearly alike.)
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
    let Some(witnesses) = Witnesses::find(data, n_threads, observer)? else { return Ok(voters) };
    // Where more is told than left open, no witness is needed.
    voters.is_evidence =
        voters.is_evidence && best.1.net() > 0.0 || witnesses.found_again(&best.0) >= FOUND_AGAIN;
    let Some(Branches { samples, clusters }) = witnesses.branches(k, n_threads, observer)? else {
        return Ok(voters);
    };
    let told = (samples, [&clusters[..]; TOLD]);
    let mut branches = voters.told(data, Search::Branches, told, n_threads, observer)?;
    let shares = branches.shares(0.0);
    let Some(answer) = found(&branches.votes, shares)? else { return Ok(voters) };
    if !are_better(&answer.1, &best.1, k) {
        voters.smallest = smallest_of_both(&best.0, &answer.0);
        return Ok(voters);
    }
    branches.is_evidence = true;
    branches.smallest = answer.0.sizes().into_iter().min();
    (voters, best) = (branches, answer);
    let (some, samples) = witnesses.samples();
    if let Some(clusters) = joined_communities(some, k, n_threads, observer)? {
        let told = (samples, clusters.each_ref().map(Vec::as_slice));
        let mut joined = voters.told(data, Search::Joined, told, n_threads, observer)?;
        let answer = found(&joined.votes, joined.shares(0.0))?;
        let counts = |(joint, evidence): &(Assignments, Evidence)| {
            speak_for(evidence, &best.1, k) && witnesses.found_again(joint) >= FOUND_AGAIN
        };
        if let Some((joint, _)) = answer.filter(counts) {
            joined.smallest = smallest_of_both(&joint, &best.0).or(voters.smallest);
            joined.is_evidence = true;
            return Ok(joined);
        }
    }
    Ok(voters)
}

/// Whether neighbours speak for what was joined by more than chance, and it tells no less of them.
fn speak_for(joined: &Evidence, others: &Evidence, k: usize) -> bool {
    let chance = by_chance(k);
    joined.net() > others.net() + chance
        && joined.neighbour_information > others.neighbour_information - chance
}

/// Whether branches are better than communities of one granularity: they leave less open, and tell as much, or less than is made up for by more than chance.
fn are_better(branches: &Evidence, others: &Evidence, k: usize) -> bool {
    let tell_less = branches.neighbour_information < others.neighbour_information;
    let margin = if tell_less { by_chance(k) } else { 0.0 };
    branches.net() > (others.net() + margin).max(0.0)
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
    use super::*;

    #[test]
    fn branches_have_to_tell_more_than_they_leave_open_and_more_than_the_others() {
        let of = |neighbour_information, neighbour_uncertainty| Evidence {
            neighbour_information,
            neighbour_uncertainty,
        };
        let others = of(2.0, 0.2);
        assert!(are_better(&of(2.0, 0.19), &others, 10), "as much, and less open");
        assert!(!are_better(&of(1.97, 0.18), &others, 10), "less, made up for by chance alone");
        assert!(are_better(&of(1.97, 0.15), &others, 10), "made up for");
        assert!(!are_better(&of(1.6, 0.74), &of(1.96, 0.88), 20), "more is left open than told");
    }

    #[test]
    fn what_was_joined_is_ahead_by_more_than_chance_and_tells_no_less() {
        let of = |neighbour_information, neighbour_uncertainty| Evidence {
            neighbour_information,
            neighbour_uncertainty,
        };
        let others = of(1.66, 0.20);
        assert!(speak_for(&of(1.69, 0.19), &others, 10));
        assert!(!speak_for(&of(1.67, 0.19), &others, 10), "by chance");
        assert!(!speak_for(&of(1.50, 0.10), &others, 10), "a crowd and some islands");
    }
}
