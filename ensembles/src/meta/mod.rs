//! What earlier tasks teach: where networks start from on a new one, and which task is like which.
//!
//! A task ([`tasks`]) is data with labels of several classes. [`learn`] looks for hidden layers from which a few steps on a few labels of
//! any task lead to a small loss, by first-order MAML ([`maml`]) or Reptile ([`reptile`]); what it finds is an [`initialisation`]. A
//! [`sketch`] is what a data set looks like, in a few kilobytes, so that data sets can be compared when their data are elsewhere.

pub(crate) mod few_shot;
pub(crate) mod initialisation;
pub(crate) mod layers;
pub(crate) mod learn;
mod maml;
pub(crate) mod params;
mod reptile;
pub(crate) mod sketch;
pub(crate) mod tasks;

#[cfg(test)]
mod tests;
