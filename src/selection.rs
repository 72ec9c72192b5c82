//! Which candidates become members.

use consilience_data::SoftAssignments;
use consilience_ensembles::{Ensemble, MemberKind, Prepared};

/// Leaves those of the candidates in the ensemble whose clusters tell most of their neighbours' clusters, as many of
/// each kind as there are among `members`; their probabilities. The last `n_own` aren't candidates, and stay.
///
/// Networks start at random, and some end with two groups in one cluster. Their own loss doesn't show that; the samples' neighbours do.
pub(crate) fn keep_best(
    ensemble: &mut Ensemble,
    soft: Vec<SoftAssignments>,
    data: &Prepared,
    members: &[MemberKind],
    n_own: usize,
) -> Vec<SoftAssignments> {
    let candidates = soft.len() - n_own;
    let numbers = ensemble.numbers();
    if candidates <= members.len() {
        return soft;
    }
    let information =
        |soft: &SoftAssignments| data.neighbour_information(&soft.harden().0).unwrap_or(0.0);
    let information: Vec<f64> = soft[..candidates].iter().map(information).collect();
    let mut best = best(&information, &numbers, members);
    best.extend(candidates..soft.len());
    ensemble.keep(&best);
    let kept = soft.into_iter().enumerate().filter(|(index, _)| best.binary_search(index).is_ok());
    kept.map(|(_, soft)| soft).collect()
}

/// Candidates that are kept, ascending. A candidate of number `c` is of the kind of member `c % members.len()`.
fn best(information: &[f64], numbers: &[usize], members: &[MemberKind]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..information.len()).collect();
    order.sort_by(|&a, &b| information[b].total_cmp(&information[a]));
    let mut places = members.to_vec();
    let mut kept = Vec::new();
    for candidate in order {
        let kind = members[numbers[candidate] % members.len()];
        if let Some(place) = places.iter().position(|&wanted| wanted == kind) {
            places.swap_remove(place);
            kept.push(candidate);
        }
    }
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_every_kind_are_kept() {
        use MemberKind::{KMeans, Ladder};
        assert_eq!(best(&[0.3, 0.9, 0.5, 0.4], &[0, 1, 2, 3], &[Ladder, Ladder]), [1, 2]);
        let mixed = [Ladder, KMeans];
        assert_eq!(
            best(&[0.1, 0.8, 0.2, 0.9], &[0, 1, 2, 3], &mixed),
            [2, 3],
            "the better ladder, and k-means"
        );
        assert_eq!(best(&[0.5, 0.5, 0.5], &[0, 1, 2], &[Ladder]), [0], "ties: the first");
    }
}
