//! `consilience._core`: the engine for Python.
//!
//! It is thin. What users see (estimators, checks of what they pass, warnings) is Python, in `consilience/`; here are the calls into the
//! engine, with the interpreter's lock released and Ctrl-C looked for ([`watch`]).

mod archive;
mod counts;
mod encoder;
mod errors;
mod evaluate;
mod fit;
mod k_range;
mod known;
mod model;
mod numbers;
mod options;
mod results;
mod votes;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use pyo3::prelude::*;

/// The command line. `words`: all of it, the program's name first. Returns the exit code.
#[pyfunction]
fn main(py: Python<'_>, words: Vec<OsString>) -> u8 {
    let code = py.detach(|| consilience::cli::main(words));
    // A code says its number to nobody but the system.
    (0..=u8::MAX).find(|&number| ExitCode::from(number) == code).unwrap_or(2)
}

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<model::Model>()?;
    module.add_class::<encoder::Encoder>()?;
    module.add_function(wrap_pyfunction!(encoder::train_encoder, module)?)?;
    module.add_function(wrap_pyfunction!(encoder::load_encoder, module)?)?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add_function(wrap_pyfunction!(fit::fit, module)?)?;
    module.add_function(wrap_pyfunction!(model::load, module)?)?;
    module.add_function(wrap_pyfunction!(votes::pseudo_label, module)?)?;
    module.add_function(wrap_pyfunction!(evaluate::evaluate, module)?)?;
    module.add_function(wrap_pyfunction!(k_range::k_range, module)?)?;
    module.add_function(wrap_pyfunction!(k_range::k_range_of_votes, module)?)?;
    Ok(())
}
