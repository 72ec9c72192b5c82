//! Settings of models: as they are written, and as they have been checked.

use serde::{Deserialize, Serialize};

use crate::error::EnsembleError;
use crate::members::sizes::SizePrior;
use crate::preparation::image::Image;

/// Which kind of model a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberKind {
    /// Ladder network: encoder, noise, decoder.
    Ladder,
    /// Plain network, as in IMSAT (VAT): the ladder's encoder alone, without noise or decoder.
    VatIm,
    /// Communities of the neighbour graph, however many there are. They don't learn from pseudo-labels.
    Communities,
    /// linfa's mixture of Gaussians. It doesn't learn from pseudo-labels.
    Mixture,
    /// linfa's k-means: the baseline. It doesn't learn from pseudo-labels.
    KMeans,
}

impl MemberKind {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ladder => "ladder",
            Self::VatIm => "vat-im",
            Self::Communities => "communities",
            Self::Mixture => "mixture",
            Self::KMeans => "k-means",
        }
    }

    /// Whether it is a network: trained in epochs, and on pseudo-labels.
    #[must_use]
    pub fn is_network(self) -> bool {
        matches!(self, Self::Ladder | Self::VatIm)
    }

    /// The settings of a network of this kind, given those of the run; `None` if it is none.
    pub(crate) fn settings(
        self,
        params: &ValidNetworkParams,
    ) -> Result<Option<ValidNetworkParams>, EnsembleError> {
        Ok(match self {
            Self::Ladder => Some(params.clone()),
            Self::VatIm => Some((**params).clone().plain().check()?),
            Self::Communities | Self::Mixture | Self::KMeans => None,
        })
    }
}

/// What keeps a network's answer the same when a sample moves a little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Nothing.
    None,
    /// KL between the clean and the corrupted encoder (LADDER-IM).
    NoiseKl,
    /// KL under a random move (random perturbation training).
    Random,
    /// KL under the worst move (virtual adversarial training).
    Adversarial,
}

/// How far apart a network's answers to a sample and to a neighbour, or to the sample moved, are taken to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsistencyLoss {
    /// KL, with the answer to the sample as it is held constant.
    Kl,
    /// The squared distance of their probabilities.
    SquaredError,
}

/// What makes a network's answers clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Few clusters for each sample, all clusters for all samples (Krause et al., 2010).
    InformationMaximisation,
    /// Clean and corrupted answers to one sample alike, those to different samples at right angles (LADDER-DOT, Gupta et al.,
    /// 2020).
    DotProduct,
}

/// Settings of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkParams {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Samples a step.
    pub batch_size: usize,
    /// Adam's rate.
    pub learning_rate: f64,
    /// What makes answers clusters.
    pub objective: Objective,
    /// Weight of the objective, whichever it is.
    pub im_weight: f64,
    /// In information maximisation, the weight of clusters' sizes: larger means closer to `sizes`.
    pub im_mu: f64,
    /// In information maximisation, how large clusters are taken to be.
    pub sizes: SizePrior,
    /// What keeps answers the same under small moves.
    pub consistency: Consistency,
    /// Its weight.
    pub consistency_weight: f64,
    /// The round from which on it is at work.
    pub consistency_from_round: usize,
    /// The share of the first round in which the weights of these terms rise from nothing to what they are, as exp(-5 (1 - t)^2) (S. Laine and
    /// T. Aila, *Temporal Ensembling for Semi-Supervised Learning*, 2017): until a network has answers there is little to hold it to. 0: at once.
    #[serde(default)]
    pub consistency_ramp: f64,
    /// How far apart two answers are taken to be, here and for neighbours and moved images. Adversarial directions are KL's in any
    /// case.
    pub consistency_loss: ConsistencyLoss,
    /// Length of moves (VAT's epsilon), as a multiple of the distance to the 10th neighbour. The default is twice that of IMSAT.
    pub radius: f64,
    /// Length of the random step at which an adversarial direction is probed (VAT's xi), as a multiple of the features' spread
    /// (the root of their total variance).
    ///
    /// Miyato et al. take a step so small that the direction is that of the network's curvature at the sample. A step of
    /// several spreads, as the default, gives the direction in which the sample's cluster loses ground in general.
    /// It differs from model to model, and is known also where the network is sure and curvature vanishes.
    pub probe: f64,
    /// Weight of the KL between a sample's answer and that of one of its ten nearest neighbours, drawn anew in every epoch;
    /// 0: no such term.
    pub neighbour_weight: f64,
    /// Weight of the KL between a sample's answer and that of the same image moved affinely, each by its own draw in every
    /// step; 0: no such term.
    #[serde(alias = "shift_weight")]
    pub move_weight: f64,
    /// How far images are shifted at most, down or up and to either side, as a share of the shorter side.
    pub shift: f64,
    /// How far they are turned at most, to either side, in degrees.
    pub rotation: f64,
    /// How far what is upright leans at most, to either side, in degrees.
    pub shear: f64,
    /// How much larger or smaller they become at most, as a share; height and width apart.
    pub scale: f64,
    /// How pixels lie in the features: `[rows, columns, channels]`, or `[]`. Needed if images are to be moved. The features' scaling
    /// has to be the same for all pixels.
    #[serde(with = "crate::preparation::image::written")]
    pub image: Option<Image>,
    /// Standard deviation of the corrupted encoder's noise. That encoder is at work, with an information-maximisation loss
    /// of its own, where something needs it: the decoder, noise-KL or the dot product. Labels go through it, too.
    pub noise_std: f64,
    /// Weight of the denoising cost of the input, the first hidden layer, ...; the last holds for all further layers.
    /// Empty: no decoder.
    pub denoising: Vec<f64>,
    /// The round from which on the decoder works.
    pub decoder_from_round: usize,
    /// Whether the last layer is batch-normalised too.
    pub normalise_last: bool,
    /// Pseudo-labelled samples a step: the same number of every mini-cluster, rounded up.
    pub label_batch_size: usize,
    /// Weight of their cross-entropy.
    pub label_weight: f64,
    /// The share of that which goes to all clusters alike, as a label may be wrong: label smoothing (C. Szegedy et al., 2016). 0: none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub label_smoothing: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Default for NetworkParams {
    fn default() -> Self {
        Self {
            hidden: vec![500, 500],
            batch_size: 250,
            learning_rate: 0.002,
            objective: Objective::InformationMaximisation,
            im_weight: 0.1,
            im_mu: 4.0,
            sizes: SizePrior::Uniform,
            consistency: Consistency::Adversarial,
            consistency_weight: 1.0,
            consistency_from_round: 0,
            consistency_ramp: 0.0,
            consistency_loss: ConsistencyLoss::Kl,
            radius: 0.5,
            probe: 3.0,
            neighbour_weight: 0.0,
            move_weight: 0.0,
            shift: 0.04,
            rotation: 15.0,
            shear: 10.0,
            scale: 0.1,
            image: None,
            noise_std: 0.3,
            denoising: vec![1000.0, 10.0, 0.1],
            decoder_from_round: 1,
            normalise_last: false,
            label_batch_size: 100,
            label_weight: 4.0,
            label_smoothing: 0.0,
        }
    }
}

/// Settings that have been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidNetworkParams(NetworkParams);

impl std::ops::Deref for ValidNetworkParams {
    type Target = NetworkParams;

    fn deref(&self) -> &NetworkParams {
        &self.0
    }
}

impl ValidNetworkParams {
    /// Checks what depends on the number of clusters.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if cluster sizes are given, but not `n_clusters` of them.
    pub fn check_clusters(&self, n_clusters: usize) -> Result<(), EnsembleError> {
        match &self.sizes {
            SizePrior::Given(sizes) if sizes.len() != n_clusters => Err(EnsembleError::Setting {
                name: "sizes",
                need: "a number for each cluster",
                got: format!("{} for {n_clusters} clusters", sizes.len()),
            }),
            _ => Ok(()),
        }
    }

    /// Checks what depends on the number of features that networks see.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if images are to be moved, and have another number of pixels.
    pub fn check_features(&self, n_features: usize) -> Result<(), EnsembleError> {
        match self.moved_image() {
            Some(image) if image.n_features() != Some(n_features) => Err(EnsembleError::Setting {
                name: "image",
                need: "as many pixels as networks see features, or move_weight = 0",
                got: format!(
                    "{} x {} x {} for {n_features} features",
                    image.rows, image.columns, image.channels
                ),
            }),
            _ => Ok(()),
        }
    }
}

impl NetworkParams {
    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] with the first that is out of bounds.
    pub fn check(self) -> Result<ValidNetworkParams, EnsembleError> {
        let need =
            |good: bool, name: &'static str, need: &'static str, got: &dyn std::fmt::Debug| {
                if good {
                    Ok(())
                } else {
                    Err(EnsembleError::Setting { name, need, got: format!("{got:?}") })
                }
            };
        let not_negative = |value: f64| value.is_finite() && value >= 0.0;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let hidden = !self.hidden.is_empty() && self.hidden.iter().all(|&width| width >= 1);
        need(hidden, "hidden", "at least one layer, each of width 1 or more", &self.hidden)?;
        need(self.batch_size >= 2, "batch_size", "at least 2", &self.batch_size)?;
        need(positive(self.learning_rate), "learning_rate", "more than 0", &self.learning_rate)?;
        need(positive(self.radius), "radius", "more than 0", &self.radius)?;
        need(positive(self.probe), "probe", "more than 0", &self.probe)?;
        need(self.label_batch_size >= 1, "label_batch_size", "at least 1", &self.label_batch_size)?;
        for (name, value) in [
            ("im_weight", self.im_weight),
            ("im_mu", self.im_mu),
            ("consistency_weight", self.consistency_weight),
            ("neighbour_weight", self.neighbour_weight),
            ("move_weight", self.move_weight),
            ("noise_std", self.noise_std),
            ("label_weight", self.label_weight),
        ] {
            need(not_negative(value), name, "0 or more", &value)?;
        }
        let ramp = self.consistency_ramp;
        need((0.0..=1.0).contains(&ramp), "consistency_ramp", "0 to 1", &ramp)?;
        let smoothing = self.label_smoothing;
        need((0.0..1.0).contains(&smoothing), "label_smoothing", "0 or more, below 1", &smoothing)?;
        need((0.0..=1.0).contains(&self.shift), "shift", "0 to 1", &self.shift)?;
        need((0.0..=180.0).contains(&self.rotation), "rotation", "0 to 180", &self.rotation)?;
        need((0.0..=60.0).contains(&self.shear), "shear", "0 to 60", &self.shear)?;
        need((0.0..=0.9).contains(&self.scale), "scale", "0 to 0.9", &self.scale)?;
        let costs = self.denoising.iter().all(|&cost| not_negative(cost));
        need(costs, "denoising", "costs of 0 or more", &self.denoising)?;
        let image = "[rows, columns, channels] of the features, as move_weight is above 0";
        need(self.move_weight == 0.0 || self.image.is_some(), "image", image, &self.image)?;
        let sizes = "uniform, learned or a list of positive numbers, one for each cluster";
        need(self.sizes.is_positive(), "sizes", sizes, &self.sizes)?;
        if self.objective == Objective::DotProduct {
            let noise =
                "noise_std above 0, as dot-product needs the noise of a ladder (vat-im has none)";
            need(self.noise_std > 0.0, "objective", noise, &self.noise_std)?;
            let uniform = self.sizes == SizePrior::Uniform;
            need(uniform, "sizes", "uniform, as dot-product takes no sizes", &self.sizes)?;
        }
        Ok(ValidNetworkParams(self))
    }

    /// The settings of a plain network: no noise, no decoder, and the adversarial term.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.noise_std = 0.0;
        self.denoising = Vec::new();
        self.consistency = Consistency::Adversarial;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_is_checked() {
        let rejected = |change: fn(&mut NetworkParams)| {
            let mut params = NetworkParams::default();
            change(&mut params);
            params.check().unwrap_err().to_string()
        };
        assert!(rejected(|p| p.hidden = vec![]).contains("hidden"));
        assert!(rejected(|p| p.hidden = vec![5, 0]).contains("hidden"));
        assert!(rejected(|p| p.batch_size = 1).contains("got 1"));
        assert!(rejected(|p| p.learning_rate = 0.0).contains("learning_rate"));
        assert!(rejected(|p| p.radius = f64::NAN).contains("NaN"));
        assert!(rejected(|p| p.probe = -1.0).contains("probe"));
        assert!(rejected(|p| p.label_batch_size = 0).contains("label_batch_size"));
        assert!(rejected(|p| p.im_weight = -1.0).contains("im_weight"));
        assert!(rejected(|p| p.im_mu = f64::INFINITY).contains("im_mu"));
        assert!(rejected(|p| p.consistency_weight = -1.0).contains("consistency_weight"));
        assert!(rejected(|p| p.neighbour_weight = -1.0).contains("neighbour_weight"));
        assert!(rejected(|p| p.consistency_ramp = 1.5).contains("0 to 1, got 1.5"));
        assert!(rejected(|p| p.shift = f64::NAN).contains("shift"));
        assert!(rejected(|p| p.rotation = 181.0).contains("0 to 180, got 181"));
        assert!(rejected(|p| p.shear = 90.0).contains("0 to 60"));
        assert!(rejected(|p| p.scale = 1.0).contains("0 to 0.9"));
        assert!(rejected(|p| p.move_weight = 1.0).contains("as move_weight is above 0"));
        assert!(rejected(|p| p.noise_std = -1.0).contains("noise_std"));
        assert!(rejected(|p| p.label_weight = -1.0).contains("label_weight"));
        assert!(rejected(|p| p.label_smoothing = 1.0).contains("below 1, got 1.0"));
        assert!(rejected(|p| p.denoising = vec![1.0, -1.0]).contains("denoising"));
        assert!(rejected(|p| p.sizes = SizePrior::Given(vec![1.0, -1.0])).contains("positive"));
        assert!(NetworkParams::default().check().is_ok());
    }

    #[test]
    fn sizes_are_as_many_as_clusters() {
        let sizes = SizePrior::Given(vec![1.0, 2.0]);
        let params = NetworkParams { sizes, ..NetworkParams::default() }.check().unwrap();
        assert!(params.check_clusters(2).is_ok());
        let error = params.check_clusters(3).unwrap_err().to_string();
        assert!(error.contains("got 2 for 3 clusters"), "{error}");
    }

    #[test]
    fn an_image_has_as_many_numbers_as_there_are_features() {
        let image = Some(Image { rows: 2, columns: 3, channels: 1 });
        let still = NetworkParams { image, ..NetworkParams::default() };
        assert!(still.clone().check().unwrap().check_features(7).is_ok(), "nothing is moved");
        let params = NetworkParams { move_weight: 1.0, ..still }.check().unwrap();
        assert!(params.check_features(6).is_ok());
        let error = params.check_features(7).unwrap_err().to_string();
        assert!(error.contains("got 2 x 3 x 1 for 7 features"), "{error}");
    }

    #[test]
    fn a_dot_product_needs_noise_and_takes_no_sizes() {
        let ladder = NetworkParams { objective: Objective::DotProduct, ..NetworkParams::default() };
        assert!(ladder.clone().check().is_ok());
        let error = ladder.clone().plain().check().unwrap_err().to_string();
        assert!(error.contains("needs the noise of a ladder"), "{error}");
        let error = NetworkParams { sizes: SizePrior::Learned, ..ladder }.check().unwrap_err();
        assert!(error.to_string().contains("takes no sizes"), "{error}");
    }
}
