//! Which communities count.

use consilience_data::Votes;
use consilience_ensembles::Prepared;
use consilience_graph::Threads;

use crate::error::RunError;
use crate::granularity::{Branches, branches};
use crate::judge::{Evidence, linked, placed};
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
    let evidence = |votes: &Votes| -> Result<Option<Evidence>, RunError> {
        let kinds = vec![0; votes.n_models()];
        let Some((_, placer)) = linked(votes, &kinds, (k, 0.0), data, threads)? else {
            return Ok(None);
        };
        Ok(Some(Evidence::of(&placed(&placer, votes)?.0, data)))
    };
    let told = |found: &Option<Evidence>| found.map_or(0.0, |found| found.neighbour_information);
    let net = |found: &Option<Evidence>| found.map_or(f64::NEG_INFINITY, |found| found.net());

    let mut best = evidence(&voters.votes)?;
    let fine = voters.fine().map(|fine| voters.votes.of_models(fine));
    if let Some(fine) = fine {
        let of_fine = evidence(&fine)?;
        if told(&of_fine) > told(&best) {
            (voters, best) = (voters.without_coarse(), of_fine);
        }
    }
    if let Some(Branches { samples, clusters }) = branches(data, k, n_threads, observer)? {
        let of_branches = voters.told(data, (&samples, &clusters), n_threads, observer)?;
        if net(&evidence(&of_branches.votes)?) > net(&best) {
            return Ok(of_branches);
        }
    }
    Ok(voters)
}
