//! All that a network's further training depends on, as a record.

use crate::checkpoints::{Record, Value};
use crate::members::weights::{Statistics, Weights};

/// Of `weights`: parameters with their optimiser's moments and steps, and population statistics.
pub(crate) fn record(weights: &Weights) -> Record {
    let mut record = Record::default();
    for parameter in weights.parameters() {
        let parts = [
            ("value", &parameter.value),
            ("first", &parameter.first),
            ("second", &parameter.second),
        ];
        for (part, values) in parts {
            record.push(&name(&parameter.name, part), &parameter.shape, values.clone());
        }
        record.push(&name(&parameter.name, "steps"), &[1], vec![parameter.steps]);
    }
    for (index, layer) in weights.encoder.iter().enumerate() {
        let Some(population) = &layer.population else { continue };
        let parts = [("mean", &population.mean), ("inverse_std", &population.inverse_std)];
        for (part, values) in parts {
            record.push(&of_population(index, part), &[values.len()], values.clone());
        }
    }
    record
}

/// Makes `weights`, of the same shape, what [`record`] was made of; false, with weights that can't be used, if the shapes are others.
pub(crate) fn restore(weights: &mut Weights, record: &mut Record) -> bool {
    restored(weights, record).is_some()
}

fn restored(weights: &mut Weights, record: &mut Record) -> Option<()> {
    for parameter in weights.parameters_mut() {
        let mut values = |part| take(record, &name(&parameter.name, part), &parameter.shape);
        parameter.value = values("value")?;
        parameter.first = values("first")?;
        parameter.second = values("second")?;
        let steps: Vec<i32> = take(record, &name(&parameter.name, "steps"), &[1])?;
        parameter.steps = steps[0];
    }
    for (index, layer) in weights.encoder.iter_mut().enumerate() {
        let shape = [layer.shift.value.len()];
        let mean = take(record, &of_population(index, "mean"), &shape);
        let inverse_std = take(record, &of_population(index, "inverse_std"), &shape);
        let population = mean.zip(inverse_std);
        layer.population = population.map(|(mean, inverse_std)| Statistics { mean, inverse_std });
    }
    Some(())
}

fn name(parameter: &str, part: &str) -> String {
    format!("{parameter}.{part}")
}

fn of_population(layer: usize, part: &str) -> String {
    format!("encoder.{layer}.population.{part}")
}

/// An array of this shape.
fn take<T: Value>(record: &mut Record, name: &str, shape: &[usize]) -> Option<Vec<T>> {
    let (found, values) = record.take(name)?;
    (found == shape).then_some(values)
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};

    use super::*;
    use crate::members::params::NetworkParams;

    fn weights(hidden: usize, seed: u64) -> Weights {
        let params = NetworkParams { hidden: vec![hidden], ..NetworkParams::default() };
        Weights::new(&params, 3, 2, &mut Seed(seed).rng(Stream::Projection))
    }

    #[test]
    fn weights_are_restored_with_moments_steps_and_statistics() {
        let mut trained = weights(4, 1);
        for (index, parameter) in trained.parameters_mut().enumerate() {
            parameter.first.fill(0.25 + index as f32);
            parameter.second.fill(1e-40);
            parameter.steps = 7 + i32::try_from(index).unwrap();
        }
        trained.encoder[0].population = Some(Statistics::new(vec![-0.0; 4], &[0.3; 4]));
        let mut other = weights(4, 2);
        assert!(other != trained);
        assert!(restore(&mut other, &mut record(&trained)));
        assert!(other == trained);
        assert!(!restore(&mut weights(5, 2), &mut record(&trained)), "another shape");
        assert!(!restore(&mut other, &mut Record::default()));
    }
}
