//! Another view of the samples, as the settings of a run have it.

use consilience_ensembles::{Preparation, PretextParams};
use serde::{Deserialize, Serialize};

/// Another view of the samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewSettings {
    /// What it is called: its file, as it was named, or its pretext.
    pub name: String,
    /// How an encoder learns it from the data; `None`: its features are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretext: Option<PretextParams>,
    /// How its features become what voters see; `None`: as suits the kind of data that they look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preparation: Option<Preparation>,
}

impl ViewSettings {
    /// A view whose features are given.
    #[must_use]
    pub fn given(name: String) -> Self {
        Self { name, pretext: None, preparation: None }
    }

    /// A view that an encoder learns.
    #[must_use]
    pub fn learnt(params: PretextParams) -> Self {
        Self { name: params.pretext.name().into(), pretext: Some(params), preparation: None }
    }

    /// Whether its features are given, and not learnt.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.pretext.is_none()
    }
}
