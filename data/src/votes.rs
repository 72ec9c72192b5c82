//! What the members of an ensemble say of every sample.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, concatenate, s};

use crate::{DataError, ModelAnswers, ModelIdx};

/// Assignments and confidences of all models, shape (n_models, n_samples) each.
///
/// Ids of different models have no common meaning. A model may have left a sample without a vote.
#[derive(Debug, Clone, PartialEq)]
pub struct Votes {
    clusters: Array2<u16>,
    confidences: Array2<f32>,
    n_clusters: Vec<usize>,
}

impl Votes {
    /// Stands for "this model did not vote on this sample" in [`Votes::clusters`].
    pub const MISSING: u16 = u16::MAX;

    /// Takes cluster ids ([`Votes::MISSING`] where a vote is missing) and confidences in 0..=1, shape
    /// (n_models, n_samples) each.
    ///
    /// # Errors
    ///
    /// [`DataError::Empty`] without models or samples, [`DataError::ShapeMismatch`] if shapes differ.
    pub fn new(clusters: Array2<u16>, confidences: Array2<f32>) -> Result<Self, DataError> {
        if clusters.is_empty() {
            return Err(DataError::Empty { source_name: "votes".into() });
        }
        if clusters.dim() != confidences.dim() {
            return Err(DataError::ShapeMismatch {
                what: "confidences",
                found: confidences.shape().to_vec(),
                expected: clusters.shape().to_vec(),
            });
        }
        let n_clusters = clusters
            .rows()
            .into_iter()
            .map(|row| {
                let voted = row.iter().filter(|&&cluster| cluster != Self::MISSING);
                voted.max().map_or(0, |&largest| usize::from(largest) + 1)
            })
            .collect();
        Ok(Self { clusters, confidences, n_clusters })
    }

    /// The cluster that every model is most sure of.
    ///
    /// # Errors
    ///
    /// As [`Votes::new`], and [`DataError::ModelSamples`] if a model has another number of samples than the first.
    pub fn from_answers(models: &[ModelAnswers]) -> Result<Self, DataError> {
        let n_samples = models.first().map_or(0, ModelAnswers::n_samples);
        let mut clusters = Array2::zeros((models.len(), n_samples));
        let mut confidences = Array2::zeros((models.len(), n_samples));
        for (model, answers) in models.iter().enumerate() {
            if answers.n_samples() != n_samples {
                let found = answers.n_samples();
                return Err(DataError::ModelSamples { model, found, expected: n_samples });
            }
            let (hard, confidence) = answers.harden();
            for (sample, (cluster, confidence)) in
                hard.clusters().iter().zip(confidence).enumerate()
            {
                clusters[(model, sample)] = cluster.0;
                confidences[(model, sample)] = confidence;
            }
        }
        let mut votes = Self::new(clusters, confidences)?;
        votes.n_clusters = models.iter().map(ModelAnswers::n_clusters).collect();
        Ok(votes)
    }

    /// The votes of these models, and then those of `others` on the same samples.
    ///
    /// # Errors
    ///
    /// [`DataError::ModelSamples`] if they are of other samples.
    pub fn stacked(&self, others: &Self) -> Result<Self, DataError> {
        let (found, expected) = (others.n_samples(), self.n_samples());
        let error = |_| DataError::ModelSamples { model: self.n_models(), found, expected };
        let clusters =
            concatenate(Axis(0), &[self.clusters(), others.clusters()]).map_err(error)?;
        let confidences = [self.confidences(), others.confidences()];
        let confidences = concatenate(Axis(0), &confidences).map_err(error)?;
        let n_clusters = [&self.n_clusters[..], &others.n_clusters].concat();
        Ok(Self { clusters, confidences, n_clusters })
    }

    /// The votes of these models alone, at least one, in this order.
    #[must_use]
    pub fn of_models(&self, models: &[usize]) -> Self {
        Self {
            clusters: self.clusters.select(Axis(0), models),
            confidences: self.confidences.select(Axis(0), models),
            n_clusters: models.iter().map(|&model| self.n_clusters[model]).collect(),
        }
    }

    /// The votes on the first `n_samples`, at least one.
    ///
    /// # Errors
    ///
    /// [`DataError::Empty`] without samples.
    pub fn of_first(&self, n_samples: usize) -> Result<Self, DataError> {
        let first = s![.., ..n_samples.min(self.n_samples())];
        let (clusters, confidences) = (self.clusters.slice(first), self.confidences.slice(first));
        let votes = Self::new(clusters.to_owned(), confidences.to_owned())?;
        Ok(Self { n_clusters: self.n_clusters.clone(), ..votes })
    }

    /// The same votes of these samples alone, ascending; the others' are missing.
    #[must_use]
    pub fn of_samples(mut self, samples: &[u32]) -> Self {
        let mut given = samples.iter().peekable();
        for sample in 0..self.n_samples() {
            if given.next_if(|&&next| next as usize == sample).is_none() {
                self.clusters.column_mut(sample).fill(Self::MISSING);
                self.confidences.column_mut(sample).fill(0.0);
            }
        }
        self
    }

    /// Number of models, M.
    #[must_use]
    pub fn n_models(&self) -> usize {
        self.clusters.nrows()
    }

    /// Number of samples, n.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.clusters.ncols()
    }

    /// Cluster ids, shape (n_models, n_samples), [`Votes::MISSING`] where a model did not vote.
    #[must_use]
    pub fn clusters(&self) -> ArrayView2<'_, u16> {
        self.clusters.view()
    }

    /// Confidences, shape (n_models, n_samples), in 0..=1.
    #[must_use]
    pub fn confidences(&self) -> ArrayView2<'_, f32> {
        self.confidences.view()
    }

    /// One model's cluster ids, length n_samples.
    #[must_use]
    pub fn of_model(&self, model: ModelIdx) -> ArrayView1<'_, u16> {
        self.clusters.row(model.index())
    }

    /// Number of clusters that a model can name.
    #[must_use]
    pub fn n_clusters(&self, model: ModelIdx) -> usize {
        self.n_clusters[model.index()]
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::SoftAssignments;

    #[test]
    fn models_of_other_numbers_of_samples_are_refused() {
        let soft = |n| ModelAnswers::from(SoftAssignments::new(Array2::ones((n, 1))));
        for n in [1, 3] {
            let error = Votes::from_answers(&[soft(2), soft(n)]).unwrap_err().to_string();
            let expected = format!("model 1 gives probabilities of {n} samples, where there are 2");
            assert!(error.starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn samples_left_out_have_no_vote() {
        let votes = Votes::new(array![[0, 1, 2], [1, 1, 0]], Array2::ones((2, 3))).unwrap();
        let some = votes.clone().of_samples(&[0, 2]);
        assert_eq!(some.clusters(), array![[0, Votes::MISSING, 2], [1, Votes::MISSING, 0]]);
        assert_eq!(some.confidences().column(1), array![0.0, 0.0]);
        assert_eq!(some.n_clusters(ModelIdx(0)), 3);
        assert_eq!(votes.clone().of_samples(&[0, 1, 2]), votes);
    }
}
