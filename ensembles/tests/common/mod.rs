//! Fits of every kind of model.

#![allow(dead_code, clippy::unwrap_used, reason = "shared by tests that each use a part")]

use consilience_data::{Features, ModelAnswers, Seed, Stream};
use consilience_ensembles::{
    Compute, EngineChoice, Ensemble, MemberKind, NetworkParams, Phase, Prepared, Scaling,
};
use ndarray::Array2;

pub(crate) fn data() -> Prepared {
    let noise = Seed(5).rng(Stream::Subset).normal(400 * 30);
    let values = Array2::from_shape_fn((400, 30), |(sample, feature)| {
        let centre = if sample % 3 == feature % 3 { 3.0 } else { 0.0 };
        centre + noise[sample * 30 + feature]
    });
    let features = Features::new(values, "blobs").unwrap();
    let mut data = Prepared::new(&features, Scaling::Standardise, Seed(3), 2).unwrap();
    data.measure_distances(2).unwrap();
    data
}

/// Both kinds of networks and k-means, wide enough for products and layers to be shared among threads.
pub(crate) fn fit(engine: EngineChoice, threads: usize) -> Vec<ModelAnswers> {
    let params = NetworkParams { hidden: vec![300], batch_size: 200, ..NetworkParams::default() };
    let compute = Compute { engine, ..Compute::cpu(threads) };
    let kinds = [MemberKind::Ladder, MemberKind::VatIm, MemberKind::KMeans];
    let (params, data) = (params.check().unwrap(), data());
    let mut ensemble = Ensemble::of_kinds(&kinds, &params, &data, 3, &compute).unwrap();
    for round in [0, 1] {
        let phase = Phase { round, epochs: 2, anneal: false, most_steps: None };
        ensemble.train(&data, &phase, &[], &()).unwrap();
    }
    ensemble.predict(&data).unwrap()
}
