//! Which samples are left without a cluster, as a person says it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Half of all samples can't be strays: then these would be what is usual.
const MOST: f64 = 0.5;

/// Which samples are left without a cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StrayLimit {
    /// Those that are as far out as one in a hundred of ordinary samples.
    Auto,
    /// At most this share of the run's samples, 0..=0.5; 0: every sample has a score, and a cluster.
    Share(f64),
}

impl StrayLimit {
    /// What is wrong with it, if anything is.
    pub(crate) fn is_possible(self) -> bool {
        match self {
            Self::Auto => true,
            Self::Share(share) => (0.0..=MOST).contains(&share),
        }
    }
}

impl FromStr for StrayLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let limit = match text {
            "auto" => Some(Self::Auto),
            _ => text.parse().ok().map(Self::Share),
        };
        let possible = limit.filter(|limit| limit.is_possible());
        possible.ok_or_else(|| format!("give a share of the samples, 0 to {MOST}, or auto"))
    }
}

impl fmt::Display for StrayLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Share(share) => share.fmt(f),
        }
    }
}

impl Serialize for StrayLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Share(share) => serializer.serialize_f64(*share),
        }
    }
}

impl<'de> Deserialize<'de> for StrayLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Share(f64),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Share(share) => Ok(Self::Share(share)),
            Written::Word(word) => word.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_are_written() {
        let typed = |text: &str| text.parse::<StrayLimit>();
        assert_eq!(typed("auto"), Ok(StrayLimit::Auto));
        assert_eq!(typed("0.01"), Ok(StrayLimit::Share(0.01)));
        for wrong in ["0.51", "-0.1", "1", "NaN", "some", ""] {
            assert!(typed(wrong).is_err(), "{wrong}");
        }
        for limit in [StrayLimit::Auto, StrayLimit::Share(0.25)] {
            let json = serde_json::to_string(&limit).unwrap();
            assert_eq!(serde_json::from_str::<StrayLimit>(&json).unwrap(), limit);
            assert_eq!(typed(&limit.to_string()), Ok(limit));
        }
    }
}
