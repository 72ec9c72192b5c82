"""How fast files become a matrix of 32-bit floats, beside pyarrow and pandas, each on one thread.

    pip install numpy pandas pyarrow
    cargo build --release -p consilience-data --example read
    python benches/reading/compare.py [--megabytes 1000] [--folder /tmp/reading] [--repeat 3] [FILE ...]

Makes a CSV and Parquet files of 384 columns of 32-bit and of 64-bit floats, and MNIST-like IDX.gz, if no files are named, and prints the best of some runs of each reader in MB/s
of the file, one after the other in turn, and for ours the peak memory over that of the matrix. Each reader is a process of its own.
"""

import argparse
import gzip
import json
import pathlib
import struct
import subprocess
import sys

WIDTH = 384
READERS = {
    "csv": {
        "pyarrow": "import pyarrow.csv as c; t = c.read_csv(path, read_options=c.ReadOptions(use_threads=False)); x = matrix(t)",
        "pandas": "import pandas as p; x = p.read_csv(path).to_numpy('float32')",
    },
    "parquet": {
        "pyarrow": "import pyarrow.parquet as q; x = matrix(q.ParquetFile(path).read(use_threads=False))",
        "pandas": "import pandas as p, pyarrow as a; a.set_cpu_count(1); x = p.read_parquet(path).to_numpy('float32')",
    },
    "idx.gz": {
        "numpy": "import gzip, numpy as n; x = n.frombuffer(gzip.open(path).read(), 'u1', offset=16).astype('f4')",
    },
}
PROGRAM = """
import os, sys, time
import numpy as np
path = sys.argv[1]
def matrix(table):
    out = np.empty((table.num_rows, table.num_columns), 'float32')
    columns = [column.to_numpy() for column in table.columns]
    for start in range(0, len(out), 1024):
        for place, column in enumerate(columns):
            out[start:start + 1024, place] = column[start:start + 1024]
    return out
start = time.perf_counter()
{read}
print(os.path.getsize(path) / 1e6 / (time.perf_counter() - start))
"""


def make(folder: pathlib.Path, megabytes: int) -> list[pathlib.Path]:
    """Writes the files that aren't there."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    paths = {name: folder / f"x{megabytes}.{name}" for name in ["csv", "parquet", "f64.parquet"]}
    paths["idx.gz"] = folder / "x-idx3-ubyte.gz"
    rng = np.random.default_rng(0)
    for kind, bytes_each in [("csv", 10), ("parquet", 4), ("f64.parquet", 8)]:
        if paths[kind].exists():
            continue
        rows = megabytes * 1_000_000 // (WIDTH * bytes_each)
        values = rng.standard_normal((rows, WIDTH), dtype="float32")
        if kind == "csv":
            values = values.round(6).astype("float64").round(6)
        elif kind == "f64.parquet":
            values = values + rng.standard_normal((rows, WIDTH)) / 1e9
        table = pa.table({f"e{column}": values[:, column] for column in range(WIDTH)})
        write = pyarrow.csv.write_csv if kind == "csv" else pyarrow.parquet.write_table
        write(table, paths[kind])
    if not paths["idx.gz"].exists():
        strokes = rng.integers(0, 256, (60_000, 28, 28), dtype="uint8")
        strokes[rng.random(strokes.shape) < 0.8] = 0
        with gzip.open(paths["idx.gz"], "wb") as file:
            file.write(b"\0\0\x08\x03" + struct.pack(">3I", *strokes.shape) + strokes.tobytes())
    return list(paths.values())


def readers(path: pathlib.Path) -> dict[str, str]:
    """Other readers of a file, by the end of its name."""
    kind = "idx.gz" if path.name.endswith("-ubyte.gz") else path.suffix[1:]
    return READERS[kind]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("/tmp/reading"))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--ours", default="target/release/examples/read")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for path in args.files or make(args.folder, args.megabytes):
        best: dict[str, float] = {}
        peak = 0.0
        for _ in range(args.repeat):
            told = subprocess.run([args.ours, path], check=True, capture_output=True, text=True)
            told = json.loads(told.stdout)
            best["consilience"] = max(best.get("consilience", 0.0), told["mb_per_s"])
            peak = max(peak, told["peak_over_matrix"])
            for name, read in readers(path).items():
                command = [sys.executable, "-c", PROGRAM.format(read=read), path]
                told = subprocess.run(command, check=True, capture_output=True, text=True)
                best[name] = max(best.get(name, 0.0), float(told.stdout))
        speeds = ", ".join(f"{name} {speed:.0f} MB/s" for name, speed in best.items())
        print(f"{path.name}: {speeds}; peak {peak:.2f} times the matrix", flush=True)


if __name__ == "__main__":
    main()
