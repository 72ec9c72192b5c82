//! Coverage against strictness: what a user can trade.

use consilience_data::{DataError, Truth};
use consilience_graph::{
    AgreementGraph, AgreementParams, Extraction, Signatures, Strictness, Threads,
};
use serde::Serialize;

use super::labels::PseudoLabelMetrics;
use crate::outcome::Outcome;
use crate::{Config, RunError, ValidConfig};

/// What a strictness gives.
#[derive(Debug, Clone, Serialize)]
pub struct CurvePoint {
    /// Models that have to put two samples together to join them: a number, or a share of those that voted.
    pub min_agree: Strictness,
    /// Whether all K mini-clusters were found.
    pub complete: bool,
    /// Number of mini-clusters that were found.
    pub n_found: usize,
    /// Number of samples in the smallest of them; 0 without any.
    pub smallest: usize,
    /// The pseudo-labels.
    #[serde(flatten)]
    pub pseudo_labels: PseudoLabelMetrics,
}

impl CurvePoint {
    /// A point of the curve, scored if there is `truth`.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the truth is of other samples.
    pub fn of(
        min_agree: Strictness,
        extraction: &Extraction,
        k: usize,
        truth: Option<&Truth>,
    ) -> Result<Self, DataError> {
        Ok(Self {
            min_agree,
            complete: extraction.is_complete(k),
            n_found: extraction.anchors.len(),
            smallest: extraction.smallest(),
            pseudo_labels: PseudoLabelMetrics::of(&extraction.pseudo_labels, truth)?,
        })
    }
}

/// Work, in nanoseconds of one thread, about. It is estimated from what there is to do and not taken from the clock, so that
/// the same run has the same curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work(u64);

/// To read, pack and group a vote. Measured, as the others.
const VOTE: u64 = 64;
/// To tell what a vote says of one mini-cluster.
const EVIDENCE: u64 = 16;
/// So many weights of a network are trained with one sample in a nanosecond.
const WEIGHTS: u64 = 4;
/// A curve of so much work is always followed: a quarter of a second.
const LEAST: u64 = 1 << 28;
/// A curve may take a tenth of the whole.
const SHARE: u64 = 10;

impl Work {
    /// Reading votes, finding pseudo-labels, and the consensus.
    #[must_use]
    pub fn of_votes(signatures: &Signatures, k: usize) -> Self {
        let (n_samples, n_models) = (signatures.n_samples() as u64, signatures.n_models() as u64);
        let evidence = (signatures.len() as u64).saturating_mul((k as u64 + n_models) * EVIDENCE);
        Self((n_samples * n_models).saturating_mul(VOTE).saturating_add(evidence))
    }

    /// Training every network in every round, and finding pseudo-labels. `signatures`: of the last round.
    #[must_use]
    pub fn of_run(outcome: &Outcome, config: &ValidConfig, signatures: &Signatures) -> Self {
        let settings: &Config = config;
        let mut widths = vec![outcome.data.features().n_features() as u64];
        widths.extend(settings.network.hidden.iter().map(|&width| width as u64));
        widths.push(config.n_clusters as u64);
        let weights: u64 = widths.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let networks = config.members.iter().filter(|kind| kind.is_network()).count() as u64;
        let rounds = outcome.rounds.len();
        let epochs: u64 = (0..rounds).map(|round| config.phase(round).epochs as u64).sum();
        let passes = (signatures.n_samples() as u64).saturating_mul(networks * epochs);
        let votes = Self::of_votes(signatures, config.n_clusters).0;
        let training = passes.saturating_mul(weights / WEIGHTS);
        Self(training.saturating_add(votes.saturating_mul(rounds as u64)))
    }
}

/// A curve, as far as it was followed.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Strictest first.
    pub points: Vec<CurvePoint>,
    /// Strictnesses that would have taken too long, strictest first.
    pub left_out: Vec<Strictness>,
}

impl Curve {
    /// The curve of a run's last votes: see [`Curve::follow`].
    ///
    /// # Errors
    ///
    /// As [`Curve::follow`], and [`RunError::Graph`] if the system gives no threads.
    pub fn of_run(
        outcome: &Outcome,
        config: &ValidConfig,
        truth: Option<&Truth>,
    ) -> Result<Self, RunError> {
        let threads = Threads::new(config.compute.threads)?;
        let n_models = outcome.ensemble.n_models();
        let agreement = config.agreement_of(n_models);
        let signatures = Signatures::group(&outcome.votes, &agreement.check(n_models)?, &threads)?;
        let work = Work::of_run(outcome, config, &signatures);
        let asked = (&signatures, &agreement, config.n_clusters);
        Self::follow(asked, Vec::new(), work, &threads, truth, |_, _| {})
    }

    /// Extracts mini-clusters at every strictness, those that take least work first, until all of it would be more than a tenth
    /// of the whole. The strictness of `agreement` itself is always a point.
    ///
    /// # Arguments
    ///
    /// * `signatures`: all votes, grouped with the `min_confidence` of `agreement`.
    /// * `known`: points that have been found already.
    /// * `before`: the work of the run so far.
    /// * `observe`: is given each strictness, with what it extracts.
    ///
    /// # Errors
    ///
    /// [`RunError::Graph`] for settings that don't fit the votes, [`RunError::Data`] if the truth is of other samples.
    pub fn follow(
        asked: (&Signatures, &AgreementParams, usize),
        known: Vec<CurvePoint>,
        before: Work,
        threads: &Threads<'_>,
        truth: Option<&Truth>,
        observe: impl FnMut(Strictness, &Extraction),
    ) -> Result<Self, RunError> {
        let most = Work((before.0 / (SHARE - 1)).max(LEAST));
        Self::within(most, asked, known, threads, truth, observe)
    }

    /// As [`Curve::follow`], with `most` work in all.
    fn within(
        most: Work,
        (signatures, agreement, k): (&Signatures, &AgreementParams, usize),
        known: Vec<CurvePoint>,
        threads: &Threads<'_>,
        truth: Option<&Truth>,
        mut observe: impl FnMut(Strictness, &Extraction),
    ) -> Result<Self, RunError> {
        let n_models = signatures.n_models();
        let mut places: Vec<(AgreementParams, Option<CurvePoint>)> = Vec::new();
        let mut work = Vec::new();
        for (_, params) in agreement.by_strictness(n_models)? {
            let found = known.iter().find(|point| point.min_agree == params.min_agree);
            if found.is_none() && params.min_agree != agreement.min_agree {
                let agreement = params.check(n_models)?;
                let graph = AgreementGraph::new(signatures, &agreement)?;
                work.push((graph.extraction_work(k), places.len()));
            }
            places.push((params, found.cloned()));
        }
        let left_out = dearest(work, most.0);
        for (place, (params, point)) in places.iter_mut().enumerate() {
            if point.is_none() && !left_out.contains(&place) {
                let agreement = params.check(n_models)?;
                let found = AgreementGraph::new(signatures, &agreement)?.extract(k, threads)?;
                observe(params.min_agree, &found);
                *point = Some(CurvePoint::of(params.min_agree, &found, k, truth)?);
            }
        }
        let left_out = left_out.into_iter().map(|place| places[place].0.min_agree).collect();
        Ok(Self { points: places.into_iter().filter_map(|(_, point)| point).collect(), left_out })
    }
}

/// The places, ascending, of work that is over `most` when all that takes less has been done (ties: the lower place first).
fn dearest(mut work: Vec<(u64, usize)>, most: u64) -> Vec<usize> {
    work.sort_unstable();
    let mut done = 0u64;
    let is_over = |&(work, _): &(u64, usize)| {
        done = done.saturating_add(work);
        done > most
    };
    let mut places: Vec<usize> = work.into_iter().filter(is_over).map(|(_, place)| place).collect();
    places.sort_unstable();
    places
}

#[cfg(test)]
mod tests {
    use consilience_data::Votes;
    use ndarray::Array2;

    use super::*;

    #[test]
    fn the_dearest_points_are_left_out() {
        let work = vec![(5, 0), (50, 1), (20, 2), (20, 3)];
        assert_eq!(dearest(work.clone(), 95), [0; 0]);
        assert_eq!(dearest(work.clone(), 94), [1]);
        assert_eq!(dearest(work.clone(), 25), [1, 3]);
        assert_eq!(dearest(work, 0), [0, 1, 2, 3]);
    }

    /// Two models that say the same, four that say nothing at all: most signatures are of one sample, and there is hardly an edge.
    #[test]
    fn a_curve_takes_a_part_of_the_work_and_says_what_it_left_out() {
        let n = 2_000;
        let random = |at: usize| (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let clusters = Array2::from_shape_fn((6, n), |(model, sample)| match model {
            0 | 1 => u16::try_from(sample % 2).unwrap(),
            _ => u16::try_from(random(sample * 8 + model) % 20).unwrap(),
        });
        let votes = Votes::new(clusters, Array2::ones((6, n))).unwrap();
        let params = AgreementParams { max_agree: Strictness::Count(0), ..Default::default() };
        let threads = Threads::new(2).unwrap();
        let signatures = Signatures::group(&votes, &params.check(6).unwrap(), &threads).unwrap();
        let follow = |work| {
            let asked = (&signatures, &params, 2);
            Curve::within(Work(work), asked, Vec::new(), &threads, None, |_, _| {}).unwrap()
        };
        let (some, all) = (follow(0), follow(u64::MAX));
        assert!(!some.left_out.is_empty() && all.left_out.is_empty(), "{:?}", some.left_out);
        assert_eq!(some.points.len() + some.left_out.len(), all.points.len());
        assert_eq!(some.points[0].min_agree, params.min_agree, "the run's own");
        let left = all.points.iter().filter(|point| !some.left_out.contains(&point.min_agree));
        for (some, all) in some.points.iter().zip(left) {
            assert_eq!(some.pseudo_labels.count, all.pseudo_labels.count);
        }
    }
}
