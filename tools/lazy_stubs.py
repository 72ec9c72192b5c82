#!/usr/bin/env python3
"""Static archives that stand in for CUDA's libraries: libcuda.a, libcublas.a, ...

Each function, when first called, opens the real library (from the system's path, $CUDA_LIB_DIR or /usr/local/cuda/lib64), and
jumps there; without one it returns the library's own code for "not there". libcudart.a is NVIDIA's static runtime. For x86-64
ELF.

usage: lazy_stubs.py CUDA_ROOT FOLDER
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

# Library, file, and what its functions return without it.
LIBRARIES = [
    ("cuda", "libcuda.so.1", 34),  # CUDA_ERROR_STUB_LIBRARY
    ("cublas", "libcublas.so.13", 1),  # CUBLAS_STATUS_NOT_INITIALIZED
    ("cublasLt", "libcublasLt.so.13", 1),
    ("curand", "libcurand.so.10", 203),  # CURAND_STATUS_INITIALIZATION_FAILED
    ("nvrtc", "libnvrtc.so.13", 11),  # NVRTC_ERROR_INTERNAL_ERROR
]

RESOLVE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
extern void *PREFIX_table[];
extern const char *const PREFIX_names[];
static void *library;
static int tried;
static long absent(void) { return ABSENT; }

static void *open_library(void)
{
    char path[4096];
    const char *folders[] = {getenv("CUDA_LIB_DIR"), "/usr/local/cuda/lib64"};
    if (tried)
        return library;
    library = dlopen("FILE", RTLD_NOW | RTLD_GLOBAL);
    for (int i = 0; !library && i < 2; i++)
        if (folders[i] && snprintf(path, sizeof path, "%s/FILE", folders[i]) < (int)sizeof path)
            library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    /* nvrtc opens its own second part by name: it is found if it is there already. */
    Dl_info where;
    void *symbol = BUILTINS && library ? dlsym(library, PREFIX_names[0]) : 0;
    if (symbol && dladdr(symbol, &where) && where.dli_fname) {
        const char *slash = strrchr(where.dli_fname, '/');
        int length = slash ? (int)(slash - where.dli_fname) + 1 : 0;
        if (snprintf(path, sizeof path, "%.*slibnvrtc-builtins.so.13.0", length, where.dli_fname) < (int)sizeof path)
            dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    }
    tried = 1;
    return library;
}

__attribute__((visibility("hidden"))) void *PREFIX_resolve(long index)
{
    void *handle = open_library();
    void *found = handle ? dlsym(handle, PREFIX_names[index]) : 0;
    return PREFIX_table[index] = found ? found : (void *)absent;
}
"""

SAVED = ["rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax"]


def functions(root: Path, library: str, file: str) -> list[str]:
    if library == "cuda":  # no wheel has the driver's library
        header = (root / "include/cuda.h").read_text(errors="ignore")
        return sorted(set(re.findall(r"\bcu[A-Z][A-Za-z0-9_]*", header)))
    command = ["nm", "-D", "--defined-only", root / "lib" / file]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    fields = [line.split() for line in lines]
    names = {f[2].split("@")[0] for f in fields if len(f) == 3 and f[1] in "TWi"}
    return sorted(name for name in names if re.match(r"cu[a-z]+|nvrtc", name))


def assembly(prefix: str, names: list[str]) -> str:
    """Each function jumps through a table, whose entries at first lead to the one that fills them."""
    lines = [".text"]
    for index, name in enumerate(names):
        lines += [f".globl {name}", f".type {name},@function", f"{name}: endbr64"]
        lines += [f" jmp *{prefix}_table+{8 * index}(%rip)", f".Lr{index}: push ${index}", " jmp .Lcommon"]
    # The stack is aligned after the push of the index; seven more and 136 bytes keep it so.
    lines += [".Lcommon:", *(f" push %{register}" for register in SAVED), " sub $136,%rsp"]
    lines += [f" movups %xmm{i},{16 * i}(%rsp)" for i in range(8)]
    lines += [" mov 192(%rsp),%rdi", f" call {prefix}_resolve", " mov %rax,%r11"]
    lines += [f" movups {16 * i}(%rsp),%xmm{i}" for i in range(8)] + [" add $136,%rsp"]
    lines += [f" pop %{register}" for register in reversed(SAVED)] + [" add $8,%rsp", " jmp *%r11"]
    lines += [".data", ".align 8", f".globl {prefix}_table", f".hidden {prefix}_table", f"{prefix}_table:"]
    lines += [f" .quad .Lr{index}" for index in range(len(names))] + [".section .rodata"]
    lines += [f'.Ln{index}: .asciz "{name}"' for index, name in enumerate(names)]
    lines += ['.section .data.rel.ro,"aw"', ".align 8", f".globl {prefix}_names"]
    lines += [f".hidden {prefix}_names", f"{prefix}_names:"]
    lines += [f" .quad .Ln{index}" for index in range(len(names))]
    return "\n".join([*lines, ".section .note.GNU-stack,\"\",@progbits", ""])


def main():
    root, folder = Path(sys.argv[1]), Path(sys.argv[2])
    build = folder / "lazy"
    build.mkdir(parents=True, exist_ok=True)
    for library, file, absent in LIBRARIES:
        names, prefix = functions(root, library, file), f"lazy_{library}"
        resolve = RESOLVE.replace("PREFIX", prefix).replace("FILE", file).replace("ABSENT", str(absent))
        (build / f"{library}_table.S").write_text(assembly(prefix, names))
        (build / f"{library}_open.c").write_text(resolve.replace("BUILTINS", str(int(library == "nvrtc"))))
        objects = []
        for source in (f"{library}_table.S", f"{library}_open.c"):
            objects.append((build / source).with_suffix(".o"))
            subprocess.check_call(["gcc", "-c", "-O1", "-fPIC", build / source, "-o", objects[-1]])
        archive = folder / f"lib{library}.a"
        archive.unlink(missing_ok=True)
        subprocess.check_call(["ar", "rcs", archive, *objects])
    shutil.copy(root / "lib/libcudart_static.a", folder / "libcudart.a")


if __name__ == "__main__":
    main()
