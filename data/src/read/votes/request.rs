//! What is asked for of a file of votes, and what its models are called.

use std::path::Path;

/// What is asked for of a file.
pub(super) struct Request<'a> {
    pub(super) path: &'a Path,
    /// The member or dataset that the argument names.
    pub(super) member: Option<&'a str>,
    /// The file's name without its extensions, or the run's.
    pub(super) short: &'a str,
    /// Number of samples, if it is known and to decide what a row is.
    pub(super) samples: Option<usize>,
}

impl Request<'_> {
    /// Names for the models of a member; those of a file's only one, and of `votes`, are called like the file.
    ///
    /// `is_one_of`: whether there are several.
    pub(super) fn model_names(
        &self,
        member: &str,
        is_one_of: bool,
        n_models: usize,
    ) -> Vec<String> {
        let by_member = (is_one_of || self.member.is_some()) && last(member) != "votes";
        model_names(if by_member { member.trim_start_matches('/') } else { self.short }, n_models)
    }
}

/// The name of a dataset without its groups'.
pub(super) fn last(member: &str) -> &str {
    member.rsplit('/').next().unwrap_or(member)
}

/// Names for models that have none of their own.
pub(super) fn model_names(short: &str, n_models: usize) -> Vec<String> {
    match n_models {
        1 => vec![short.into()],
        _ => (0..n_models).map(|model| format!("{short}[{model}]")).collect(),
    }
}
