//! Which granularities of communities count.

use consilience_data::Votes;
use consilience_ensembles::Prepared;
use consilience_graph::Threads;

use crate::error::RunError;
use crate::judge::{linked, placed};
use crate::voters::Voters;

/// Leaves out the voters that look for fewer than K communities if the consensus of the others tells more of neighbours' clusters.
///
/// Coarse communities keep together what belongs together where sizes are unequal. Where they are alike, all that such a voter can do is to join
/// kinds that are near each other, and a consensus that follows it joins these and splits others.
///
/// # Errors
///
/// [`RunError::Graph`].
pub(crate) fn settled(
    voters: Voters,
    data: &Prepared,
    k: usize,
    threads: &Threads<'_>,
) -> Result<Voters, RunError> {
    let told = |votes: &Votes| -> Result<f64, RunError> {
        let kinds = vec![0; votes.n_models()];
        let Some((_, placer)) = linked(votes, &kinds, (k, 0.0), data, threads)? else {
            return Ok(0.0);
        };
        let (assignments, _) = placed(&placer, votes)?;
        Ok(data.neighbour_information(&assignments).unwrap_or(0.0))
    };
    let Some(fine) = voters.fine() else { return Ok(voters) };
    let tells_more = told(&voters.votes.of_models(fine))? > told(&voters.votes)?;
    Ok(if tells_more { voters.without_coarse() } else { voters })
}
