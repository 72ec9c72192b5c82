//! What a network minimises in a round: the one list that every engine works from.

use std::fmt;

use crate::members::params::{Consistency, ConsistencyLoss, NetworkParams, Objective};
use crate::preparation::image::Image;

/// One summand of a step's loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Term {
    pub(crate) loss: Loss,
    pub(crate) weight: f64,
    /// Whose answers it is of.
    pub(crate) view: View,
}

/// A loss of the answers to a view of the batch; some compare them with the answers to the clean view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Few clusters for each sample, all clusters for all samples.
    InformationMaximisation,
    /// Clean answers and these to one sample alike, those to different samples at right angles.
    DotProduct,
    /// KL(clean answers || these), with the clean ones held constant.
    Divergence,
    /// ||clean answers - these||^2.
    SquaredError,
    /// Cross-entropy with pseudo-labels.
    CrossEntropy,
    /// Cross-entropy with all clusters alike.
    UniformCrossEntropy,
    /// What a decoder makes of this view's activations, compared with the clean ones. Every layer has a weight of its own.
    Denoising,
}

/// As settings call it, or what asks for it.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InformationMaximisation => "information-maximisation",
            Self::DotProduct => "dot-product",
            Self::Divergence => "kl",
            Self::SquaredError => "squared-error",
            Self::CrossEntropy => "cross-entropy",
            Self::UniformCrossEntropy => "uniform-cross-entropy",
            Self::Denoising => "denoising",
        })
    }
}

/// A batch as a network is shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum View {
    Clean,
    /// With noise on every layer.
    Corrupted,
    /// Pseudo-labelled samples, with noise on every layer.
    Labelled,
    /// A neighbour of every sample.
    Neighbour,
    /// As images, each moved affinely.
    Moved,
    /// Every sample moved a little, in a random direction.
    Random,
    /// Every sample moved a little, in the direction that changes its answer most.
    Adversarial,
}

impl View {
    pub(crate) const ALL: [Self; 7] = [
        Self::Clean,
        Self::Corrupted,
        Self::Labelled,
        Self::Neighbour,
        Self::Moved,
        Self::Random,
        Self::Adversarial,
    ];

    /// Whether it can't be made without knowing what is near a sample.
    fn needs_neighbours(self) -> bool {
        matches!(self, Self::Neighbour | Self::Random | Self::Adversarial)
    }
}

impl NetworkParams {
    /// What is minimised in a round, counted from 0, in which there are pseudo-labels: without them, terms of
    /// [`View::Labelled`] fall away.
    pub(crate) fn terms(&self, round: usize) -> Vec<Term> {
        let term = |loss, weight, view| Term { loss, weight, view };
        let decodes = !self.denoising.is_empty() && round >= self.decoder_from_round;
        let mut terms = Vec::new();
        match self.objective {
            Objective::InformationMaximisation => {
                let mut of_view =
                    |view| terms.push(term(Loss::InformationMaximisation, self.im_weight, view));
                of_view(View::Clean);
                // The corrupted encoder has an objective of its own where something needs it.
                if decodes || self.consistency == Consistency::NoiseKl {
                    of_view(View::Corrupted);
                }
            }
            Objective::DotProduct => {
                terms.push(term(Loss::DotProduct, self.im_weight, View::Corrupted));
            }
        }
        let consistent = match self.consistency {
            Consistency::None => None,
            Consistency::NoiseKl => Some(View::Corrupted),
            Consistency::Random => Some(View::Random),
            Consistency::Adversarial => Some(View::Adversarial),
        };
        let loss = match self.consistency_loss {
            ConsistencyLoss::Kl => Loss::Divergence,
            ConsistencyLoss::SquaredError => Loss::SquaredError,
        };
        let moved = Some(View::Moved).filter(|_| self.image.is_some());
        let consistent = consistent.filter(|_| round >= self.consistency_from_round);
        for (view, weight) in [
            (consistent, Some(self.consistency_weight)),
            (Some(View::Neighbour), Some(self.neighbour_weight).filter(|&weight| weight > 0.0)),
            (moved, Some(self.move_weight).filter(|&weight| weight > 0.0)),
        ] {
            if let (Some(view), Some(weight)) = (view, weight) {
                terms.push(term(loss, weight, view));
            }
        }
        let (weight, smoothing) = (self.label_weight, self.label_smoothing);
        terms.push(term(Loss::CrossEntropy, (1.0 - smoothing) * weight, View::Labelled));
        if smoothing > 0.0 {
            terms.push(term(Loss::UniformCrossEntropy, smoothing * weight, View::Labelled));
        }
        if decodes {
            terms.push(term(Loss::Denoising, 1.0, View::Corrupted));
        }
        terms
    }

    /// What is minimised in any round. Terms that rest at first are all that changes from one to another.
    pub(crate) fn all_terms(&self) -> Vec<Term> {
        self.terms(self.decoder_from_round.max(self.consistency_from_round))
    }

    /// Whether training needs to know what is near a sample.
    #[must_use]
    pub fn needs_neighbours(&self) -> bool {
        self.all_terms().iter().any(|term| term.view.needs_neighbours())
    }

    /// The image that is moved, if images are.
    pub(crate) fn moved_image(&self) -> Option<Image> {
        self.image.filter(|_| looks_at(&self.all_terms(), View::Moved))
    }
}

/// Terms when a share of a phase is over, of which those that hold answers to answers rise for the share `ramp` of it.
pub(crate) fn ramped(terms: &[Term], over: f64, ramp: f64) -> Vec<Term> {
    let left = (1.0 - over / ramp).clamp(0.0, 1.0);
    let rise = (-5.0 * left * left).exp();
    let weighed = |term: &Term| {
        let rises = matches!(term.loss, Loss::Divergence | Loss::SquaredError);
        Term { weight: if rises { rise * term.weight } else { term.weight }, ..*term }
    };
    terms.iter().map(weighed).collect()
}

/// Whether a loss is of this view. All look at the clean one.
pub(crate) fn looks_at(terms: &[Term], view: View) -> bool {
    view == View::Clean || terms.iter().any(|term| term.view == view)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(params: &NetworkParams, round: usize) -> Vec<(Loss, View)> {
        params.terms(round).iter().map(|term| (term.loss, term.view)).collect()
    }

    #[test]
    fn a_decoder_that_rests_leaves_the_corrupted_view_alone() {
        let params = NetworkParams::default();
        let first = [
            (Loss::InformationMaximisation, View::Clean),
            (Loss::Divergence, View::Adversarial),
            (Loss::CrossEntropy, View::Labelled),
        ];
        assert_eq!(losses(&params, 0), first);
        assert_eq!(
            losses(&params, 1),
            [
                first[0],
                (Loss::InformationMaximisation, View::Corrupted),
                first[1],
                first[2],
                (Loss::Denoising, View::Corrupted)
            ]
        );
        assert!(!looks_at(&params.terms(0), View::Corrupted));
    }

    #[test]
    fn consistency_may_wait_for_a_later_round() {
        let params = NetworkParams { consistency_from_round: 2, ..NetworkParams::default() };
        let adversarial = (Loss::Divergence, View::Adversarial);
        assert!(!losses(&params, 1).contains(&adversarial));
        assert!(losses(&params, 2).contains(&adversarial));
        assert!(params.needs_neighbours());
    }

    #[test]
    fn smoothed_labels_share_their_weight_with_all_clusters() {
        let params =
            NetworkParams { label_weight: 2.0, label_smoothing: 0.1, ..NetworkParams::default() };
        let terms = params.terms(0);
        let of_labels = terms.iter().filter(|term| term.view == View::Labelled);
        let of_labels: Vec<_> = of_labels.map(|term| (term.loss, term.weight)).collect();
        assert_eq!(of_labels, [(Loss::CrossEntropy, 1.8), (Loss::UniformCrossEntropy, 0.2)]);
    }

    #[test]
    fn what_holds_answers_to_answers_rises() {
        let terms = NetworkParams::default().terms(0);
        let at =
            |over| ramped(&terms, over, 0.5).iter().map(|term| term.weight).collect::<Vec<_>>();
        let whole: Vec<f64> = terms.iter().map(|term| term.weight).collect();
        assert_eq!((at(0.5), at(1.0)), (whole.clone(), whole.clone()));
        let (start, middle) = (at(0.0), at(0.25));
        assert!((start[1] - (-5f64).exp()).abs() < 1e-12 && start[1] < middle[1]);
        assert!(middle[1] < whole[1] && start[0] == whole[0] && start[2] == whole[2]);
    }

    #[test]
    fn views_follow_from_weights() {
        let image = Some(Image { rows: 4, columns: 4, channels: 1 });
        let still = NetworkParams { consistency: Consistency::None, image, ..Default::default() };
        assert!(!still.needs_neighbours() && still.moved_image().is_none());
        let near = NetworkParams { neighbour_weight: 0.5, ..still.clone() };
        assert!(near.needs_neighbours());
        let moved = NetworkParams { move_weight: 0.5, ..still.clone() };
        assert_eq!(moved.moved_image(), image);
        let dot_product = NetworkParams { objective: Objective::DotProduct, ..still };
        assert_eq!(losses(&dot_product, 0)[0], (Loss::DotProduct, View::Corrupted));
    }
}
