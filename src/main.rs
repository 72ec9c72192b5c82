//! The program `consilience`. Its functions are in the library; arguments and output are in `cli`.

mod cli;

use std::process::ExitCode;

/// Reading and voting allocate large arrays anew; with this allocator their pages stay mapped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Libraries that read damaged files may panic, which is told as an error.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !consilience_data::panics_are_caught() {
            before(info);
        }
    }));
    cli::main()
}
