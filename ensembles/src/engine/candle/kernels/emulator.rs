//! Kernels on the host, for tests: `kernels.cu` as the C compiler understands it, a process a call.

use std::cell::Cell;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use candle_core::{CpuStorage, Layout, Result, bail};

use super::{Call, Input, Inputs, Memory};

/// Reads a call from its input: kernel, number of threads, sizes, place, x, y, then `out` and every other tensor with its
/// length. Writes `out`.
const MAIN: &str = r#"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct index { unsigned x; };
static struct index blockIdx, blockDim, threadIdx;
#define __global__ static
#define __device__ static
#include "kernels.cu"
#define TRY(kernel) if (!strcmp(name, #kernel)) found = kernel;
static void get(void *to, size_t bytes) { if (bytes && fread(to, bytes, 1, stdin) != 1) exit(3); }
static void *tensor(unsigned *length) {
    get(length, 4);
    void *values = *length ? malloc(4ul * *length) : 0;
    get(values, 4ul * *length);
    return values;
}
int main(void) {
    char name[32];
    unsigned sizes[6], length, ignored;
    float factors[2];
    void (*found)(ARGUMENTS) = 0;
    get(name, sizeof name);
    get(sizes, sizeof sizes);
    get(factors, sizeof factors);
    float *out = tensor(&length), *in[4];
    for (int i = 0; i < 4; i++) in[i] = tensor(&ignored);
    unsigned *keys = tensor(&ignored);
    KERNELS
    if (!found) return 2;
    blockDim.x = 64;
    for (blockIdx.x = 0; blockIdx.x * blockDim.x < sizes[0]; blockIdx.x++)
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
            found(out, in[0], in[1], in[2], in[3], keys, sizes[1], sizes[2], sizes[3], sizes[4], sizes[5],
                  factors[0], factors[1]);
    return fwrite(out, 4, length, stdout) != length;
}
"#;

thread_local! {
    static EMULATED: Cell<bool> = const { Cell::new(false) };
}

/// Whether kernels take the place of composed operations in this thread.
pub(crate) fn is_on() -> bool {
    EMULATED.get()
}

/// Runs `test` with kernels in the place of composed operations; not at all, and says so, where there is no C compiler.
pub(crate) fn with_kernels<R>(test: impl FnOnce() -> R) -> Option<R> {
    if program().is_none() {
        let _ =
            std::io::stderr().write_all(b"SKIPPED: no C compiler (cc) to run kernels.cu with\n");
        return None;
    }
    EMULATED.set(true);
    let result = test();
    EMULATED.set(false);
    Some(result)
}

/// The compiled program.
fn program() -> Option<&'static PathBuf> {
    static PROGRAM: OnceLock<Option<(tempfile::TempDir, PathBuf)>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let kernels = include_str!("kernels.cu");
        let names = kernels.lines().filter_map(|line| line.strip_prefix("KERNEL("));
        let tries: String = names.map(|name| format!("TRY({name};")).collect::<Vec<_>>().join("\n");
        std::fs::write(folder.path().join("kernels.cu"), kernels).unwrap();
        let main = MAIN.replace("    KERNELS\n", &tries.replace(";", "\n"));
        std::fs::write(folder.path().join("main.c"), main).unwrap();
        let program = folder.path().join("kernels");
        let mut compiler = Command::new("cc");
        compiler.arg("-std=c11").arg("-O1").arg("-o").arg(&program);
        let compiled = compiler.arg(folder.path().join("main.c")).arg("-lm").status().ok()?;
        assert!(compiled.success(), "kernels.cu doesn't compile as C");
        Some((folder, program))
    });
    program.as_ref().map(|(_, program)| program)
}

fn run(call: &Call, out: &[f32], inputs: &Inputs<'_, CpuStorage>) -> Result<Vec<f32>> {
    let mut message = call.kernel.as_bytes().to_vec();
    message.resize(32, 0);
    for size in [call.threads, call.models, call.rows, call.width] {
        message.extend(u32::try_from(size).unwrap().to_ne_bytes());
    }
    for number in [call.step, call.layer, call.x.to_bits(), call.y.to_bits()] {
        message.extend(number.to_ne_bytes());
    }
    let mut tensor = |words: &mut dyn ExactSizeIterator<Item = u32>| {
        message.extend(u32::try_from(words.len()).unwrap().to_ne_bytes());
        words.for_each(|word| message.extend(word.to_ne_bytes()));
    };
    tensor(&mut out.iter().map(|value| value.to_bits()));
    for input in inputs.values.iter().chain([&inputs.keys]) {
        match words(input)? {
            Some(words) => tensor(&mut words.into_iter()),
            None => tensor(&mut std::iter::empty()),
        }
    }
    let mut child = Command::new(program().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&message).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{call:?}: {}", done.status);
    let values = done.stdout.chunks_exact(4);
    Ok(values.map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap())).collect())
}

/// A tensor's values as bits.
fn words(input: &Input<'_, CpuStorage>) -> Result<Option<Vec<u32>>> {
    let Some((storage, layout)) = input else { return Ok(None) };
    let Some((first, last)) = layout.contiguous_offsets() else { bail!("not contiguous") };
    Ok(Some(match storage {
        CpuStorage::F32(values) => {
            values[first..last].iter().map(|value| value.to_bits()).collect()
        }
        CpuStorage::U32(values) => values[first..last].to_vec(),
        _ => bail!("neither f32 nor u32"),
    }))
}

impl Memory for CpuStorage {
    fn make(call: &Call, inputs: &Inputs<'_, Self>, length: usize) -> Result<Self> {
        Ok(Self::F32(run(call, &vec![f32::NAN; length], inputs)?))
    }

    fn change(call: &Call, out: (&mut Self, &Layout), inputs: &Inputs<'_, Self>) -> Result<()> {
        let Self::F32(values) = out.0 else { bail!("not f32") };
        assert_eq!(out.1.contiguous_offsets(), Some((0, values.len())));
        *values = run(call, values, inputs)?;
        Ok(())
    }
}
