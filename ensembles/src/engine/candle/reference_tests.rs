//! Steps of candle's operations, held against PyTorch's.

use candle_core::{DType, Device, Tensor};

use super::noise::Streams;
use super::ops::Way;
use super::stack::{Blueprint, Inputs, Labelled, Stack};
use crate::engine::reference::Reference;

#[test]
fn a_step_equals_pytorchs() {
    for (way, dtype) in [(Way::Composed, DType::F64), (Way::Host, DType::F32)] {
        let reference = Reference::read();
        for case in &reference.cases {
            let (params, data) = (reference.params(case), reference.prepared(case));
            let mut weights = reference.weights(case);
            let tensor = |values: Vec<f32>, shape| {
                Tensor::from_vec(values, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
            };
            let gathered = |samples: &[usize]| {
                let rows = samples.iter().flat_map(|&sample| data.features().row(sample)).copied();
                tensor(rows.collect(), (1, samples.len(), reference.n_features()))
            };
            let distances = data.neighbour_distances().unwrap();
            let distances = case.batch.iter().map(|&sample| distances[sample]).collect();
            let labels = Tensor::from_slice(&case.labels, (1, case.labels.len(), 1), &Device::Cpu);
            let streams = |noise| Streams::new(vec![noise], &Device::Cpu).unwrap();
            let [noise, perturbation] = reference.streams().map(streams);
            let inputs = Inputs {
                step: reference.step,
                samples: gathered(&case.batch),
                distances: Some(tensor(distances, (1, case.batch.len(), 1))),
                neighbours: None,
                moved: None,
                labelled: Some(Labelled {
                    samples: gathered(&case.labelled),
                    labels: labels.unwrap(),
                }),
                noise,
                perturbation,
            };
            let blueprint = Blueprint {
                way,
                params: &params,
                terms: reference.terms(case),
                priors: &[params.sizes.unlearned(reference.n_clusters())],
                spread: data.spread(),
                dtype,
                device: &Device::Cpu,
            };
            let mut stack = Stack::new(blueprint, &[&weights]).unwrap();
            let (losses, gradients) = stack.loss_and_gradients(&inputs).unwrap();
            case.check_loss(losses[0].into());
            case.check_gradients(&gradients[0]);
            let losses = stack.losses(&inputs).unwrap();
            stack.learn(&losses, reference.rate).unwrap();
            stack.download(&mut [&mut weights]).unwrap();
            case.check_learnt(&weights);
        }
    }
}
