//! Labels of some samples, given to train on.

use xxhash_rust::xxh3::Xxh3;

use crate::{ClusterId, DataError, SampleIdx};

/// The classes of some samples, as a person gave them: these are trained on.
///
/// A type of its own, apart from [`Truth`](crate::Truth), which no training may see: neither is made of the other outside of the code
/// that reads files, so labels for scores don't come to be trained on by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenLabels {
    /// Length n_samples; `None` where no label was given.
    classes: Vec<Option<ClusterId>>,
    names: Vec<String>,
    n_unused: usize,
}

impl GivenLabels {
    /// Labels of samples, length n_samples, as indices of `names`.
    ///
    /// # Errors
    ///
    /// [`DataError::NoneGiven`] if no sample has a label; [`DataError::TooManyClasses`] if ids can't number the classes.
    ///
    /// # Panics
    ///
    /// If a class has no name.
    pub fn new(
        source_name: &str,
        classes: Vec<Option<usize>>,
        names: Vec<String>,
    ) -> Result<Self, DataError> {
        let source_name = || source_name.to_owned();
        if names.len() >= usize::from(u16::MAX) {
            return Err(DataError::TooManyClasses {
                source_name: source_name(),
                classes: names.len(),
            });
        }
        if classes.iter().all(Option::is_none) {
            return Err(DataError::NoneGiven { source_name: source_name() });
        }
        assert!(classes.iter().flatten().all(|&class| class < names.len()), "a class has a name");
        let id = |class: Option<usize>| class.map(ClusterId::from_index);
        Ok(Self { classes: classes.into_iter().map(id).collect(), names, n_unused: 0 })
    }

    /// The same, beside so many labels of samples that aren't here.
    pub(crate) fn with_unused(self, n_unused: usize) -> Self {
        Self { n_unused, ..self }
    }

    /// Labels of samples that aren't here: of rows that were left out of the data, or that never were in it.
    #[must_use]
    pub fn n_unused(&self) -> usize {
        self.n_unused
    }

    /// The class of every sample, length n_samples; `None` where no label was given.
    #[must_use]
    pub fn classes(&self) -> &[Option<ClusterId>] {
        &self.classes
    }

    /// What the classes are called, length n_classes: numbers in their order, else words in theirs.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of samples, with a label or without.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.classes.len()
    }

    /// Number of classes, each of which has a label.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.names.len()
    }

    /// The class of a sample, if it was given.
    #[must_use]
    pub fn of(&self, sample: SampleIdx) -> Option<ClusterId> {
        self.classes[sample.index()]
    }

    /// The samples that have a label, in their order, each with it.
    pub fn labelled(&self) -> impl Iterator<Item = (SampleIdx, ClusterId)> {
        let labelled = self.classes.iter().enumerate();
        labelled.filter_map(|(sample, class)| Some((SampleIdx::from_index(sample), (*class)?)))
    }

    /// Number of samples that have a label.
    #[must_use]
    pub fn n_labelled(&self) -> usize {
        self.labelled().count()
    }

    /// A hash of which sample has which class, such as `xxh3:` and 32 hexadecimal digits: to tell whether labels are those of a run.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = Xxh3::new();
        hasher.update(&(self.classes.len() as u64).to_le_bytes());
        for (sample, class) in self.labelled() {
            hasher.update(&sample.0.to_le_bytes());
            hasher.update(self.names[class.index()].as_bytes());
            hasher.update(&[0]);
        }
        format!("xxh3:{:032x}", hasher.digest128())
    }

    /// Number of labelled samples of each class, length n_classes.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.n_classes()];
        self.labelled().for_each(|(_, class)| sizes[class.index()] += 1);
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_samples_have_a_label() {
        let names = vec!["cat".into(), "dog".into()];
        let given = GivenLabels::new("x", vec![None, Some(1), Some(0), Some(1)], names).unwrap();
        let labelled: Vec<_> =
            given.labelled().map(|(sample, class)| (sample.0, class.0)).collect();
        assert_eq!(labelled, [(1, 1), (2, 0), (3, 1)]);
        assert_eq!((given.n_labelled(), given.sizes()), (3, vec![1, 2]));
        assert_eq!((given.n_samples(), given.n_classes()), (4, 2));
        assert_eq!(given.of(SampleIdx(0)), None);
        let moved = vec![Some(1), None, Some(0), Some(1)];
        let other = GivenLabels::new("x", moved, given.names().to_vec()).unwrap();
        assert_ne!(given.hash(), other.hash());
        let none = GivenLabels::new("x", vec![None; 3], vec!["cat".into()]).unwrap_err();
        assert!(none.to_string().contains("x: no sample has a label"), "{none}");
    }
}
