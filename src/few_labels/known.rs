//! Samples whose class is known: what models say of them is that.

use consilience_data::{
    ClusterId, Contingency, DataError, GivenLabels, ModelIdx, PseudoLabel, PseudoLabels, SampleIdx,
    SoftAssignments, Votes,
};
use consilience_graph::{Alignment, GraphError, maximum_matching};

/// The given labels of samples that can be trained on, as labels to learn from, with `n_clusters` clusters of which the first are the
/// classes.
pub(super) fn to_learn(given: &GivenLabels, trainable: &[u32], n_clusters: usize) -> PseudoLabels {
    let known = seeds(given, trainable);
    let entry = |&(sample, label): &(SampleIdx, ClusterId)| PseudoLabel {
        sample,
        label,
        agreement: 1,
        margin: 1,
        confidence: 1.0,
    };
    let entries = known.iter().map(entry).collect();
    let samples = known.into_iter().map(|(sample, _)| sample).collect();
    PseudoLabels::new(entries, n_clusters, given.n_samples()).with_given(samples)
}

/// The samples among them that can be trained on, in their order, with their classes.
pub(super) fn seeds(given: &GivenLabels, trainable: &[u32]) -> Vec<(SampleIdx, ClusterId)> {
    let can_be = |&(sample, _): &(SampleIdx, ClusterId)| trainable.binary_search(&sample.0).is_ok();
    given.labelled().filter(can_be).collect()
}

/// `votes` in common ids, in which the known samples have their class from all models that vote on them, without a doubt: so the
/// agreement graph links those of a class, and none of two.
pub(super) fn fixed(
    votes: &Votes,
    alignment: &Alignment,
    given: &GivenLabels,
) -> Result<Votes, DataError> {
    let (mut clusters, mut sure) = (votes.clusters().to_owned(), votes.confidences().to_owned());
    for (model, mut row) in clusters.rows_mut().into_iter().enumerate() {
        let common = alignment.from_model(ModelIdx::from_index(model));
        for cluster in row.iter_mut().filter(|cluster| **cluster != Votes::MISSING) {
            *cluster = common[usize::from(*cluster)].map_or(Votes::MISSING, |ClusterId(id)| id);
        }
        for (sample, class) in given.labelled() {
            let vote = &mut row[sample.index()];
            if *vote != Votes::MISSING {
                *vote = class.0;
                sure[(model, sample.index())] = 1.0;
            }
        }
    }
    // Where a cluster has no common id there is no vote.
    ndarray::Zip::from(&mut sure).and(&clusters).for_each(|sure, &cluster| {
        if cluster == Votes::MISSING {
            *sure = 0.0;
        }
    });
    Votes::new(clusters, sure)
}

/// `answer`, in which known samples have their class for certain.
pub(super) fn certain(answer: &SoftAssignments, given: &GivenLabels) -> SoftAssignments {
    let mut rows = answer.view().to_owned();
    for (sample, class) in given.labelled() {
        let mut row = rows.row_mut(sample.index());
        row.fill(0.0);
        row[class.index()] = 1.0;
    }
    SoftAssignments::new(rows)
}

/// How the clusters of models that have all learnt the first `n_classes` classes meet: those have the same numbers everywhere; the
/// further ones, up to `k`, are matched to the first model's.
pub(super) fn alignment(
    votes: &Votes,
    n_classes: usize,
    k: usize,
) -> Result<Alignment, GraphError> {
    let same: Vec<Option<ClusterId>> = (0..k).map(|id| Some(ClusterId::from_index(id))).collect();
    let first = votes.of_model(ModelIdx(0));
    let further = |&(&a, &b): &(&u16, &u16)| {
        a != Votes::MISSING && b != Votes::MISSING && usize::from(a.min(b)) >= n_classes
    };
    let of_model = |model: usize| {
        let own = votes.of_model(ModelIdx::from_index(model));
        let mut common = same.clone();
        if n_classes < k && model > 0 {
            let pairs = own.iter().zip(first).filter(further);
            let pairs =
                pairs.map(|(&a, &b)| (usize::from(a) - n_classes, usize::from(b) - n_classes));
            let overlap = Contingency::count(pairs, k - n_classes, k - n_classes);
            let partners = maximum_matching(&overlap);
            for (own, partner) in partners.into_iter().enumerate() {
                let partner = partner.map(|id| ClusterId::from_index(n_classes + id));
                common[n_classes + own] = partner;
            }
        }
        common
    };
    Alignment::from_common((0..votes.n_models()).map(of_model).collect(), k)
}
