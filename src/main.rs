//! The program `consilience`. What it can do is in the library; how it is asked and how it answers, in `cli`.

mod cli;

use std::process::ExitCode;

/// Networks allocate large temporaries anew in every step; with this allocator their pages stay mapped, which makes
/// training 1.3 to 2 times as fast (DESIGN §6 b).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keep_candle_on_the_callers_thread();
    cli::main()
}

/// Candle's own pools make members that train side by side queue (DESIGN §6 g): they get one thread. Our own work
/// has pools of its own, which these variables don't reach.
#[allow(unsafe_code, reason = "sound where it stands, as the first line of main")]
fn keep_candle_on_the_callers_thread() {
    for variable in ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"] {
        // SAFETY: no other thread exists yet that could read the environment meanwhile.
        unsafe { std::env::set_var(variable, "1") };
    }
}
