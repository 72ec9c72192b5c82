//! The program `consilience`. What it can do is in the library; how it is asked and how it answers, in `cli`.

mod cli;

use std::process::ExitCode;

/// Reading and voting allocate large arrays anew; with this allocator their pages stay mapped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
