//! From words of a command line to values.

use std::num::NonZero;
use std::thread;
use std::time::Duration;

use consilience::consensus::ConsensusMethod;
use consilience::labelling::Labelling;
use consilience_ensembles::{EngineChoice, MemberKind};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

/// Cores that this process may use.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// More than any machine makes use of, and few enough to be started.
const MOST_THREADS: usize = 1024;

/// A number of threads, for the command line.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (1..=MOST_THREADS).contains(threads));
    threads.ok_or_else(|| format!("give a whole number from 1 to {MOST_THREADS}"))
}

/// A time that isn't nothing, for the command line.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    pause(text).and_then(|time| if time.is_zero() { Err(NEED_TIME.into()) } else { Ok(time) })
}

/// A time, for the command line: a number and its unit.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    let seconds = units.into_iter().find_map(|(unit, seconds)| {
        let number: f64 = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
        Some(number * seconds)
    });
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| NEED_TIME.into())
}

const NEED_TIME: &str = "give a time such as 90s, 10m or 2h";

/// A share, for the command line.
pub(super) fn share(text: &str) -> Result<f32, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "give a number from 0 to 1".into())
}

/// A probability that has to be exceeded, in the first round and in the last, for the command line.
pub(super) fn tau(text: &str) -> Result<(f32, f32), String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    Ok((share(first)?, share(last)?))
}

/// A kind of models, for the command line.
pub(super) fn member_kind(name: &str) -> Result<MemberKind, ValueError> {
    MemberKind::deserialize(name.into_deserializer())
}

/// What trains networks, for the command line.
pub(super) fn engine(name: &str) -> Result<EngineChoice, ValueError> {
    EngineChoice::deserialize(name.into_deserializer())
}

/// How the consensus of votes is found, for the command line.
pub(super) fn consensus(name: &str) -> Result<ConsensusMethod, ValueError> {
    ConsensusMethod::deserialize(name.into_deserializer())
}

/// What pseudo-labels come from, for the command line.
pub(super) fn labelling(name: &str) -> Result<Labelling, ValueError> {
    Labelling::deserialize(name.into_deserializer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        let seconds = |text: &str| time(text).map(|time| time.as_secs_f64());
        assert_eq!(seconds("90s"), Ok(90.0));
        assert_eq!((seconds("1.5m"), seconds(" 2 h")), (Ok(90.0), Ok(7200.0)));
        assert_eq!((seconds("500ms"), pause("0s")), (Ok(0.5), Ok(Duration::ZERO)));
        for wrong in ["", "10", "s", "-1s", "0s", "NaNs", "infs", "1e300h", "1y"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
