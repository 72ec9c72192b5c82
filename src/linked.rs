//! A consensus of votes by average linkage, and where its tree is cut.

use consilience_data::{Assignments, ClusterId, ModelIdx, Votes};
use consilience_ensembles::Prepared;
use consilience_graph::{AgreementParams, Linkage, Placer, Signatures, Threads, Tree, VoteWeights};

use crate::consensus::MAX_SIGNATURES;
use crate::error::RunError;
use crate::evidence::{Evidence, clearly};

/// As a rule clusters are taken to be of like sizes, and a branch with less than this share of n / K samples is no
/// cluster but an island of the neighbour graph. Seen, net of smaller clusters above that of like ones: 0.02 and 0.07 nats on digits, where an island of 27
/// made of two digits one, and 0.3 to 0.9 where sizes are unequal.
pub(crate) const MIN_SHARE: f64 = 0.2;

/// A kind of voters that decides only where all others tell nothing: it weighs so much.
pub(crate) const FAINT: usize = usize::MAX;
const FAINTLY: f64 = 0.05;

/// The shares of n / K samples that a branch of a tree has at least, to be a cluster and no island.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shares {
    /// As a rule.
    pub(crate) usual: f64,
    /// Where neighbours speak clearly more for smaller clusters.
    pub(crate) least: f64,
}

/// A consensus by average linkage, on all samples.
pub(crate) struct Told {
    pub(crate) tree: Tree,
    pub(crate) placer: Placer,
    pub(crate) assignments: Assignments,
    pub(crate) confidence: Vec<f32>,
    pub(crate) evidence: Evidence,
}

/// The consensus of `votes` by average linkage, cut at K; `None` if there are fewer distinct votes than that. `views`: the data, whose samples the tree is of,
/// and other views, all of whose neighbours are asked.
///
/// A plain cut often takes a handful of odd samples for a cluster, and joins two kinds for it. Neighbours say little of that: few are apart where
/// odd samples are, and few are where two kinds are one. But where sizes are unequal, and large kinds are cut so that all clusters are of like sizes, many
/// are apart.
pub(crate) fn cut_where_told(
    votes: &Votes,
    kinds: &[usize],
    (k, Shares { usual, least }): (usize, Shares),
    views: &[&Prepared],
    threads: &Threads<'_>,
) -> Result<Option<Told>, RunError> {
    let samples = views.first().map_or(&[][..], |data| data.trainable());
    let shares = if least < usual { &[usual, least][..] } else { &[usual] };
    let Some((tree, placers)) = cuts(votes, kinds, (k, shares), samples, threads)? else {
        return Ok(None);
    };
    let mut best: Option<Told> = None;
    for placer in placers {
        let (assignments, confidence) = placed(&placer, votes)?;
        let evidence = Evidence::of(&assignments, views);
        let is_clear = |best: &Told| evidence.net() > best.evidence.net() + clearly(k);
        if best.as_ref().is_none_or(is_clear) {
            best = Some(Told { tree: tree.clone(), placer, assignments, confidence, evidence });
        }
    }
    Ok(best)
}

/// The tree of `votes` by average linkage, and how votes become its clusters when it is cut at K; `None` if there are fewer distinct votes
/// than that. `kinds`: of every model; each kind has the same weight, but for [`FAINT`]. `samples`: those that the tree is of, ascending.
pub(crate) fn linked(
    votes: &Votes,
    kinds: &[usize],
    (k, min_share): (usize, f64),
    samples: &[u32],
    threads: &Threads<'_>,
) -> Result<Option<(Tree, Placer)>, RunError> {
    let found = cuts(votes, kinds, (k, &[min_share]), samples, threads)?;
    Ok(found.and_then(|(tree, mut placers)| Some((tree, placers.pop()?))))
}

/// As [`linked`], of one tree cut for each of the `shares` that a cluster has at least.
fn cuts(
    votes: &Votes,
    kinds: &[usize],
    (k, shares): (usize, &[f64]),
    samples: &[u32],
    threads: &Threads<'_>,
) -> Result<Option<(Tree, Vec<Placer>)>, RunError> {
    let learnt = votes.clone().of_samples(samples);
    let no_gate = AgreementParams { min_confidence: 0.0, ..AgreementParams::default() };
    let signatures = Signatures::group(&learnt, &no_gate.check(votes.n_models())?, threads)?;
    let mut weights = VoteWeights::of_kinds(&signatures, kinds)?;
    let faint = kinds.iter().enumerate().filter(|&(_, &kind)| kind == FAINT);
    for (model, _) in faint {
        weights = weights.scaled(ModelIdx::from_index(model), FAINTLY);
    }
    let linkage = Linkage::new(&signatures, weights, MAX_SIGNATURES, threads)?;
    if linkage.tree().n_leaves() < k {
        return Ok(None);
    }
    let cut = |&share: &f64| Ok(linkage.cut(k, share)?.placer().clone());
    let placers = shares.iter().map(cut).collect::<Result<_, RunError>>()?;
    Ok(Some((linkage.tree().clone(), placers)))
}

/// The cluster of every sample by its votes, and its confidence. Samples without votes are in the first, with confidence 0.
pub(crate) fn placed(placer: &Placer, votes: &Votes) -> Result<(Assignments, Vec<f32>), RunError> {
    let clusters = votes.clusters();
    let mut row = vec![None; votes.n_models()];
    let mut assigned = Vec::with_capacity(votes.n_samples());
    let mut confidences = Vec::with_capacity(votes.n_samples());
    for column in clusters.columns() {
        for (vote, &own) in row.iter_mut().zip(column) {
            *vote = (own != Votes::MISSING).then_some(ClusterId(own));
        }
        let place = placer.assign(&row)?;
        assigned.push(place.map_or(ClusterId(0), |place| place.cluster));
        confidences.push(place.map_or(0.0, |place| place.similarity));
    }
    Ok((Assignments::new(assigned, placer.n_clusters()), confidences))
}

#[cfg(test)]
mod tests {
    use consilience_data::{Features, Seed, Stream};
    use consilience_ensembles::Scaling;
    use ndarray::Array2;

    use super::*;

    /// The cluster of a sample, by its group and its row.
    type Voter = fn(u16, usize) -> u16;

    /// The cut at two of what `voters` say of Gaussian groups in space, which are `(size, place)`: its clusters' sizes.
    fn sizes(groups: &[(usize, f32)], shares: Shares, voters: &[Voter]) -> Vec<usize> {
        let of_row: Vec<(u16, f32)> = (0..)
            .zip(groups)
            .flat_map(|(group, &(size, place))| vec![(group, place); size])
            .collect();
        let noise = Seed(3).rng(Stream::Subset).normal(3 * of_row.len());
        let value = |(row, column): (usize, usize)| of_row[row].1 + noise[3 * row + column];
        let points = Array2::from_shape_fn((of_row.len(), 3), value);
        let features = Features::new(points, "points").unwrap();
        let mut data = Prepared::new(&features, Scaling::None, Seed(1), 1).unwrap();
        data.measure_distances(1).unwrap();
        let vote = |(voter, row): (usize, usize)| voters[voter](of_row[row].0, row);
        let clusters = Array2::from_shape_fn((voters.len(), of_row.len()), vote);
        let votes = Votes::new(clusters.clone(), Array2::ones(clusters.raw_dim())).unwrap();
        let (kinds, threads) = (vec![0; voters.len()], Threads::new(1).unwrap());
        let told = cut_where_told(&votes, &kinds, (2, shares), &[&data], &threads).unwrap();
        let mut sizes = told.unwrap().assignments.sizes();
        sizes.sort_unstable();
        sizes
    }

    const SHARES: Shares = Shares { usual: MIN_SHARE, least: 0.0 };

    #[test]
    fn an_island_does_not_make_one_cluster_of_two() {
        // Two voters join the large groups, and one the second of them and the island.
        let voters: [Voter; 5] = [
            |group, _| group,
            |group, _| group,
            |group, _| u16::from(group == 2),
            |group, _| u16::from(group == 2),
            |group, _| u16::from(group > 0),
        ];
        let groups = [(60, 0.0), (60, 12.0), (4, 30.0)];
        assert_eq!(sizes(&groups, SHARES, &voters), [60, 64]);
        let any = Shares { usual: 0.0, least: 0.0 };
        assert_eq!(sizes(&groups, any, &voters), [4, 120], "a plain cut");
    }

    #[test]
    fn a_small_cluster_stands_where_neighbours_speak_clearly_for_it() {
        // All voters know the small group; by rows they halve the crowd, through its midst.
        let voters: [Voter; 3] = [
            |group, row| if group == 1 { 2 } else { u16::from(row % 2 == 1) },
            |group, row| if group == 1 { 2 } else { u16::from(row % 2 == 1) },
            |group, _| group,
        ];
        let groups = [(200, 0.0), (15, 20.0)];
        assert_eq!(sizes(&groups, SHARES, &voters), [15, 200]);
        let equal = Shares { usual: MIN_SHARE, least: MIN_SHARE };
        assert_eq!(sizes(&groups, equal, &voters), [100, 115], "where no smaller ones may be");
    }
}
