//! Random votes, and the paper's step written straight down on dense n x n matrices: the oracle that
//! everything fast is held against.
#![allow(dead_code, reason = "every test file uses a part")]

use consilience_data::{SampleIdx, Votes};
use consilience_graph::{AgreementParams, Gate, Strictness};
use ndarray::{Array2, ArrayView1};
use proptest::prelude::*;

/// Votes as they come out of an ensemble: samples of a true cluster, with `noise` of the votes random and some
/// missing; few clusters and few levels of confidence, so that ties are common.
pub(crate) fn votes() -> impl Strategy<Value = Votes> {
    let shape = (1..13usize, 1..28usize, 1..5u16, 0.0..1.0f64);
    let missing = prop_oneof![Just(0.0), Just(0.0), 0.0..0.7];
    (shape, missing).prop_flat_map(|((n_models, n_samples, k, noise), missing)| {
        let truth = prop::collection::vec(0..k, n_samples);
        let random = (0..k, prop::bool::weighted(noise), prop::bool::weighted(missing));
        let confidence = prop_oneof![4 => Just(0.95f32), 1 => Just(0.85), 1 => Just(0.5)];
        let votes = prop::collection::vec((random, confidence), n_models * n_samples);
        (truth, votes).prop_map(move |(truth, votes)| {
            let vote = |at: usize| {
                let ((random, is_noise, is_missing), confidence) = votes[at];
                let cluster = if is_noise { random } else { truth[at % n_samples] };
                (if is_missing { Votes::MISSING } else { cluster }, confidence)
            };
            let shape = (n_models, n_samples);
            let at = |(model, sample)| vote(model * n_samples + sample);
            Votes::new(
                Array2::from_shape_fn(shape, |index| at(index).0),
                Array2::from_shape_fn(shape, |index| at(index).1),
            )
            .expect("there are votes")
        })
    })
}

fn strictness(lowest: u32, highest: u32) -> impl Strategy<Value = Strictness> {
    let share = (lowest..=highest).prop_map(|percent| Strictness::Share(percent * 10_000));
    prop_oneof![share, (0..13u16).prop_map(Strictness::Count)]
}

/// Any settings; most, but not all, fit the votes.
pub(crate) fn params() -> impl Strategy<Value = AgreementParams> {
    let thresholds = (strictness(50, 100), strictness(0, 60), 1..4u16);
    let gate = (prop_oneof![Just(0.0), Just(0.8), Just(0.9)], prop::bool::ANY, 1..4usize);
    (thresholds, gate).prop_map(|((min_agree, max_agree, min_common), gate)| AgreementParams {
        min_agree,
        max_agree,
        min_common: Strictness::Count(min_common),
        min_confidence: gate.0,
        gate: if gate.1 { Gate::Both } else { Gate::Anchor },
        min_size: gate.2,
    })
}

/// `params`, or the default ones if they can't be had for `votes`.
pub(crate) fn fitting(votes: &Votes, params: &AgreementParams) -> AgreementParams {
    if params.check(votes.n_models()).is_ok() {
        params.clone()
    } else {
        AgreementParams { min_common: Strictness::Count(1), ..AgreementParams::default() }
    }
}

/// The dense matrices of agreement, shape (n_samples, n_samples).
pub(crate) struct Dense {
    pub(crate) agree: Array2<u16>,
    pub(crate) positive: Array2<bool>,
    pub(crate) negative: Array2<bool>,
    /// Whether a sample has as many votes as half of those that have any, shape (n_samples).
    pub(crate) can_start: Vec<bool>,
}

impl Dense {
    pub(crate) fn new(votes: &Votes, params: &AgreementParams) -> Self {
        let n = votes.n_samples();
        let column = |sample| votes.clusters().column(sample).to_owned();
        let count = |i, j, counts: fn(u16, u16) -> bool| -> u16 {
            let (first, second) = (column(i), column(j));
            let both = first.iter().zip(&second);
            let n =
                both.filter(|&(&a, &b)| a != Votes::MISSING && b != Votes::MISSING && counts(a, b));
            u16::try_from(n.count()).expect("few models")
        };
        let min_common = match params.min_common {
            Strictness::Count(count) => count,
            Strictness::Share(share) => {
                ceil(share, u16::try_from(votes.n_models()).expect("few models"))
            }
        };
        let agree = Array2::from_shape_fn((n, n), |(i, j)| count(i, j, |a, b| a == b));
        let common = Array2::from_shape_fn((n, n), |(i, j)| count(i, j, |_, _| true));
        let confident: Vec<bool> = (0..n)
            .map(|i| {
                is_confident(column(i).view(), votes.confidences().column(i), params.min_confidence)
            })
            .collect();
        let positive = Array2::from_shape_fn((n, n), |at @ (i, j)| {
            let gate = confident[i] && (confident[j] || params.gate == Gate::Anchor);
            let min_agree = match params.min_agree {
                Strictness::Count(count) => count,
                Strictness::Share(share) => ceil(share, common[at]),
            };
            gate && common[at] >= min_common && agree[at] >= min_agree
        });
        let negative = Array2::from_shape_fn((n, n), |at| {
            let max_agree = match params.max_agree {
                Strictness::Count(count) => count,
                Strictness::Share(share) => floor(share, common[at]),
            };
            let min_agree = match params.min_agree {
                Strictness::Count(count) => count,
                Strictness::Share(share) => ceil(share, common[at]),
            };
            // A pair that both thresholds claim is positive.
            common[at] >= min_common && agree[at] <= max_agree && agree[at] < min_agree
        });
        let n_votes: Vec<u16> = (0..n).map(|i| common[(i, i)]).collect();
        let can_start = |i: usize| {
            let more = n_votes.iter().filter(|&&others| others > n_votes[i]).count();
            2 * more <= n_votes.iter().filter(|&&others| others > 0).count()
        };
        Self { agree, positive, negative, can_start: (0..n).map(can_start).collect() }
    }
}

fn is_confident(votes: ArrayView1<u16>, confidences: ArrayView1<f32>, bound: f32) -> bool {
    let mut voted =
        votes.iter().zip(confidences).filter(|&(&vote, _)| vote != Votes::MISSING).peekable();
    voted.peek().is_some() && voted.all(|(_, &confidence)| confidence > bound)
}

fn ceil(share: u32, of: u16) -> u16 {
    (0..=of)
        .find(|&models| u64::from(models) * 1_000_000 >= u64::from(share) * u64::from(of))
        .expect("a share is at most the whole")
}

fn floor(share: u32, of: u16) -> u16 {
    (0..=of)
        .rfind(|&models| u64::from(models) * 1_000_000 <= u64::from(share) * u64::from(of))
        .expect("a share is at most the whole")
}

/// The greedy extraction on samples: the mini-clusters' anchors and members.
pub(crate) fn extract_dense(dense: &Dense, k: usize, min_size: usize) -> Vec<(usize, Vec<usize>)> {
    let n = dense.agree.nrows();
    let mut left: Vec<usize> = (0..n).collect();
    let mut minis = Vec::new();
    while minis.len() < k {
        let degree = |i: usize| left.iter().filter(|&&j| dense.positive[(i, j)]).count();
        let starts = left.iter().filter(|&&i| dense.can_start[i]);
        let Some(&anchor) = starts.max_by_key(|&&i| (degree(i), std::cmp::Reverse(i))) else {
            break;
        };
        if degree(anchor) < min_size {
            break;
        }
        let members: Vec<usize> =
            left.iter().copied().filter(|&j| dense.positive[(anchor, j)]).collect();
        left.retain(|&i| members.iter().all(|&member| dense.negative[(i, member)]));
        minis.push((anchor, members));
    }
    minis
}

/// (sample, label, agreement, margin) of every pseudo-label that the oracle gives.
pub(crate) fn labels_dense(
    dense: &Dense,
    minis: &[(usize, Vec<usize>)],
) -> Vec<(SampleIdx, u16, u16, i32)> {
    let mut labels = Vec::new();
    for (label, (anchor, members)) in minis.iter().enumerate() {
        for &sample in members {
            let agreement = dense.agree[(*anchor, sample)];
            let others = minis.iter().enumerate().filter(|&(other, _)| other != label);
            let next =
                others.map(|(_, (anchor, _))| dense.agree[(*anchor, sample)]).max().unwrap_or(0);
            let margin = i32::from(agreement) - i32::from(next);
            let label = u16::try_from(label).expect("few clusters");
            labels.push((SampleIdx::from_index(sample), label, agreement, margin));
        }
    }
    labels.sort_unstable();
    labels
}
