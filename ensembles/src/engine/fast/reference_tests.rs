//! Steps by hand, held against PyTorch's.

use super::optimiser::Learn;
use super::trainer::Trainer;
use crate::engine::batches::Batch;
use crate::engine::driver::Setup;
use crate::engine::reference::Reference;
use crate::members::weights::Parameter;

/// Keeps gradients instead of learning from them.
#[derive(Default)]
struct Recorder(Vec<(String, Vec<f32>)>);

impl Learn for Recorder {
    fn learn(&mut self, parameter: &mut Parameter, gradient: &[f32]) {
        self.0.push((parameter.name.clone(), gradient.to_vec()));
    }
}

#[test]
fn a_step_equals_pytorchs() {
    let reference = Reference::read();
    for case in &reference.cases {
        let (params, data) = (reference.params(case), reference.prepared(case));
        let mut weights = reference.weights(case);
        let [noise, perturbation] = reference.streams();
        let batch = Batch {
            moves: &[],
            samples: &case.batch,
            labelled: (&case.labelled, &case.labels),
            neighbours: &[],
            step: reference.step,
            noise,
            perturbation,
        };
        let setup = Setup {
            data: &data,
            params: &params,
            terms: reference.terms(case),
            rows: (case.batch.len(), case.labelled.len()),
            priors: vec![params.sizes.unlearned(reference.n_clusters())],
        };
        let mut trainer = Trainer::new(setup, &weights, 1);
        let mut recorder = Recorder::default();
        case.check_loss(trainer.loss(&mut weights, &data, &batch, &mut recorder));
        case.check_gradients(&recorder.0);
        case.check_loss(trainer.step(&mut weights, &data, &batch, reference.rate));
        case.check_learnt(&weights);
    }
}
