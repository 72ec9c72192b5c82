//! What a test does that wants something this machine hasn't.

use std::io::Write;
use std::panic::Location;
use std::thread;

/// Says that the test is skipped, and what it wants. With `CI=true` it fails instead: there, whatever can be had has to be there.
/// The test that calls this returns.
///
/// # Panics
///
/// With `CI=true`.
#[track_caller]
pub fn skip(missing: &str) {
    let line = skipped(missing);
    assert!(
        !is_ci(std::env::var("CI").ok().as_deref()),
        "CI=true, where no test is skipped. {line}"
    );
    say(&line);
}

/// As [`skip`], for want of a GPU, which not every CI can have. It fails only where `CONSILIENCE_NEED_GPU` is set.
///
/// # Panics
///
/// With `CONSILIENCE_NEED_GPU` set.
#[track_caller]
pub fn skip_without_gpu(missing: &str) {
    let line = skipped(missing);
    assert!(
        std::env::var_os("CONSILIENCE_NEED_GPU").is_none(),
        "CONSILIENCE_NEED_GPU is set. {line}"
    );
    say(&line);
}

#[track_caller]
fn skipped(missing: &str) -> String {
    let (test, place) = (thread::current(), Location::caller());
    format!("SKIPPED: {} ({}): {missing}", test.name().unwrap_or("a test"), place.file())
}

/// Whether the variable `CI` says that this is one, as CI services set it.
fn is_ci(variable: Option<&str>) -> bool {
    variable.is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
}

/// Past the test harness, which keeps to itself what passing tests print.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use super::{is_ci, skip, skip_without_gpu};

    const INNER: &str = "CONSILIENCE_TEST_OF_SKIPPING";

    /// What happens to the other tests is seen from outside, in processes with an environment of their own.
    #[test]
    fn with_ci_a_skipped_test_fails_and_says_what_is_missing() {
        let run = |test: &str, variables: &[(&str, &str)]| -> (bool, String) {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command
                .args(["--exact", &format!("skip::tests::{test}"), "--nocapture"])
                .env(INNER, "1");
            command.env_remove("CI").env_remove("CONSILIENCE_NEED_GPU");
            let Output { status, stdout, stderr } =
                command.envs(variables.iter().copied()).output().unwrap();
            let told = String::from_utf8([stdout, stderr].concat()).unwrap();
            assert!(told.contains("1 passed") || told.contains("1 failed"), "{told}");
            (status.success(), told)
        };
        let (ci, gpu) = (("CI", "true"), ("CONSILIENCE_NEED_GPU", "1"));
        for (test, variables, passes) in [
            ("without_data", &[][..], true),
            ("without_data", &[ci], false),
            ("without_data", &[("CI", "false")], true),
            ("without_gpu", &[], true),
            ("without_gpu", &[ci], true),
            ("without_gpu", &[gpu], false),
        ] {
            let (passed, told) = run(test, variables);
            assert_eq!(passed, passes, "{test} {variables:?}: {told}");
            for part in ["SKIPPED: ", test, "skip.rs", "the moon"] {
                assert!(told.contains(part), "no {part} in {told}");
            }
        }
    }

    #[test]
    fn without_data() {
        if std::env::var_os(INNER).is_some() {
            skip("the moon");
        }
    }

    #[test]
    fn without_gpu() {
        if std::env::var_os(INNER).is_some() {
            skip_without_gpu("the moon");
        }
    }

    #[test]
    fn ci_is_what_services_call_it() {
        assert!([Some("true"), Some("1"), Some("True")].into_iter().all(is_ci));
        assert!(!([None, Some(""), Some("false"), Some("0")].into_iter().any(is_ci)));
    }
}
