//! How many models have to agree: a count of models or a share of them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::GraphError;

/// A number of models, or a share of those that voted.
///
/// Written `9` or `90%`, in settings files and on the command line alike. A share is held exactly (four
/// decimals of a per cent), so that 7 % of 100 models are 7 and not 8.
///
/// # Example
///
/// ```
/// use consilience_graph::Strictness;
///
/// let share: Strictness = "66.7%".parse()?;
/// assert_eq!((share.at_least(10), share.at_most(10)), (7, 6));
/// assert_eq!("9".parse(), Ok(Strictness::Count(9)));
/// # Ok::<(), consilience_graph::GraphError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// A number of models.
    Count(u16),
    /// A share of the models that voted on both samples, in millionths: 900,000 is 90 %.
    Share(u32),
}

/// A share of 100 %.
const WHOLE: u32 = 1_000_000;

impl Strictness {
    /// All models that voted.
    pub const ALL: Self = Self::Share(WHOLE);

    /// A share in whole per cent, at most 100.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        debug_assert!(percent <= 100);
        Self::Share(percent as u32 * (WHOLE / 100))
    }

    /// The share that `count` models of `n_models` are, rounded down to as few decimals as [`Strictness::at_least`]
    /// needs to make `count` of it again: `66%` for 2 of 3.
    #[must_use]
    pub fn share_of(count: u16, n_models: u16) -> Self {
        let exact = u64::from(count) * u64::from(WHOLE) / u64::from(n_models.max(1));
        let exact = u32::try_from(exact).map_or(WHOLE, |share| share.min(WHOLE));
        let rounded = [10_000, 1_000, 100, 10].map(|step| Self::Share(exact / step * step));
        let fits = |share: &Self| share.at_least(n_models) == count;
        rounded.into_iter().find(fits).unwrap_or(Self::Share(exact))
    }

    /// The smallest number of models, of `n_models`, that is at least this many: shares round up.
    #[must_use]
    pub fn at_least(self, n_models: u16) -> u16 {
        match self {
            Self::Count(count) => count,
            Self::Share(share) => {
                rounded(share, n_models, |exact| exact.div_ceil(u64::from(WHOLE)))
            }
        }
    }

    /// The largest number of models, of `n_models`, that is at most this many: shares round down.
    #[must_use]
    pub fn at_most(self, n_models: u16) -> u16 {
        match self {
            Self::Count(count) => count,
            Self::Share(share) => rounded(share, n_models, |exact| exact / u64::from(WHOLE)),
        }
    }
}

fn rounded(share: u32, n_models: u16, round: impl Fn(u64) -> u64) -> u16 {
    let models = round(u64::from(share) * u64::from(n_models));
    u16::try_from(models).unwrap_or(u16::MAX)
}

impl FromStr for Strictness {
    type Err = GraphError;

    fn from_str(text: &str) -> Result<Self, GraphError> {
        let trimmed = text.trim();
        let strictness = match trimmed.strip_suffix('%') {
            Some(percent) => parse_percent(percent.trim()).map(Self::Share),
            None => trimmed.parse().ok().map(Self::Count),
        };
        strictness.ok_or_else(|| GraphError::Strictness { text: text.into() })
    }
}

/// Millionths of a decimal number of per cent, such as `87.5`; `None` over 100 or with over four decimals.
fn parse_percent(percent: &str) -> Option<u32> {
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, ""));
    let digits_only = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits_only(whole) || !digits_only(decimals) || decimals.len() > 4 {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let decimals: u32 = format!("{decimals:0<4}").parse().ok()?;
    let share = whole.checked_mul(WHOLE / 100)?.checked_add(decimals)?;
    (share <= WHOLE).then_some(share)
}

impl fmt::Display for Strictness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Count(count) => count.fmt(f),
            Self::Share(share) => {
                let (whole, decimals) = (share / (WHOLE / 100), share % (WHOLE / 100));
                if decimals == 0 {
                    return write!(f, "{whole}%");
                }
                let decimals = format!("{decimals:04}");
                write!(f, "{whole}.{}%", decimals.trim_end_matches('0'))
            }
        }
    }
}

impl Serialize for Strictness {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u16(*count),
            Self::Share(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Strictness {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Strictness;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of models, such as 9, or a share of them, such as \"90%\"")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Strictness, E> {
                count.to_string().parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Strictness, E> {
                count.to_string().parse().map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Strictness, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_round_exactly() {
        for n_models in 1..=100 {
            let all = Strictness::ALL;
            assert_eq!((all.at_least(n_models), all.at_most(n_models)), (n_models, n_models));
        }
        assert_eq!(Strictness::percent(7).at_least(100), 7);
        assert_eq!(Strictness::percent(90).at_least(5), 5);
        assert_eq!(Strictness::percent(40).at_most(5), 2);
        assert_eq!(Strictness::percent(40).at_most(4), 1);
    }

    #[test]
    fn shares_of_counts_come_back() {
        for n_models in 1..=300 {
            for count in 0..=n_models {
                assert_eq!(Strictness::share_of(count, n_models).at_least(n_models), count);
            }
        }
        let written = [(2, 3), (5, 7), (9, 10), (199, 300)];
        let written = written.map(|(count, n)| Strictness::share_of(count, n).to_string());
        assert_eq!(written, ["66%", "71%", "90%", "66.3%"]);
    }

    #[test]
    fn what_is_no_strictness_is_named() {
        for text in ["", "%", ".", "-1", "101%", "9.5", "ninety", "1.23456%", "70000", "+9%"] {
            let parsed: Result<Strictness, _> = text.parse();
            assert_eq!(parsed, Err(GraphError::Strictness { text: text.into() }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_json_come_back(
            strictness in prop_oneof![
                any::<u16>().prop_map(Strictness::Count),
                (0..=WHOLE).prop_map(Strictness::Share),
            ],
        ) {
            prop_assert_eq!(strictness.to_string().parse(), Ok(strictness));
            let json = serde_json::to_string(&strictness).unwrap();
            prop_assert_eq!(serde_json::from_str::<Strictness>(&json).unwrap(), strictness);
        }
    }
}
