//! A model of your own in the ensemble: it votes beside ours, and learns from what all agree on.
//!
//! `cargo run --release --example own_model`

#![expect(clippy::print_stdout, reason = "it shows what came out")]

use std::error::Error;
use std::fs;
use std::path::Path;

use consilience::evaluation::Scores;
use consilience::{Config, run_with};
use consilience_data::{Features, ModelAnswers, PseudoLabels, SoftAssignments, read_dataset};
use consilience_ensembles::{Clusterer, EnsembleError, MemberKind, Phase, Prepared, Progress};
use ndarray::{Array1, Array2, ArrayView1, Axis};

/// Clusters by the nearest of K means. It starts from samples far from one another, and moves its means to the samples on which
/// the ensemble agrees.
struct NearestMean {
    k: usize,
    /// Shape (k, n_features); none before training.
    means: Option<Array2<f32>>,
}

impl Clusterer for NearestMean {
    fn kind(&self) -> &'static str {
        "nearest-mean"
    }

    fn train(
        &mut self,
        data: &Prepared,
        phase: &Phase,
        labels: &PseudoLabels,
        _progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        let samples = data.features().view();
        let mut means = match self.means.take() {
            Some(means) => means,
            None => samples.select(Axis(0), &far_apart(data.features(), self.k)),
        };
        // Labels are in this model's own numbering; there are none in the first round.
        let labelled: Vec<(usize, usize)> = labels
            .entries()
            .iter()
            .map(|entry| (entry.sample.index(), entry.label.index()))
            .collect();
        for _ in 0..phase.epochs.min(20) {
            let nearest = |row| (row, nearest(&means, samples.row(row)).0);
            let members = if labelled.is_empty() {
                (0..samples.nrows()).map(nearest).collect()
            } else {
                labelled.clone()
            };
            for (cluster, mut mean) in means.rows_mut().into_iter().enumerate() {
                let rows = members.iter().filter(|member| member.1 == cluster);
                let rows: Vec<usize> = rows.map(|member| member.0).collect();
                if let Some(found) = samples.select(Axis(0), &rows).mean_axis(Axis(0)) {
                    mean.assign(&found);
                }
            }
        }
        self.means = Some(means);
        Ok(())
    }

    fn predict(&self, features: &Features) -> Result<ModelAnswers, EnsembleError> {
        let means = self.means.as_ref().ok_or(EnsembleError::Untrained { model: 0 })?;
        let mut probabilities = Array2::zeros((features.n_samples(), self.k));
        for (mut row, sample) in probabilities.rows_mut().into_iter().zip(features.view().rows()) {
            let distances = distances(means, sample);
            let least = nearest(means, sample).1;
            row.assign(&distances.mapv(|distance| (least - distance).exp()));
            row /= row.sum();
        }
        Ok(SoftAssignments::new(probabilities).into())
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        let text = format!("{:?}", self.means);
        let failed = |error: std::io::Error| error.to_string();
        fs::write(path, text)
            .map_err(|error| EnsembleError::Save { path: path.into(), reason: failed(error) })
    }
}

/// Squared distances of a sample to all means.
fn distances(means: &Array2<f32>, sample: ArrayView1<'_, f32>) -> Array1<f32> {
    means.rows().into_iter().map(|mean| (&mean - &sample).mapv(|x| x * x).sum()).collect()
}

/// The nearest mean (ties: the first), and its squared distance.
fn nearest(means: &Array2<f32>, sample: ArrayView1<'_, f32>) -> (usize, f32) {
    let distances = distances(means, sample).into_iter().enumerate();
    distances.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}

/// The first sample, then always the one that is farthest from all before.
fn far_apart(features: &Features, k: usize) -> Vec<usize> {
    let samples = features.view();
    let mut chosen = vec![0];
    while chosen.len() < k {
        let means = samples.select(Axis(0), &chosen);
        let distance = |&row: &usize| nearest(&means, samples.row(row)).1;
        let farthest = (0..features.n_samples()).max_by(|a, b| distance(a).total_cmp(&distance(b)));
        chosen.extend(farthest);
    }
    chosen
}

fn main() -> Result<(), Box<dyn Error>> {
    let digits = read_dataset(&["digits".into()], &[])?;
    let mut config = Config { rounds: 2, candidates: 0, ..Config::auto(&digits.features, 10) };
    config.members = vec![MemberKind::Ladder; 3];
    config.network.hidden = vec![100];
    config.first.min_steps = 400;
    config.retrain.min_steps = 100;
    config.agreement.min_confidence = 0.0;
    let config = config.check(&digits.features, 2)?;

    let own: Vec<Box<dyn Clusterer>> = vec![Box::new(NearestMean { k: 10, means: None })];
    let outcome = run_with(&digits.features, &config, own, &())?;

    let truth = digits.truth.ok_or("the embedded set has its labels beside it")?;
    for (number, round) in outcome.rounds.iter().enumerate() {
        println!("round {}: all agree on {} images", number + 1, round.pseudo_labels.len());
    }
    for (kind, soft) in outcome.ensemble.kinds().iter().zip(&outcome.answers) {
        let acc = Scores::of_assignments(&truth, &soft.harden().0)?.acc;
        println!("{kind:12}  ACC {acc:.3} in the last round");
    }
    let acc = Scores::of_assignments(&truth, &outcome.answer.assignments)?.acc;
    println!("{:12}  ACC {acc:.3}", "together");
    Ok(())
}
