//! What pseudo-labels are good for: a classifier that never saw a true label.
//!
//! Half of the embedded digits are clustered. An ordinary classifier, linfa's logistic regression, is trained on them,
//! with the labels on which the models agree in the place of true ones. Then it classifies the other half, which neither
//! the models nor the classifier has seen.
//!
//! ```sh
//! cargo run --release --example downstream_classifier
//! ```

#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::num::NonZero;

use consilience::evaluation::Scores;
use consilience::{Config, run};
use consilience_data::{ClusterId, Features, Seed, Truth, read_dataset};
use consilience_ensembles::MemberKind;
use linfa::Dataset;
use linfa::traits::{Fit, Predict};
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array2, ArrayView2, Axis};

/// Number of clusters, K: an assumption about the data, not a label.
const K: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let digits = read_dataset(&["digits".into()], &[])?;
    let truth = digits.truth.ok_or("the embedded set has its labels beside it")?;
    let n_samples = digits.features.n_samples();
    let n_training = n_samples / 2;
    let (training, held_out) = digits.features.view().split_at(Axis(0), n_training);
    println!(
        "{n_training} digits to train on, {} held out; nobody sees a label\n",
        held_out.nrows()
    );

    let features = Features::new(training.to_owned(), "the training half")?;
    let mut config = Config { seed: Seed(7), rounds: 2, ..Config::auto(&features, K) };
    // A quick look: the default trains more models, for longer, and is more accurate.
    config.members = vec![MemberKind::Ladder; 5];
    config.candidates = 0;
    (config.first.epochs, config.first.min_steps) = (40, 0);
    (config.retrain.epochs, config.retrain.min_steps) = (15, 0);
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let outcome = run(&features, &config.check(&features, threads)?, &())?;
    let (agreed, all) = (&outcome.answer.pseudo_labels, &outcome.answer.assignments);

    let judge = Judge { truth: &truth, held_out, n_training };
    println!("classifier trained on         samples  labels right  right on held-out digits");
    let everybody: Vec<(usize, ClusterId)> = all.clusters().iter().copied().enumerate().collect();
    judge.report("every sample's cluster", training, &everybody)?;
    let agreed: Vec<(usize, ClusterId)> =
        agreed.entries().iter().map(|entry| (entry.sample.index(), entry.label)).collect();
    judge.report("pseudo-labels (agreed on)", training, &agreed)?;

    // The same number of samples as were agreed on, from the start of the training half.
    judge.report("as many samples, by cluster", training, &everybody[..agreed.len()])?;
    println!(
        "\nClusters have no names: each is matched to the class that fits (Hungarian method)."
    );
    Ok(())
}

/// Who knows the truth, and tells the accuracy alone.
struct Judge<'a> {
    truth: &'a Truth,
    /// Features, shape (n_samples - n_training, n_features).
    held_out: ArrayView2<'a, f32>,
    n_training: usize,
}

impl Judge<'_> {
    /// Trains on the samples that have a label, and says how well that does on the others.
    fn report(
        &self,
        name: &str,
        training: ArrayView2<'_, f32>,
        labels: &[(usize, ClusterId)],
    ) -> Result<(), Box<dyn Error>> {
        let samples: Vec<usize> = labels.iter().map(|&(sample, _)| sample).collect();
        let targets = labels.iter().map(|&(_, label)| label.index()).collect::<Vec<_>>();
        let set = Dataset::new(pixels(training.select(Axis(0), &samples).view()), targets.into());
        let classifier =
            MultiLogisticRegression::default().alpha(1.0).max_iterations(200).fit(&set)?;
        let predicted = classifier.predict(&pixels(self.held_out));

        // Scores are of all samples; those trained on have no prediction, and count as wrong.
        let predicted = predicted.iter().map(|&label| Some(ClusterId::from_index(label)));
        let found: Vec<_> = std::iter::repeat_n(None, self.n_training).chain(predicted).collect();
        let held_out = self.percent_right(&found)?;
        let mut taught = vec![None; found.len()];
        for &(sample, label) in labels {
            taught[sample] = Some(label);
        }
        let taught = self.percent_right(&taught)?;
        println!("  {name:26}  {:7}  {taught:10.1} %  {held_out:22.1} %", labels.len());
        Ok(())
    }

    /// Of those that have a label.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn percent_right(&self, found: &[Option<ClusterId>]) -> Result<f64, Box<dyn Error>> {
        let share = found.len() as f64 / found.iter().flatten().count() as f64;
        Ok(100.0 * share * Scores::of_partial(self.truth, found, K)?.acc)
    }
}

/// Pixels of 0 to 16 as shares, in the precision that the classifier's optimiser likes.
fn pixels(features: ArrayView2<'_, f32>) -> Array2<f64> {
    features.mapv(|pixel| f64::from(pixel) / 16.0)
}
