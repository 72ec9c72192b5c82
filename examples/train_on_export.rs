//! A classifier of linfa's, trained on what a run exports.
//!
//! ```sh
//! consilience train digits --labels-partial some.csv --out digits-ten
//! consilience export digits-ten --weights --out weighted.csv
//! cargo run --release --example train_on_export -- digits weighted.csv
//! ```
//!
//! linfa's logistic regression takes no weights, so it is trained on the samples that weigh more than a half: unsure labels are left out.

#![expect(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::path::{Path, PathBuf};

use consilience_data::{Features, read_columns, read_dataset};
use linfa::Dataset;
use linfa::traits::{Fit, Predict};
use linfa_logistic::{MultiFittedLogisticRegression, MultiLogisticRegression};
use ndarray::{Array2, Axis};

/// What a sample has to weigh.
const LEAST: f64 = 0.5;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    let [data, exported] = &paths[..] else {
        return Err(
            "name the data, and what 'consilience export RUN --weights' wrote (.csv)".into()
        );
    };
    let features = read_dataset(std::slice::from_ref(data), &[])?.features;
    let (classifier, n_taught) = fit(&features, exported)?;
    let found = classifier.predict(&scaled(&features));
    let mut sizes = vec![0; found.iter().max().map_or(0, |most| most + 1)];
    found.iter().for_each(|&class| sizes[class] += 1);
    println!("trained on {n_taught} of {} samples; samples of each class: {sizes:?}", found.len());
    Ok(())
}

fn filled(cell: &Option<String>) -> Result<&str, &'static str> {
    cell.as_deref().ok_or("an empty cell")
}

/// A classifier, and how many samples it was trained on. Classes are the clusters of the run.
pub(crate) fn fit(
    features: &Features,
    exported: &Path,
) -> Result<(MultiFittedLogisticRegression<f64, usize>, usize), Box<dyn Error>> {
    let columns = read_columns(exported, &["sample", "label", "weight"])?;
    let [rows, clusters, weights] = &columns[..] else { return Err("a column is missing".into()) };
    let (mut samples, mut labels) = (Vec::new(), Vec::new());
    for ((row, cluster), weight) in rows.iter().zip(clusters).zip(weights) {
        // A sample without a cluster has the label -1, and weighs nothing.
        if filled(weight)?.parse::<f64>()? > LEAST {
            samples.push(filled(row)?.parse::<usize>()?);
            labels.push(filled(cluster)?.parse::<usize>()?);
        }
    }
    let rows = scaled(features).select(Axis(0), &samples);
    let set = Dataset::new(rows, labels.into());
    let classifier = MultiLogisticRegression::default().alpha(1.0).max_iterations(200).fit(&set)?;
    Ok((classifier, samples.len()))
}

/// Features as shares of the largest, in the precision that the classifier's optimiser likes.
pub(crate) fn scaled(features: &Features) -> Array2<f64> {
    let largest = features.view().iter().fold(1e-9_f32, |most, value| most.max(value.abs()));
    features.view().mapv(|value| f64::from(value / largest))
}
