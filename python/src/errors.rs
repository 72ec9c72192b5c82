//! The engine's errors as Python's.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;

use consilience::RunError;
use consilience_data::DataError;
use pyo3::PyErr;
use pyo3::exceptions::{
    PyFileNotFoundError, PyKeyboardInterrupt, PyMemoryError, PyOSError, PyPermissionError,
    PyValueError,
};

/// What messages say of the command line's options, which Python doesn't have.
const OPTIONS: [&str; 6] = [
    " (-k)",
    " (--strays)",
    " (--view)",
    " (--max-memory says how much there is)",
    " with --out",
    " --out",
];

/// An error's message, as it is for who calls from Python.
fn message(error: &dyn Display) -> String {
    OPTIONS.iter().fold(error.to_string(), |text, option| text.replace(option, ""))
}

/// What Python raises for an error of the engine.
pub(crate) fn of_run(error: RunError) -> PyErr {
    let text = message(&error);
    match error {
        RunError::Cancelled => PyKeyboardInterrupt::new_err(()),
        RunError::Data(error) => of_data(error),
        RunError::Memory { .. } => PyMemoryError::new_err(text),
        RunError::Folder { ref path, .. } if !Path::new(path).exists() => {
            PyFileNotFoundError::new_err(text)
        }
        _ => PyValueError::new_err(text),
    }
}

/// What Python raises for data that can't be.
pub(crate) fn of_data(error: DataError) -> PyErr {
    let text = message(&error);
    match error {
        DataError::Unwritable { .. } | DataError::Unreadable { .. } => PyOSError::new_err(text),
        DataError::PermissionDenied { .. } => PyPermissionError::new_err(text),
        DataError::NotFound { .. } => PyFileNotFoundError::new_err(text),
        DataError::TooLarge { .. } => PyMemoryError::new_err(text),
        _ => PyValueError::new_err(text),
    }
}

/// What Python raises where a file can't be read or written.
pub(crate) fn of_io(path: &Path, error: &std::io::Error) -> PyErr {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::NotFound => PyFileNotFoundError::new_err(text),
        ErrorKind::PermissionDenied => PyPermissionError::new_err(text),
        _ => PyOSError::new_err(text),
    }
}
