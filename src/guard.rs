//! k-means as a guard: its answer is taken where it is far better, as far as can be seen without the truth.

use consilience_data::{Assignments, ModelIdx, PseudoLabel, PseudoLabels, SampleIdx};
use consilience_ensembles::{KMeansModel, Prepared, Progress};
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::renumber::renumber;
use crate::round::Round;

/// k-means is taken if it tells more of neighbours' clusters by this share of ln K. A failed ensemble was a third of ln K behind;
/// with 400 images of digits, one that was right more often by 0.06 was a twentieth behind.
const MARGIN: f64 = 0.1;

/// Which clustering a run ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// The last round's consensus.
    Ensemble,
    /// k-means on the same features.
    KMeans,
}

/// What a run ends with.
pub struct Answer {
    /// Which of the two was chosen.
    pub chosen: Chosen,
    /// A cluster for every sample.
    pub assignments: Assignments,
    /// Of the ensemble, its mean probability; of k-means, the share of the sample's neighbours that are in its cluster.
    pub confidence: Vec<f32>,
    /// The mini-clusters, numbered as the assignments are. Where k-means was chosen, those samples of them that it puts
    /// together too.
    pub pseudo_labels: PseudoLabels,
    /// k-means, if it was tried.
    pub k_means: Option<Baseline>,
}

/// k-means, and what it tells.
pub struct Baseline {
    /// Its centroids.
    pub model: KMeansModel,
    /// A cluster for every sample.
    pub assignments: Assignments,
    /// What they tell of neighbours' clusters, in nats: see [`Prepared::neighbour_information`].
    pub information: f64,
}

impl Answer {
    /// The last round's, compared with nothing.
    pub(crate) fn of_round(last: &Round) -> Self {
        Self {
            chosen: Chosen::Ensemble,
            assignments: last.consensus.clone(),
            confidence: last.confidence.clone(),
            pseudo_labels: last.pseudo_labels.clone(),
            k_means: None,
        }
    }

    /// The last round's or k-means', whichever tells more of neighbours' clusters.
    pub(crate) fn guarded(last: &Round, k_means: Baseline, data: &Prepared) -> Self {
        let k = last.consensus.n_clusters();
        #[expect(clippy::cast_precision_loss, reason = "a number of clusters")]
        let margin = MARGIN * (k as f64).ln();
        if k_means.information <= last.information + margin {
            return Self { k_means: Some(k_means), ..Self::of_round(last) };
        }
        let found = &k_means.assignments;
        let cluster_of = |sample: SampleIdx| found.clusters()[sample.index()];
        let renumbered = renumber(&last.pseudo_labels, cluster_of, k);
        let confirmed =
            renumbered.entries().iter().filter(|label| cluster_of(label.sample) == label.label);
        let confirmed: Vec<PseudoLabel> = confirmed.copied().collect();
        Self {
            chosen: Chosen::KMeans,
            confidence: data.neighbours_alike(found),
            pseudo_labels: PseudoLabels::new(confirmed, k, found.n_samples()),
            assignments: found.clone(),
            k_means: Some(k_means),
        }
    }
}

/// k-means on what the models saw.
pub(crate) fn k_means(
    data: &Prepared,
    k: usize,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Baseline, RunError> {
    let (model, assignments) = KMeansModel::fitted(ModelIdx(u16::MAX), data, k, threads, progress)?;
    let information = data.neighbour_information(&assignments).unwrap_or(0.0);
    Ok(Baseline { model, assignments, information })
}
