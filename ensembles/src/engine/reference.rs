//! Whole steps by PyTorch, which `tests/reference/step.py` has written.

use std::collections::BTreeMap;

use consilience_data::{Features, Seed, Stream};
use ndarray::Array2;
use serde::Deserialize;

use crate::engine::noise::Noise;
use crate::engine::terms::Term;
use crate::members::params::{NetworkParams, ValidNetworkParams};
use crate::members::weights::Weights;
use crate::preparation::prepared::Prepared;
use crate::preparation::transform::Scaling;

/// How far a loss, gradients (of the largest of its parameter) and parameters may be off.
const BOUND: f64 = 1e-4;
/// Adam's first step is `rate * sign(g)`, however small g is: below this share of the largest, rounding may have turned the sign.
const SURE: f64 = 1e-3;

#[derive(Deserialize)]
pub(crate) struct Reference {
    widths: Vec<usize>,
    pub(crate) step: u32,
    pub(crate) rate: f64,
    noise: [u32; 2],
    directions: [u32; 2],
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    name: String,
    settings: serde_json::Map<String, serde_json::Value>,
    data: Vec<f32>,
    pub(crate) batch: Vec<usize>,
    pub(crate) labelled: Vec<usize>,
    pub(crate) labels: Vec<u32>,
    loss: f64,
    parameters: BTreeMap<String, Expected>,
}

/// Of a parameter: what it was, its gradient, and what Adam's first step made of it.
#[derive(Deserialize)]
struct Expected {
    value: Vec<f32>,
    gradient: Vec<f64>,
    learnt: Vec<f64>,
}

impl Reference {
    pub(crate) fn read() -> Self {
        let text = include_str!("../../../tests/reference/step.json");
        serde_json::from_str(text).unwrap()
    }

    pub(crate) fn n_features(&self) -> usize {
        self.widths[0]
    }

    pub(crate) fn n_clusters(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// Noise of corrupted views, and of directions.
    pub(crate) fn streams(&self) -> [Noise; 2] {
        [self.noise, self.directions].map(|key| Noise { key })
    }

    pub(crate) fn params(&self, case: &Case) -> ValidNetworkParams {
        let defaults = NetworkParams {
            hidden: self.widths[1..self.widths.len() - 1].into(),
            ..Default::default()
        };
        let mut settings = serde_json::to_value(defaults).unwrap();
        settings.as_object_mut().unwrap().extend(case.settings.clone());
        serde_json::from_value::<NetworkParams>(settings).unwrap().check().unwrap()
    }

    /// What is minimised: in a round in which all terms are at work.
    pub(crate) fn terms(&self, case: &Case) -> Vec<Term> {
        self.params(case).all_terms()
    }

    pub(crate) fn prepared(&self, case: &Case) -> Prepared {
        let rows = case.data.len() / self.n_features();
        let data = Array2::from_shape_vec((rows, self.n_features()), case.data.clone()).unwrap();
        let features = Features::new(data, "reference").unwrap();
        let mut prepared = Prepared::new(&features, Scaling::None, Seed(1), 1).unwrap();
        prepared.measure_distances(1).unwrap();
        assert_eq!(prepared.features().as_slice(), case.data);
        prepared
    }

    pub(crate) fn weights(&self, case: &Case) -> Weights {
        let mut rng = Seed(1).rng(Stream::Weights { model: 0 });
        let mut weights =
            Weights::new(&self.params(case), self.n_features(), self.n_clusters(), &mut rng);
        let mut n_values = 0;
        for parameter in weights.parameters_mut() {
            parameter.value.clone_from(&case.parameters[&parameter.name].value);
            n_values += 1;
        }
        assert_eq!(n_values, case.parameters.len());
        weights
    }
}

impl Case {
    pub(crate) fn check_loss(&self, loss: f64) {
        let error = (loss - self.loss).abs();
        assert!(error <= BOUND * self.loss.abs().max(1.0), "{}: {loss}, {}", self.name, self.loss);
    }

    pub(crate) fn check_gradients(&self, gradients: &[(String, Vec<f32>)]) {
        assert_eq!(gradients.len(), self.parameters.len(), "{}", self.name);
        for (name, found) in gradients {
            let expected = &self.parameters[name].gradient;
            assert_eq!(found.len(), expected.len());
            let bound = BOUND * largest(expected).max(1e-3);
            for (&found, &expected) in found.iter().zip(expected) {
                let error = (f64::from(found) - expected).abs();
                assert!(error <= bound, "{}: {name}: {found}, {expected}", self.name);
            }
        }
    }

    /// After one step of Adam.
    pub(crate) fn check_learnt(&self, weights: &Weights) {
        let mut n_checked = 0;
        for parameter in weights.parameters() {
            let expected = &self.parameters[&parameter.name];
            let sure = SURE * largest(&expected.gradient);
            let values = parameter.value.iter().zip(&expected.learnt).zip(&expected.gradient);
            for ((&found, &learnt), gradient) in values {
                let error = (f64::from(found) - learnt).abs();
                let is_right = error <= BOUND || gradient.abs() < sure;
                assert!(is_right, "{}: {}: {found}, {learnt}", self.name, parameter.name);
                n_checked += usize::from(gradient.abs() >= sure);
            }
            assert_ne!(parameter.value, expected.value, "{}: {}", self.name, parameter.name);
        }
        assert!(n_checked > 30, "{}", self.name);
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}
