//! Libraries that panic where a file is damaged.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::source::one_line;
use crate::DataError;

thread_local! {
    /// Whether panics of this thread are caught, and so nobody's business.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `read`, and makes an error of a panic. `what` the file isn't: `a valid Parquet file`.
///
/// The decoders of Parquet and Arrow check what they read by assertions, too. Nothing of theirs is used after a panic.
pub(super) fn no_panic<T>(
    name: &str,
    what: &str,
    read: impl FnOnce() -> Result<T, DataError>,
) -> Result<T, DataError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                before(info);
            }
        }));
    });
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
