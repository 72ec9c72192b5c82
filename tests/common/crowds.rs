//! Three crowds of points, which a few labels or pairs tell apart.

use consilience_data::write::npy;
use consilience_data::{Seed, Stream};
use ndarray::{Array1, Array2};

use super::Sandbox;

/// Short training, in `short.toml` of [`crowds`].
pub(crate) const SHORT: &str = "
    members = ['ladder', 'vat-im']
    candidates = 0
    communities = 3
    rounds = 2
    first = { epochs = 40, min_steps = 0 }
    retrain = { epochs = 2, min_steps = 0 }
    agreement.min_confidence = 0.5
    network.hidden = [20]
    network.batch_size = 30
";

/// Forty points in each of three crowds in four features, by turns: `points.npy`, and the crowd of each in `truth.npy`.
pub(crate) fn crowds() -> Sandbox {
    let sandbox = Sandbox::new();
    let noise = Seed(4).rng(Stream::Subset).normal(480);
    let points = Array2::from_shape_fn((120, 4), |(row, column)| {
        noise[row * 4 + column] + if column == row % 3 { 6.0 } else { 0.0 }
    });
    npy(&sandbox.path("points.npy"), points.view()).unwrap();
    let truth = Array1::from_iter((0..120_i64).map(|row| row % 3));
    npy(&sandbox.path("truth.npy"), truth.view()).unwrap();
    sandbox.file("short.toml", SHORT);
    sandbox
}
