//! The true classes of samples, sealed.
//!
//! **Truth never trains.** A [`Truth`] has no method that tells a sample's class, nor one that compares it with anything:
//! whoever may compare at will can find out every class. Its labels are read by the free function [`classes`] alone, and
//! calling that takes a dependency on this crate. Two crates have one: `consilience-data`, which makes truths from files
//! and re-exports the type without the function, and the root crate, whose module `evaluation` makes scores.
//! `consilience-ensembles` and `consilience-graph`, which train and vote, can hold a truth and not read it.
//! A test (`tests/layering.rs`) asserts this from the manifests, and clippy (`clippy.toml`) refuses
//! the function in the root crate outside `evaluation`.
//!
//! ```
//! use consilience_truth::{Truth, classes};
//!
//! let truth = Truth::from_labels(&["cat", "dog", "cat"])?;
//! assert_eq!(classes(&truth), [0, 1, 0]);
//! # Ok::<(), consilience_truth::NoLabels>(())
//! ```
//!
//! A truth itself gives nothing away. Neither a field:
//!
//! ```compile_fail,E0616
//! let truth = consilience_truth::Truth::from_integers(&[7, 8]).unwrap();
//! let labels = &truth.classes;
//! ```
//!
//! nor a method:
//!
//! ```compile_fail,E0599
//! let truth = consilience_truth::Truth::from_integers(&[7, 8]).unwrap();
//! let labels = truth.classes();
//! ```
//!
//! nor a comparison with a guess:
//!
//! ```compile_fail,E0369
//! let truth = consilience_truth::Truth::from_integers(&[7, 8]).unwrap();
//! let is_right = truth == consilience_truth::Truth::from_integers(&[8, 7]).unwrap();
//! ```

use std::collections::BTreeMap;

use thiserror::Error;

/// The true class of every sample. It can't be asked for them: see [`classes`].
#[derive(Clone)]
pub struct Truth {
    classes: Vec<u32>,
    names: Vec<String>,
    /// Samples that scores leave out, ascending.
    left_out: Vec<usize>,
}

/// There has to be a label at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no labels")]
pub struct NoLabels;

/// The class of every sample, length n_samples, each below [`Truth::n_classes`].
///
/// For scores alone. Nothing that trains, votes or extracts may depend on this.
#[must_use]
pub fn classes(truth: &Truth) -> &[u32] {
    &truth.classes
}

impl Truth {
    /// Numbers the distinct `labels` (one a sample) in their order: by value if all are integers, else by text.
    ///
    /// # Errors
    ///
    /// [`NoLabels`] without any.
    pub fn from_labels<S: AsRef<str>>(labels: &[S]) -> Result<Self, NoLabels> {
        let texts = labels.iter().map(|label| label.as_ref().trim());
        match texts.clone().map(|text| text.parse().ok()).collect::<Option<Vec<i64>>>() {
            Some(integers) => Self::from_integers(&integers),
            None => Self::number(&texts.collect::<Vec<&str>>()),
        }
    }

    /// Numbers the distinct values of `labels` (one a sample) in ascending order.
    ///
    /// # Errors
    ///
    /// [`NoLabels`] without any.
    pub fn from_integers(labels: &[i64]) -> Result<Self, NoLabels> {
        Self::number(labels)
    }

    fn number<T: Ord + Copy + ToString>(labels: &[T]) -> Result<Self, NoLabels> {
        if labels.is_empty() {
            return Err(NoLabels);
        }
        let mut numbers: BTreeMap<T, u32> = labels.iter().map(|&label| (label, 0)).collect();
        for (number, value) in numbers.values_mut().zip(0..) {
            *number = value;
        }
        let names = numbers.keys().map(ToString::to_string).collect();
        let classes = labels.iter().map(|label| numbers[label]).collect();
        Ok(Self { classes, names, left_out: Vec::new() })
    }

    /// Number of samples.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.classes.len()
    }

    /// Number of classes, each of which has a sample.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.names.len()
    }

    /// Names of the classes, length n_classes.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The same, of which scores leave out some samples: those whose classes were given to train on.
    #[must_use]
    pub fn leaving_out(mut self, samples: impl IntoIterator<Item = usize>) -> Self {
        self.left_out = samples.into_iter().collect();
        self.left_out.sort_unstable();
        self
    }

    /// Whether scores leave out a sample.
    #[must_use]
    pub fn is_left_out(&self, sample: usize) -> bool {
        self.left_out.binary_search(&sample).is_ok()
    }

    /// The labels of several files' samples, one after the other. Classes meet by name.
    ///
    /// # Errors
    ///
    /// [`NoLabels`] if `parts` is empty.
    pub fn stack(parts: &[Self]) -> Result<Self, NoLabels> {
        let labels: Vec<&String> = parts
            .iter()
            .flat_map(|part| part.classes.iter().map(|&class| &part.names[class as usize]))
            .collect();
        Self::from_labels(&labels)
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
        assert_eq!(Truth::from_labels(&["10", "9", " 9"]).unwrap().names(), ["9", "10"]);
        assert_eq!(Truth::from_labels(&["b", "10", "a"]).unwrap().names(), ["10", "a", "b"]);
        assert_eq!(Truth::from_integers(&[]).unwrap_err(), NoLabels);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test of what is sealed")]
    fn stacked_classes_meet_by_name() {
        let first = Truth::from_labels(&["a", "b"]).unwrap();
        let second = Truth::from_labels(&["c", "b"]).unwrap();
        let both = Truth::stack(&[first, second]).unwrap();
        assert_eq!(both.names(), ["a", "b", "c"]);
        assert_eq!(classes(&both), [0, 1, 2, 1]);
    }

    #[test]
    fn some_samples_are_left_out_of_scores() {
        let truth = Truth::from_labels(&["a", "b", "a"]).unwrap().leaving_out([2, 0]);
        assert_eq!([0, 1, 2].map(|sample| truth.is_left_out(sample)), [true, false, true]);
        assert_eq!(truth.n_samples(), 3);
    }

    #[test]
    fn a_log_has_no_labels() {
        let truth = Truth::from_labels(&["secret", "word"]).unwrap();
        assert_eq!(format!("{truth:?}"), "Truth(2 samples, 2 classes)");
    }
}
