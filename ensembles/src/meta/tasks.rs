//! Tasks: labelled data, and the small problems that are drawn from them.

use consilience_data::{Features, GivenLabels, Rng};
use ndarray::{Array2, Axis};

use crate::error::EnsembleError;
use crate::meta::sketch::Sketch;
use crate::preparation::transform::{Scaling, Transform, finite};
use crate::progress::Progress;

/// Labelled data that an initialisation is learnt from.
#[derive(Debug, Clone)]
pub struct MetaTask {
    name: String,
    features: Features,
    /// The samples of each class, ascending.
    classes: Vec<Vec<u32>>,
    names: Vec<String>,
    sketch: Sketch,
}

/// What an episode is of: see [`MetaParams`](crate::MetaParams).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) ways: usize,
    pub(crate) shots: usize,
    pub(crate) queries: usize,
}

/// A small problem: some labelled samples of a few classes, and others of the same classes to be judged on.
#[derive(Debug, Clone)]
pub(crate) struct Episode {
    /// Shape (n, n_features).
    pub(crate) rows: Array2<f32>,
    /// The class of each row that is learnt from.
    pub(crate) support: Vec<Option<usize>>,
    /// The class of each of the others.
    pub(crate) queries: Vec<Option<usize>>,
    pub(crate) n_classes: usize,
}

impl Episode {
    /// The class of every row.
    pub(crate) fn all(&self) -> Vec<Option<usize>> {
        self.support.iter().zip(&self.queries).map(|(support, query)| support.or(*query)).collect()
    }
}

impl MetaTask {
    /// Scales `features`, shape (n_samples, n_features), as a network sees them. Samples without a label are part of the sketch alone. O(n d).
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Task`] with fewer than two classes, [`EnsembleError::Setting`] if scaled values don't fit into 32-bit floats.
    ///
    /// # Panics
    ///
    /// If there is another number of labels than of samples.
    pub fn new(
        name: &str,
        features: &Features,
        given: &GivenLabels,
        scaling: Scaling,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        assert_eq!(features.n_samples(), given.n_samples(), "a label, or none, of every sample");
        if given.n_classes() < 2 {
            let problem = "labels of one class; a task needs two at least, to tell them apart";
            return Err(EnsembleError::Task { name: name.into(), problem: problem.into() });
        }
        let features = &features.unpacked(None)?;
        let (transform, _) = Transform::of_scaling(features, scaling);
        let scaled = finite(transform.scaled(&features.view()))?;
        let mut classes = vec![Vec::new(); given.n_classes()];
        given.labelled().for_each(|(sample, class)| classes[class.index()].push(sample.0));
        let sketch = Sketch::of_scaled(&scaled, scaling, progress)?;
        let names = given.names().to_vec();
        Ok(Self { name: name.into(), features: scaled, classes, names, sketch })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of features.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.features.n_features()
    }

    /// Number of classes.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.classes.len()
    }

    /// Number of labelled samples.
    #[must_use]
    pub fn n_labelled(&self) -> usize {
        self.classes.iter().map(Vec::len).sum()
    }

    /// What its data look like.
    #[must_use]
    pub fn sketch(&self) -> &Sketch {
        &self.sketch
    }

    /// Checks that each class has `shots` samples, and one more to be judged on.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Task`] with the first class that has fewer.
    pub fn check_shots(&self, shots: usize) -> Result<(), EnsembleError> {
        let Some(class) = self.classes.iter().position(|samples| samples.len() <= shots) else {
            return Ok(());
        };
        let (name, of_class) = (&self.names[class], self.classes[class].len());
        let samples = if of_class == 1 { "sample" } else { "samples" };
        let problem = format!(
            "class '{name}' has {of_class} labelled {samples}; {shots} to learn from and one to be judged on need {}: lower --shots, or leave the class out",
            shots + 1
        );
        Err(EnsembleError::Task { name: self.name.clone(), problem })
    }

    /// Classes for an episode, in random order: `ways` of them, or all if there are fewer.
    pub(crate) fn draw_classes(&self, ways: usize, rng: &mut Rng) -> Vec<usize> {
        let mut classes = rng.permutation(self.classes.len());
        classes.truncate(ways);
        classes
    }

    /// An episode of these classes: `shots` and up to `queries` samples of each, none of them twice.
    pub(crate) fn episode(&self, classes: &[usize], shape: Shape, rng: &mut Rng) -> Episode {
        let (mut samples, mut support, mut queries) = (Vec::new(), Vec::new(), Vec::new());
        for (number, &class) in classes.iter().enumerate() {
            let of_class = &self.classes[class];
            let drawn = rng.permutation(of_class.len());
            for (place, &at) in drawn.iter().take(shape.shots + shape.queries).enumerate() {
                samples.push(of_class[at] as usize);
                let is_support = place < shape.shots;
                support.push(is_support.then_some(number));
                queries.push((!is_support).then_some(number));
            }
        }
        let rows = self.features.view().select(Axis(0), &samples);
        Episode { rows, support, queries, n_classes: classes.len() }
    }
}
