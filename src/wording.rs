//! Numbers as people read them, in summaries and on the report.

use indicatif::HumanCount;

/// `1,797`.
#[must_use]
pub fn count(number: usize) -> String {
    HumanCount(number as u64).to_string()
}

/// `1 model`, `5 models`, `2 classes`.
#[must_use]
pub fn plural(number: usize, noun: &str) -> String {
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", count(number))
}

/// `0.4 s`, `59 s`, `3 min 20 s`, `1 h 05 min`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time")]
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// `512 KiB`, `1.5 GiB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    indicatif::HumanBytes(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let texts = [0.04, 9.96, 59.6, 200.0, 3900.0].map(duration);
        assert_eq!(texts, ["0.0 s", "10 s", "1 min 00 s", "3 min 20 s", "1 h 05 min"]);
        assert_eq!((count(1797), plural(1, "model")), ("1,797".into(), "1 model".into()));
        assert_eq!([1, 2].map(|n| plural(n, "class")), ["1 class", "2 classes"]);
    }
}
