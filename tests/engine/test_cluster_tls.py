"""rediss://: the transport speaks TLS, and refuses a certificate that it has no reason to trust."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ganger.cluster import Cluster, Command
from ganger.config import parse_redis_url
from ganger.errors import RedisUnreachable
from ganger.keys import partitions
from support.server import BUS, Server, binary_path, free_port, wait_until

PARTS = partitions("test", "tls", 12)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, and its key beside it."""
    if shutil.which("openssl") is None or binary_path("redis") is None:
        pytest.skip("needs openssl, and a redis-server built with TLS")
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout {tmp_path}/key.pem"
    words += f" -out {tmp_path}/cert.pem -subj /CN=ganger-test -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    return tmp_path / "cert.pem"


def test_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, plain_port = free_port(), free_port()
    options = (
        f"--cluster-enabled yes --cluster-node-timeout 1000 --tls-port {port} --cluster-port {port + BUS}"
    )
    options += f" --tls-cert-file {certificate} --tls-key-file {certificate.parent}/key.pem --tls-cluster yes"
    options += f" --tls-auth-clients no --tls-ca-cert-file {certificate}"
    server = Server("redis", options.split(), "pw", plain_port)
    try:
        server.start()
        wait_until(server.answers, what="a TLS server")
        server.call("CLUSTER ADDSLOTSRANGE", 0, 16383)
        settings = parse_redis_url(f"rediss://:pw@127.0.0.1:{port}")
        began_s = time.monotonic()
        with pytest.raises(RedisUnreachable, match=r"TLS: .*certificate"):
            Cluster(settings).nodes(deadline_s=30)
        assert time.monotonic() - began_s < 15  # at once: no repetition would make it trusted
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        cluster = Cluster(settings)
        body = b"x" * 3_000_000
        words = [Command(part.slot, ("SET", part.meta, body)) for part in PARTS[:3]]
        assert cluster.run(words[0]) == b"OK"
        assert cluster.run_many(words) == [b"OK"] * 3
        reads = [Command(part.slot, ("GET", part.meta)) for part in PARTS[:3]]
        assert cluster.run_many(reads) == [body] * 3 and cluster.run(reads[0]) == body
    finally:
        server.stop()
