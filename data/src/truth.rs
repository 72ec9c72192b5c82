//! Ground-truth labels, which can be compared with and nothing else.

use std::collections::BTreeMap;

use crate::{Assignments, ClusterId, Contingency, DataError, PseudoLabels, SampleIdx};

/// The true class of every sample.
///
/// **Truth never trains.** There is no way to ask for a sample's label: what can be had is how classes and
/// clusters overlap, which is what every score is computed from, and, for evaluation alone, a few samples of an overlap.
#[derive(Clone)]
pub struct Truth {
    classes: Vec<u32>,
    names: Vec<String>,
}

impl Truth {
    /// Numbers the distinct `labels` (one a sample) in their order: by value if all are integers, else by text.
    ///
    /// # Errors
    ///
    /// [`DataError::Empty`] without labels.
    pub fn from_labels<S: AsRef<str>>(labels: &[S]) -> Result<Self, DataError> {
        if labels.is_empty() {
            return Err(DataError::Empty { source_name: "labels".into() });
        }
        let integers: Option<Vec<i64>> =
            labels.iter().map(|label| label.as_ref().trim().parse().ok()).collect();
        if let Some(integers) = integers {
            return Ok(Self::number(&integers));
        }
        let texts: Vec<&str> = labels.iter().map(|label| label.as_ref().trim()).collect();
        Ok(Self::number(&texts))
    }

    /// Numbers the distinct values of `labels` (one a sample) in ascending order.
    ///
    /// # Errors
    ///
    /// [`DataError::Empty`] without labels.
    pub fn from_integers(labels: &[i64]) -> Result<Self, DataError> {
        if labels.is_empty() {
            return Err(DataError::Empty { source_name: "labels".into() });
        }
        Ok(Self::number(labels))
    }

    fn number<T: Ord + Copy + ToString>(labels: &[T]) -> Self {
        let mut numbers: BTreeMap<T, u32> = labels.iter().map(|&label| (label, 0)).collect();
        for (number, value) in numbers.values_mut().zip(0..) {
            *number = value;
        }
        let names = numbers.keys().map(ToString::to_string).collect();
        Self { classes: labels.iter().map(|label| numbers[label]).collect(), names }
    }

    /// Number of samples.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.classes.len()
    }

    /// Number of classes.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.names.len()
    }

    /// Names of the classes, in the order of the rows of every contingency table.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The labels of several files' samples, one after the other. Classes meet by name.
    ///
    /// # Errors
    ///
    /// [`DataError::Empty`] if `parts` is empty.
    pub fn stack(parts: &[Self]) -> Result<Self, DataError> {
        let labels: Vec<&String> = parts
            .iter()
            .flat_map(|part| part.classes.iter().map(|&class| &part.names[class as usize]))
            .collect();
        Self::from_labels(&labels)
    }

    /// Classes (rows) against the clusters of all samples (columns).
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn contingency(&self, found: &Assignments) -> Result<Contingency, DataError> {
        self.check(found.n_samples())?;
        let pairs = self.classes.iter().zip(found.clusters());
        Ok(Contingency::count(
            pairs.map(|(&class, cluster)| (class as usize, cluster.index())),
            self.n_classes(),
            found.n_clusters(),
        ))
    }

    /// Classes (rows) against mini-clusters (columns), over the pseudo-labelled samples alone.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn contingency_on(&self, pseudo_labels: &PseudoLabels) -> Result<Contingency, DataError> {
        self.check(pseudo_labels.n_samples())?;
        let pairs = pseudo_labels.entries().iter();
        Ok(Contingency::count(
            pairs.map(|entry| (self.classes[entry.sample.index()] as usize, entry.label.index())),
            self.n_classes(),
            pseudo_labels.n_clusters(),
        ))
    }

    /// Classes (rows) against classes of another labelling (columns): for `evaluate TRUTH FOUND`.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn contingency_with(&self, found: &Self) -> Result<Contingency, DataError> {
        self.check(found.n_samples())?;
        let pairs = self.classes.iter().zip(&found.classes);
        Ok(Contingency::count(
            pairs.map(|(&class, &cluster)| (class as usize, cluster as usize)),
            self.n_classes(),
            found.n_classes(),
        ))
    }

    /// The first `limit` samples of `order` that are of class `class` and in cluster `cluster`: examples of what a cell of
    /// the contingency table is made of. For evaluation alone: a test asserts that nothing else asks.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn examples(
        &self,
        found: &[Option<ClusterId>],
        (class, cluster): (usize, ClusterId),
        order: &[SampleIdx],
        limit: usize,
    ) -> Result<Vec<SampleIdx>, DataError> {
        self.check(found.len())?;
        let is_one = |sample: &SampleIdx| {
            self.classes[sample.index()] as usize == class && found[sample.index()] == Some(cluster)
        };
        Ok(order.iter().copied().filter(is_one).take(limit).collect())
    }

    fn check(&self, n_samples: usize) -> Result<(), DataError> {
        if self.n_samples() == n_samples {
            return Ok(());
        }
        Err(DataError::LabelCount {
            source_name: "truth".into(),
            labels: self.n_samples(),
            samples: n_samples,
        })
    }
}

impl std::fmt::Debug for Truth {
    /// Without the labels: a log is a way out, too.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Truth({} samples, {} classes)", self.n_samples(), self.n_classes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_ordered_by_value_and_words_by_text() {
        assert_eq!(Truth::from_labels(&["10", "9", "9"]).unwrap().names(), ["9", "10"]);
        assert_eq!(Truth::from_labels(&["b", "10", "a"]).unwrap().names(), ["10", "a", "b"]);
    }

    #[test]
    fn stacked_classes_meet_by_name() {
        let first = Truth::from_labels(&["a", "b"]).unwrap();
        let second = Truth::from_labels(&["c", "b"]).unwrap();
        assert_eq!(Truth::stack(&[first, second]).unwrap().names(), ["a", "b", "c"]);
    }

    #[test]
    fn another_number_of_samples_is_an_error() {
        let truth = Truth::from_integers(&[0, 1]).unwrap();
        let found = Assignments::new(vec![ClusterId(0)], 1);
        assert!(truth.contingency(&found).is_err());
        assert!(truth.examples(&[None], (0, ClusterId(0)), &[], 1).is_err());
    }

    #[test]
    fn examples_are_of_the_class_and_in_the_cluster_in_the_order_given() {
        let truth = Truth::from_integers(&[7, 8, 8, 8, 8]).unwrap();
        let found = [Some(0), Some(0), Some(0), None, Some(1)].map(|id| id.map(ClusterId));
        let order = [4, 3, 2, 1, 0].map(SampleIdx);
        let eights = |limit| truth.examples(&found, (1, ClusterId(0)), &order, limit).unwrap();
        assert_eq!((eights(5), eights(1)), (vec![SampleIdx(2), SampleIdx(1)], vec![SampleIdx(2)]));
    }
}
