//! Probabilities of an answer that has none but its own.

use consilience_data::{ClusterId, Contingency, Votes};
use ndarray::{Array2, ArrayView1, ArrayView2};

/// A probability for each of `k` clusters: the sample's own has its confidence, and the others share what is left; without a cluster all have the same.
pub(crate) fn spread(cluster: Option<ClusterId>, confidence: f32, k: usize) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "at most 65,535 clusters")]
    let (equal, others) = (1.0 / k as f32, k.saturating_sub(1).max(1) as f32);
    match cluster {
        Some(cluster) if k > 1 => {
            let mut row = vec![(1.0 - confidence) / others; k];
            row[cluster.index()] = confidence;
            row
        }
        _ => vec![equal; k],
    }
}

/// As [`spread`], but the others share what is left in proportion to `shares` of all clusters, and alike if these are zero.
pub(crate) fn spread_as(
    shares: ArrayView1<'_, f32>,
    cluster: Option<ClusterId>,
    confidence: f32,
) -> Vec<f32> {
    let k = shares.len();
    let own = cluster.map(ClusterId::index);
    let others = || shares.iter().enumerate().filter(|(other, _)| Some(*other) != own);
    let all: f32 = others().map(|(_, share)| share).sum();
    match own {
        Some(own) if all > 0.0 => {
            let mut row = vec![0.0; k];
            others().for_each(|(other, share)| row[other] = (1.0 - confidence) * share / all);
            row[own] = confidence;
            row
        }
        _ => spread(cluster, confidence, k),
    }
}

/// Which of an answer's `k` clusters a sample may be of, by votes: of all samples that a model puts together with it, the share in each, mean over models. Shape
/// (n_samples, k), rows sum to 1; zeros where nobody voted.
///
/// `votes`: shape (n_models, n_samples). O(n_models n_samples k).
pub(crate) fn by_votes(
    votes: ArrayView2<'_, u16>,
    answer: &[Option<ClusterId>],
    k: usize,
) -> Array2<f32> {
    let mut shares = Array2::<f32>::zeros((votes.ncols(), k));
    for own in votes.rows() {
        let voted = |&(own, _): &(&u16, &Option<ClusterId>)| *own != Votes::MISSING;
        let met = own.iter().zip(answer).filter(voted);
        let met = met.filter_map(|(&own, cluster)| Some((usize::from(own), (*cluster)?.index())));
        let n_own = own.iter().filter(|&&own| own != Votes::MISSING).max();
        let n_own = n_own.map_or(0, |&most| usize::from(most) + 1);
        let together = Contingency::count(met, n_own, k);
        let sizes = together.first_sizes();
        let rows: Vec<_> = together.rows().collect();
        for (mut row, &own) in shares.rows_mut().into_iter().zip(own) {
            if own == Votes::MISSING {
                continue;
            }
            for cell in rows[usize::from(own)] {
                #[expect(clippy::cast_precision_loss, reason = "a share")]
                let share = cell.n_samples as f32 / sizes[cell.first] as f32;
                row[cell.second] += share;
            }
        }
    }
    for mut row in shares.rows_mut() {
        let all = row.sum();
        if all > 0.0 {
            row.mapv_inplace(|share| share / all);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    const NONE: u16 = Votes::MISSING;

    #[test]
    fn what_is_left_goes_to_clusters_that_voters_put_a_sample_with() {
        // The first model can't tell clusters 1 and 2 apart; the second voted on half of the samples.
        let votes = array![[0, 0, 1, 1, 1, 1], [0, NONE, 1, NONE, 2, NONE]];
        let answer = [0, 0, 1, 1, 2, 2].map(|cluster| Some(ClusterId(cluster)));
        let shares = by_votes(votes.view(), &answer, 4);
        assert_eq!(shares.row(0), array![1.0, 0.0, 0.0, 0.0]);
        assert_eq!(shares.row(2), array![0.0, 0.75, 0.25, 0.0]);
        assert_eq!(shares.row(3), array![0.0, 0.5, 0.5, 0.0]);
        let row = |sample: usize| spread_as(shares.row(sample), answer[sample], 0.7);
        let close = |row: Vec<f32>, expected: [f32; 4]| {
            row.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6)
        };
        assert!(close(row(2), [0.0, 0.7, 0.3, 0.0]));
        assert!(close(row(0), [0.7, 0.1, 0.1, 0.1]), "nothing tells the others apart");
        assert!(close(spread_as(shares.row(2), None, 0.7), [0.25; 4]));
    }

    #[test]
    fn without_votes_nothing_is_told() {
        let shares = by_votes(array![[NONE, NONE]].view(), &[Some(ClusterId(0)), None], 2);
        assert_eq!(shares, array![[0.0, 0.0], [0.0, 0.0]]);
    }
}
