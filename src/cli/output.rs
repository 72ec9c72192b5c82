//! What the program says on standard output and standard error.

use std::io::{self, ErrorKind, Write};

/// Writes results to standard output, styled if a terminal shows them and `NO_COLOR` isn't set.
pub(super) fn answer(text: &str) -> anyhow::Result<()> {
    write_out(&mut anstream::stdout().lock(), text.as_bytes())
}

/// Writes bytes to standard output as they are.
pub(super) fn answer_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    write_out(&mut io::stdout().lock(), bytes)
}

/// A closed pipe is no error: the reader may stop at any time.
fn write_out(out: &mut dyn Write, bytes: &[u8]) -> anyhow::Result<()> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("standard output can't be written"))
        }
        _ => Ok(()),
    }
}

/// Says a line on standard error. If not even this can be written, the exit code has to do.
pub(super) fn tell(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}
