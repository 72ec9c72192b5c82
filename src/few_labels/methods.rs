//! What the methods mean for a run's settings.

use consilience_ensembles::{Consistency, ConsistencyLoss, NetworkParams};

use super::settings::{FewLabels, Method};
use crate::config::Config;

/// Rounds in which networks learn from what they themselves are sure of.
const CONFIDENT_ROUNDS: usize = 5;

impl Config {
    /// These settings, those of a kind of data, for a run that learns from labels by the methods of `few`.
    ///
    /// Agreement keeps all that the clusterer has. Other methods keep the networks and how long they are trained, and nothing of what is
    /// minimised but for what each method brings.
    #[must_use]
    pub fn with_labels(mut self, few: FewLabels) -> Self {
        let fine = self.network.move_weight > 0.0;
        let denoising = NetworkParams::default().denoising;
        if !few.has(Method::Agreement) {
            self.communities = 0;
            self.judge = false;
            self.candidates = 0;
            self.rounds = if few.has(Method::Confidence) { CONFIDENT_ROUNDS } else { 1 };
            let network = &mut self.network;
            network.im_weight = 0.0;
            network.consistency = Consistency::None;
            network.neighbour_weight = 0.0;
            network.move_weight = 0.0;
            network.denoising = Vec::new();
            network.label_weight = 1.0;
        }
        let network = &mut self.network;
        if few.has(Method::Ladder) {
            (network.denoising, network.decoder_from_round) = (denoising, 0);
        }
        if few.has(Method::Consistency) {
            (network.consistency, network.consistency_from_round) = (Consistency::Adversarial, 0);
            network.move_weight = if fine { 1.0 } else { 0.0 };
        }
        if few.has(Method::Graph) {
            network.neighbour_weight = network.neighbour_weight.max(1.0);
            if !few.has(Method::Agreement) && !few.has(Method::Consistency) {
                network.consistency_loss = ConsistencyLoss::SquaredError;
            }
        }
        self.few_labels = Some(few);
        self
    }
}
