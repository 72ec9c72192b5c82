//! Settings over settings: what a person gives replaces what a preset has.

use consilience_ensembles::MemberKind;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::config::Config;
use crate::error::RunError;

impl Config {
    /// Has so many models of a kind: the one given, else that of the networks among the members, else that of the first.
    ///
    /// As many candidates are trained to be left out as before; none stays none.
    pub fn set_models(&mut self, models: usize, kind: Option<MemberKind>) {
        let network = self.members.iter().copied().find(|kind| kind.is_network());
        let kind = kind.or(network).or(self.members.first().copied());
        let kind = kind.unwrap_or(MemberKind::Ladder);
        let spare = self.candidates.saturating_sub(self.members.len());
        // Networks are counted; models of other kinds stay beside them.
        self.members.retain(|&other| !other.is_network() && other != kind);
        self.members.splice(..0, vec![kind; models]);
        self.candidates = if spare > 0 { self.members.len() + spare } else { 0 };
    }
}

/// `settings` with what `over` sets replaced; within tables, only what they have.
///
/// # Errors
///
/// [`RunError::Overlay`] with the first setting that there isn't, or that can't have its value.
pub fn overlay<C: Serialize + DeserializeOwned>(settings: &C, over: Table) -> Result<C, RunError> {
    let mut table = Table::try_from(settings)
        .map_err(|error| RunError::Overlay { key: "version".into(), problem: error.to_string() })?;
    merge(&mut table, over);
    serde_path_to_error::deserialize(table).map_err(|error| RunError::Overlay {
        key: error.path().to_string(),
        problem: error.inner().message().into(),
    })
}

/// Replaces values of `base`; within tables, only those that `over` has.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
