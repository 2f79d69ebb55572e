"""The load, a process of its own: clients that each ask again as soon as they are answered.

    python load.py HOST PORT SECONDS < plan.json > figures.json

The plan is one list of request bodies per client, asked in turn. HTTP/1.1 over kept connections,
written by hand, so that two cores are left to the server.
"""

import asyncio
import json
import sys
import time

HEAD = "POST /v1/recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def client(
    address: tuple[str, int], bodies: list[str], until_s: float, found: list[tuple[float, float]]
) -> int:
    """Ask until the time is over; returns how many answers were no 200."""
    reader, writer = await asyncio.open_connection(*address)
    failures, turn = 0, 0
    while time.perf_counter() < until_s:
        body = bodies[turn % len(bodies)].encode()
        turn += 1
        started_s = time.perf_counter()
        writer.write(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        failures += b" 200 " not in head[:20]
        found.append((time.perf_counter(), time.perf_counter() - started_s))
    writer.close()
    return failures


async def main(host: str, port: str, seconds: str) -> None:
    """Run every client; the first quarter of the time is warm-up and does not count."""
    plan = json.load(sys.stdin)
    started_s = time.perf_counter()
    until_s = started_s + float(seconds)
    found: list[tuple[float, float]] = []
    failures = await asyncio.gather(*(client((host, int(port)), b, until_s, found) for b in plan))
    counted_s = started_s + float(seconds) / 4
    took_ms = sorted(1000 * took for at, took in found if at >= counted_s)
    json.dump(
        {
            "requests_per_s": len(took_ms) / (until_s - counted_s),
            "p50_ms": took_ms[len(took_ms) // 2],
            "p99_ms": took_ms[int(0.99 * len(took_ms))],
            "requests": len(took_ms),
            "failures": sum(failures),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
