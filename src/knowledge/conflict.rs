//! What contradicts what, of all that is known.

use consilience_data::{GivenLabels, SampleIdx};

use crate::wording::count;

/// Links of a chain that a message names, at most.
const TOLD: usize = 6;

/// What something known comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// One of the must-links, or of the cannot-links, by its place among them.
    Pair(usize),
    /// The labels of two samples.
    Labels([SampleIdx; 2]),
}

/// Two samples that have to be apart, and what links them all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What keeps them apart.
    pub apart: Origin,
    /// What leads from one to the other, in this order; nothing if they are one sample.
    pub linked: Vec<Origin>,
}

/// How a [`Conflict`] is put into words.
pub struct Words<'a> {
    /// The pairs of samples that are in two clusters.
    pub cannot: &'a [[SampleIdx; 2]],
    /// Where the must-link with this number is, such as its line of a file.
    pub must_at: &'a dyn Fn(usize) -> String,
    /// Where the cannot-link is.
    pub cannot_at: &'a dyn Fn(usize) -> String,
    /// What a sample is called.
    pub called: &'a dyn Fn(SampleIdx) -> String,
    /// The labels of some samples, if there are any.
    pub given: Option<&'a GivenLabels>,
}

impl Conflict {
    /// What contradicts what, in a line.
    #[must_use]
    pub fn told(&self, words: &Words<'_>) -> String {
        let class = |sample: SampleIdx| {
            let given = words.given;
            let class = given.and_then(|given| Some(&given.names()[given.of(sample)?.index()]));
            class.map_or_else(String::new, Clone::clone)
        };
        let ([first, second], apart) = match self.apart {
            Origin::Pair(at) => (words.cannot[at], (words.cannot_at)(at)),
            Origin::Labels([a, b]) => ([a, b], format!("labels '{}' and '{}'", class(a), class(b))),
        };
        let link = |origin: &Origin| match origin {
            Origin::Pair(at) => (words.must_at)(*at),
            Origin::Labels([a, _]) => format!("the label '{}'", class(*a)),
        };
        let mut links: Vec<String> = self.linked.iter().take(TOLD).map(link).collect();
        if let more @ 1.. = self.linked.len().saturating_sub(TOLD) {
            links.push(format!("{} more", count(more)));
        }
        format!(
            "{apart}: {} and {} are to be apart, but are linked by {}; remove one of these",
            (words.called)(first),
            (words.called)(second),
            links.join(", "),
        )
    }
}
