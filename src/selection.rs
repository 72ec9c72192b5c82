//! Which candidates become members.

use consilience_data::ModelAnswers;
use consilience_ensembles::{Ensemble, MemberKind, Prepared};

/// Leaves those of the networks in the ensemble whose clusters tell most of their neighbours' clusters, as many of
/// each kind as there are among `members`, and all other models; their answers.
///
/// Networks start at random, and some end with two groups in one cluster. Their own loss doesn't show that; the samples' neighbours do.
pub(crate) fn keep_best(
    ensemble: &mut Ensemble,
    answers: Vec<ModelAnswers>,
    data: &Prepared,
    members: &[MemberKind],
) -> Vec<ModelAnswers> {
    let wanted: Vec<&str> =
        members.iter().filter(|kind| kind.is_network()).map(|kind| kind.name()).collect();
    let (kinds, networks) = (ensemble.kinds(), ensemble.networks());
    if networks.iter().filter(|&&network| network).count() <= wanted.len() {
        return answers;
    }
    let of_network = |index: usize| {
        let information = || data.neighbour_information(&answers[index].harden().0).unwrap_or(0.0);
        networks[index].then(information)
    };
    let information: Vec<Option<f64>> = (0..answers.len()).map(of_network).collect();
    let best = best(&information, &kinds, wanted);
    ensemble.keep(&best);
    let kept = answers.into_iter().enumerate();
    kept.filter(|(index, _)| best.binary_search(index).is_ok()).map(|(_, kept)| kept).collect()
}

/// Models that are kept, ascending: those without `information`, and of the others the best, as many of each kind as are `wanted`.
fn best(information: &[Option<f64>], kinds: &[&str], mut wanted: Vec<&str>) -> Vec<usize> {
    let (mut candidates, mut kept): (Vec<usize>, Vec<usize>) =
        (0..information.len()).partition(|&index| information[index].is_some());
    let told = |index: usize| information[index].unwrap_or(0.0);
    candidates.sort_by(|&a, &b| told(b).total_cmp(&told(a)));
    for candidate in candidates {
        if let Some(place) = wanted.iter().position(|&wanted| wanted == kinds[candidate]) {
            wanted.swap_remove(place);
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
        let of = |information: &[f64], kinds: &[&str], wanted: &[&str]| {
            let information: Vec<_> = information.iter().copied().map(Some).collect();
            best(&information, kinds, wanted.to_vec())
        };
        assert_eq!(of(&[0.3, 0.9, 0.5, 0.4], &["ladder"; 4], &["ladder"; 2]), [1, 2]);
        let mixed = ["ladder", "vat-im", "ladder", "vat-im"];
        assert_eq!(of(&[0.1, 0.8, 0.2, 0.9], &mixed, &mixed[..2]), [2, 3], "one of each");
        assert_eq!(of(&[0.5, 0.5, 0.5], &["ladder"; 3], &["ladder"]), [0], "ties: the first");
        let kinds = ["k-means", "ladder", "ladder", "ladder"];
        let information = [None, Some(0.1), Some(0.3), None];
        assert_eq!(best(&information, &kinds, vec!["ladder"]), [0, 2, 3], "others stay");
    }
}
