"""A bounded load of posts over a fixed number of connections, on loopback."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping


async def post_for(url: str, seconds: float, connections: int, headers: Mapping[str, str], body: dict[str, str]) -> list[float]:
    """The latency in seconds of each answered post; raises when one is refused."""
    host, _, rest = url.removeprefix("http://").partition(":")
    port, _, path = rest.partition("/")
    until = time.perf_counter() + seconds
    latencies: list[float] = []

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        count = 0
        while time.perf_counter() < until:
            content = json.dumps(body | {"commit_sha": f"{number:02x}{count:08x}"}).encode()
            lines = [f"POST /{path} HTTP/1.1", f"Host: {host}:{port}", "Content-Type: application/json"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            lines += [f"Content-Length: {len(content)}", "", ""]
            began = time.perf_counter()
            writer.write("\r\n".join(lines).encode() + content)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(
                next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1]
            )
            answer = await reader.readexactly(length)
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise RuntimeError(f"refused: {answer!r}")
            latencies.append(time.perf_counter() - began)
            count += 1
        writer.close()

    await asyncio.gather(*(client(number) for number in range(connections)))
    return latencies


def quantile(values: list[float], share: float) -> float:
    """The value below which that share of all lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
