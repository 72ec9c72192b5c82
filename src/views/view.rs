//! A view of the samples, ready for voters.

use consilience_data::{Features, Recipe};
use consilience_ensembles::{Encoder, Prepared};

use super::settings::ViewSettings;

/// Features that are given as another view of the samples.
#[derive(Debug, Clone, Copy)]
pub struct GivenView<'a> {
    /// A row for every sample, in the order of the data.
    pub features: &'a Features,
    /// How files became these features.
    pub recipe: &'a Recipe,
}

/// Where the features of a view come from.
pub enum ViewSource {
    /// From files, in this way: new samples need theirs.
    Given(Box<Recipe>),
    /// From the data, by an encoder.
    Learnt(Box<Encoder>),
}

/// A view of the samples, ready for voters.
pub struct View {
    /// Its settings, with all that was found.
    pub settings: ViewSettings,
    /// Where its features come from.
    pub source: ViewSource,
    /// Its features as voters see them, with their neighbours.
    pub data: Prepared,
}
