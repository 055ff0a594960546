"""A real S3-speaking server on loopback, for the tests of object stores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock
from urllib.request import Request, urlopen

import pytest


@contextmanager
def s3(bucket: str) -> Iterator[str]:
    """The URL of an empty bucket; skips where the server is not installed."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    import s3fs

    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    settings = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_REGION": "us-east-1",
    }
    emptied = Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    urlopen(emptied).close()  # its buckets outlive a server of the same process
    try:
        with mock.patch.dict(os.environ, settings):
            s3fs.S3FileSystem.clear_instance_cache()
            s3fs.S3FileSystem().mkdir(bucket)
            yield f"s3://{bucket}"
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        running.stop()
