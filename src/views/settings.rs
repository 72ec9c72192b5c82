//! Another view of the samples, as the settings of a run have it.

use consilience_ensembles::{MemberKind, NetworkParams, Preparation, PretextParams};
use serde::{Deserialize, Serialize};

use crate::config::Schedule;

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
    /// Networks that are trained on it; `None`: where networks are trained on the data, those that suit the kind of data that its features look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<ViewNetworks>,
}

/// Networks on a view. They are trained once, without pseudo-labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewNetworks {
    /// The kind of each.
    pub members: Vec<MemberKind>,
    /// Steps that each was trained for, if the time was up; 0: it was left out. Those that aren't named were trained to the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<usize>,
    /// Their training.
    pub training: Schedule,
    /// Their settings.
    pub params: NetworkParams,
}

impl ViewSettings {
    /// A view whose features are given.
    #[must_use]
    pub fn given(name: String) -> Self {
        Self { name, pretext: None, preparation: None, networks: None }
    }

    /// A view that an encoder learns.
    #[must_use]
    pub fn learnt(params: PretextParams) -> Self {
        let name = params.pretext.name().into();
        Self { pretext: Some(params), ..Self::given(name) }
    }

    /// Whether its features are given, and not learnt.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.pretext.is_none()
    }
}
