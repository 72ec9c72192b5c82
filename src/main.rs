//! The program `consilience`. Its functions are in the library; arguments and output are in `cli`.

mod cli;

use std::process::ExitCode;

/// Reading and voting allocate large arrays anew; with this allocator their pages stay mapped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
