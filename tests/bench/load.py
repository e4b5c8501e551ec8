"""Sends signed webhooks over keep-alive connections; a process of its own, so that its work is not the server's.

    python -m tests.bench.load --url http://127.0.0.1:8770/in/shop/orders/create --secret S --orders 2000
        [--connections 16] [--per-second R] [--first N] [--assortments N]

prints {"sent", "answers": {status: count}, "seconds", "p50_ms", "p99_ms", "max_ms"}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections import Counter
from urllib.parse import urlsplit

from tests.bench.orders import shop_order, webhook

ANSWER_TIMEOUT_SECONDS = 30.0


async def _connection(
    host: str, port: int, requests: list[tuple[float, bytes]], started: float, times: list[float], answers: Counter[str]
) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for offset, request in requests:
        wait = started + offset - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        began = time.perf_counter()
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_TIMEOUT_SECONDS)
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        await reader.readexactly(length)
        times.append(time.perf_counter() - began)
        answers[head.split(b" ", 2)[1].decode()] += 1
    writer.close()


async def run(
    url: str, secret: str, orders: int, connections: int, per_second: float, first: int, assortments: int = 2
) -> dict[str, object]:
    target = urlsplit(url)
    host, port = target.hostname or "127.0.0.1", target.port or 80
    source = random.Random(first)
    shares: list[list[tuple[float, bytes]]] = [[] for _ in range(connections)]
    for position in range(orders):
        headers, body = webhook(shop_order(first + position, source, assortments=assortments), secret)
        lines = [f"POST {target.path} HTTP/1.1", f"host: {host}:{port}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        shares[position % connections].append((position / per_second if per_second else 0.0, request))
    times: list[float] = []
    answers: Counter[str] = Counter()
    started = time.perf_counter()
    await asyncio.gather(*(_connection(host, port, share, started, times, answers) for share in shares))
    ordered = sorted(times)
    return {
        "sent": len(times),
        "answers": dict(answers),
        "seconds": round(time.perf_counter() - started, 3),
        "p50_ms": round(1000 * statistics.median(ordered), 2),
        "p99_ms": round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
        "max_ms": round(1000 * ordered[-1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--per-second", type=float, default=0.0)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--assortments", type=int, default=2)
    args = parser.parse_args()
    work = run(args.url, args.secret, args.orders, args.connections, args.per_second, args.first, args.assortments)
    print(json.dumps(asyncio.run(work)))


if __name__ == "__main__":
    main()
