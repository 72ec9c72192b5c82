//! Ids as types, so that a sample, a cluster and a model can't be mistaken for one another.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl $name {
            /// The id as an index into an array.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of an array's `index`-th entry.
            ///
            /// # Panics
            ///
            /// If `index` doesn't fit. Callers check sizes where data enters.
            #[must_use]
            pub fn from_index(index: usize) -> Self {
                Self(<$int>::try_from(index).expect("sizes are checked where data enters"))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// Row of a sample in the features: 0-based, over all stacked files.
    SampleIdx(u32)
}
id! {
    /// A cluster of *one* clustering. Ids of two clusterings have no common meaning until they are aligned.
    ClusterId(u16)
}
id! {
    /// A member of the ensemble.
    ModelIdx(u16)
}
