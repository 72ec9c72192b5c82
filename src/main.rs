//! The program `consilience`: the library's command line, with an allocator of its own.

use std::process::ExitCode;

/// Reading and voting allocate large arrays anew; with this allocator their pages stay mapped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    consilience::cli::main(std::env::args_os().collect())
}
