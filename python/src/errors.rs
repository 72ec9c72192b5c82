//! The engine's errors as Python's.

use std::io::ErrorKind;
use std::path::Path;

use consilience::RunError;
use consilience_data::DataError;
use pyo3::PyErr;
use pyo3::exceptions::{
    PyFileNotFoundError, PyKeyboardInterrupt, PyMemoryError, PyOSError, PyPermissionError,
    PyValueError,
};

/// What Python raises for an error of the engine.
pub(crate) fn of_run(error: RunError) -> PyErr {
    match error {
        RunError::Cancelled => PyKeyboardInterrupt::new_err(()),
        RunError::Data(error) => of_data(error),
        RunError::Memory { .. } => PyMemoryError::new_err(error.to_string()),
        RunError::Folder { ref path, .. } if !Path::new(path).exists() => {
            PyFileNotFoundError::new_err(error.to_string())
        }
        error => PyValueError::new_err(error.to_string()),
    }
}

/// What Python raises for data that can't be.
pub(crate) fn of_data(error: DataError) -> PyErr {
    let text = error.to_string();
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
