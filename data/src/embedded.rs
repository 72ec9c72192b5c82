//! Data sets that come with the program.

/// Names under which embedded sets can be given in place of a file.
pub(crate) const NAMES: [&str; 1] = ["digits"];

/// Handwritten digits, 1,797 x 64, values 0..=16, with labels; `embedded/README.md` says where they are from.
pub(crate) const DIGITS: &[u8] = include_bytes!("../embedded/digits.npz");

/// Number of clusters of [`DIGITS`].
pub(crate) const DIGITS_CLUSTERS: usize = 10;
