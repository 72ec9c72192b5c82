"""On Sail, which speaks Spark's protocol without a JVM, with tables that lie on S3: what one process finds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from made import N
from moto.server import ThreadedMotoServer
from tables import same


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an S3 of this process; the environment names it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    address, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{address}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield boto3.client("s3")
    server.stop()


@pytest.fixture
def sail(s3: Any) -> Iterator[str]:
    """The address of a server of Sail."""
    port = free_port()
    words = ["-m", "pysail", "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([sys.executable, *words])
    end = time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"sc://127.0.0.1:{port}"
    server.terminate()
    server.wait()


def test_the_command_from_s3_to_s3(
    s3: Any, sail: str, run: Path, source: str, alone: pd.DataFrame
) -> None:
    s3.create_bucket(Bucket="lake")
    for part in Path(source).glob("*.parquet"):
        s3.upload_file(str(part), "lake", f"rows/{part.name}")

    def command() -> subprocess.CompletedProcess[str]:
        words = [str(run), "s3://lake/rows", "s3://lake/labelled"]
        line = [sys.executable, "-m", "consilience.spark", *words]
        environment = {**os.environ, "SPARK_REMOTE": sail}
        return subprocess.run(line, capture_output=True, text=True, check=False, env=environment)

    done = command()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{N:,} rows, K = 4")
    for table in ("votes", "labels"):
        listed = s3.list_objects_v2(Bucket="lake", Prefix=f"labelled/{table}/")["Contents"]
        keys = [entry["Key"] for entry in listed if entry["Key"].endswith(".parquet")]
        bodies = [s3.get_object(Bucket="lake", Key=key)["Body"].read() for key in keys]
        found = pd.concat([pd.read_parquet(BytesIO(body)) for body in bodies])
        same(found.sort_values("id", ignore_index=True), alone)
    again = command()
    assert again.returncode == 2
    assert "error: s3://lake/labelled/votes exists already" in again.stderr
