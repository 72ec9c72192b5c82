//! One clustering out of all models' probabilities, in common ids.

use consilience_data::{ModelAnswers, ModelIdx, SoftAssignments};
use ndarray::{Array2, Axis, Zip};

use crate::{Alignment, GraphError};

/// The mean of the models' aligned probabilities.
///
/// What a model gives to a cluster that has no common id is left out, and the row scaled to sum to 1 again; a
/// row of which nothing is left gets equal probabilities. Sums are taken in f64, in the order of the models.
///
/// # Arguments
///
/// * `models`: each model's answers, length n_models; as probabilities, shape (n_samples, n_clusters of the model) each.
/// * `alignment`: of these models.
///
/// # Returns
///
/// Probabilities, shape (n_samples, n_common); one column of ones if there are no common clusters.
///
/// # Errors
///
/// [`GraphError::OtherModelCount`] or [`GraphError::SampleCount`] if numbers of models or samples differ.
pub fn consensus(
    models: &[ModelAnswers],
    alignment: &Alignment,
) -> Result<SoftAssignments, GraphError> {
    check_models(alignment, models.len())?;
    let expected = models.first().map_or(0, ModelAnswers::n_samples);
    let mut sums = empty(expected, alignment);
    for (model, answers) in models.iter().enumerate() {
        let found = answers.n_samples();
        if found != expected {
            return Err(GraphError::SampleCount { what: "probabilities", found, expected });
        }
        let to_common = alignment.from_model(ModelIdx::from_index(model));
        for (own, column) in answers.probabilities().axis_iter(Axis(1)).enumerate() {
            if let Some(common) = to_common.get(own).copied().flatten() {
                Zip::from(sums.column_mut(common.index()))
                    .and(column)
                    .for_each(|sum, &probability| *sum += f64::from(probability));
            }
        }
    }
    Ok(normalised(sums))
}

fn check_models(alignment: &Alignment, votes: usize) -> Result<(), GraphError> {
    let settings = alignment.n_models();
    if settings == votes { Ok(()) } else { Err(GraphError::OtherModelCount { settings, votes }) }
}

fn empty(n_samples: usize, alignment: &Alignment) -> Array2<f64> {
    Array2::zeros((n_samples, alignment.n_common().max(1)))
}

#[expect(clippy::cast_possible_truncation, reason = "probabilities are stored as f32")]
fn normalised(mut sums: Array2<f64>) -> SoftAssignments {
    for mut row in sums.rows_mut() {
        let total = row.sum();
        if total > 0.0 {
            row /= total;
        } else {
            #[expect(clippy::cast_precision_loss, reason = "at most 65,535 clusters")]
            row.fill(1.0 / row.len() as f64);
        }
    }
    SoftAssignments::new(sums.mapv(|probability| probability as f32))
}

#[cfg(test)]
mod tests {
    use consilience_data::{PseudoLabels, Votes};
    use ndarray::array;

    use super::*;

    fn soft() -> [ModelAnswers; 2] {
        [
            array![[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]],
            array![[0.25, 0.75, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
        ]
        .map(|probabilities| SoftAssignments::new(probabilities).into())
    }

    #[test]
    fn aligned_probabilities_are_averaged_and_what_has_no_partner_is_left_out() {
        let soft = soft();
        let votes = Votes::from_answers(&soft).unwrap();
        let alignment = Alignment::new(&votes, &PseudoLabels::new(vec![], 0, 3)).unwrap();
        // Model 1's clusters 0 and 1 are model 0's 1 and 0; its cluster 2 also meets model 0's 0 once.
        assert_eq!(alignment.from_model(ModelIdx(1))[0].unwrap().0, 1);
        let consensus = consensus(&soft, &alignment).unwrap();
        assert_eq!(consensus.view().row(0), array![0.75, 0.25]);
        assert_eq!(consensus.view().row(1), array![0.125, 0.875]);
        assert_eq!(consensus.view().row(2), array![0.5, 0.5]);
    }

    #[test]
    fn other_numbers_of_models_and_samples_are_errors() {
        let soft = soft();
        let alignment = Alignment::to_first_model(&Votes::from_answers(&soft).unwrap());
        assert!(consensus(&soft[..1], &alignment).is_err());
        let short = SoftAssignments::new(array![[1.0, 0.0]]).into();
        assert!(consensus(&[soft[0].clone(), short], &alignment).is_err());
    }
}
