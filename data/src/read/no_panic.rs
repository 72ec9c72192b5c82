//! Libraries that panic where a file is damaged.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

use super::source::one_line;
use crate::DataError;

thread_local! {
    /// Whether panics of this thread are caught, and so nobody's business.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread would become a [`DataError`], and so is nobody's business: for the panic hook of a program.
/// Without such a hook, a damaged Parquet or Arrow file is an error, too, but the panic is told beside it.
#[must_use]
pub fn panics_are_caught() -> bool {
    CAUGHT.get()
}

/// Runs `read`, and makes an error of a panic. `what` the file isn't: `a valid Parquet file`.
///
/// The decoders of Parquet and Arrow check what they read by assertions, too. Nothing of theirs is used after a panic.
pub(super) fn no_panic<T>(
    name: &str,
    what: &str,
    read: impl FnOnce() -> Result<T, DataError>,
) -> Result<T, DataError> {
    CAUGHT.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    CAUGHT.set(false);
    result.unwrap_or_else(|panic| {
        Err(DataError::Corrupt {
            source_name: name.into(),
            problem: format!("no valid {what} ({})", one_line(&message(&*panic))),
        })
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unreadable")
}
