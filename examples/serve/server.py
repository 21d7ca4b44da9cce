"""Serves a trained network to many clients over WebSockets, each with a stream of its own.

    python examples/serve/server.py --network silero --port 8765 --snapshot streams.snapshot

README.md beside this file tells what clients say. SIGTERM and SIGINT stop the server: what has
arrived is answered, streams are saved, clients are told to come back. Exit status: 0 then, 1 where
streams could not be saved, 2 where something is missing, wrong or broken.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path

from connection import Connection
from networks import NETWORKS
from protocol import RESTART
from service import Options, Service
from websockets.asyncio.server import serve

import rnn_native as rn

log = logging.getLogger("serve")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--network", choices=NETWORKS, default="silero", help="what to run")
    add("--host", default="127.0.0.1", help="address to listen at")
    add("--port", type=int, default=8765, help="0: any that is free, which is printed")
    add("--threads", type=int, default=1, help="of a batch")
    add("--max-clients", type=int, default=1000, help="past them: HTTP 503")
    add("--max-streams", type=int, default=2000, help="also of clients that may come back")
    add("--max-message", type=int, default=65536, help="bytes of a message")
    add("--queue-seconds", type=float, default=2.0, help="sound of a client that waits")
    add("--keep-seconds", type=float, default=8.0, help="answers kept until they are acknowledged")
    add("--idle-seconds", type=float, default=60.0, help="silence of a client, then it is closed")
    add("--grace-seconds", type=float, default=60.0, help="a client that left may come back")
    add("--collect-ms", type=float, default=5.0, help="a batch waits so long for more windows")
    add("--deadline-ms", type=float, default=50.0, help="later answers count as misses")
    add("--max-batch", type=int, default=1024, help="steps of a batch")
    add("--snapshot", type=Path, help="file of streams, read at the start and written at the end")
    add("--snapshot-every", type=float, default=0.0, help="seconds, for a server that is killed")
    add("--stop-seconds", type=float, default=5.0, help="to answer what has arrived, at the end")
    return parser


def options_of(args: argparse.Namespace) -> Options:
    for name, value in vars(args).items():
        least = 0 if name in ("port", "snapshot_every", "collect_ms") else 1e-3
        if isinstance(value, (int, float)) and not value >= least:  # NaN, too
            raise ValueError(f"--{name.replace('_', '-')}: expected more, got {value}")
    if args.snapshot_every and args.snapshot is None:
        raise ValueError("--snapshot-every: expected --snapshot FILE as well")
    if args.snapshot is not None and not args.snapshot.absolute().parent.is_dir():
        raise ValueError(f"--snapshot: expected a folder that exists, got {args.snapshot.parent}")
    return Options(
        max_clients=args.max_clients,
        max_streams=args.max_streams,
        queue_seconds=args.queue_seconds,
        keep_seconds=args.keep_seconds,
        idle_seconds=args.idle_seconds,
        grace_seconds=args.grace_seconds,
        collect_seconds=args.collect_ms / 1000,
        deadline_seconds=args.deadline_ms / 1000,
        most_rows=args.max_batch,
        threads=args.threads,
    )


async def save_regularly(service: Service, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await service.save()
        except OSError as error:  # a full disk stops no stream
            log.error("no snapshot: %s", error)


async def run(service: Service, args: argparse.Namespace) -> int:
    """Until it is told to stop; the exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    restored = service.restore()
    work = [asyncio.create_task(service.batcher.run()), asyncio.create_task(service.look_after())]
    if args.snapshot_every:
        service.saves_regularly = True
        work.append(asyncio.create_task(save_regularly(service, args.snapshot_every)))
    server = await serve(
        service.client,
        args.host,
        args.port,
        process_request=service.request,
        create_connection=Connection,
        compression=None,
        max_size=args.max_message,
        max_queue=4,
        close_timeout=2,
        backlog=min(args.max_clients, socket.SOMAXCONN),
    )
    host, port = server.sockets[0].getsockname()[:2]
    print(f"serving {args.network} at ws://{host}:{port}/stream, {restored} streams", flush=True)

    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopped, *work], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopped}:
        task.result()  # raises: without its batches a server is none
    status = 0
    try:
        await service.stop(args.stop_seconds)
    except OSError as error:  # clients are told to come back all the same
        log.error("no snapshot: %s", error)
        status = 1
    server.close(code=RESTART, reason="the server stops")
    await server.wait_closed()
    for task in work:
        task.cancel()
    service.batcher.close()
    return status


def main() -> int:
    args = arguments().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("websockets").setLevel(logging.ERROR)
    try:
        options = options_of(args)
        network = NETWORKS[args.network](args.max_streams)
        service = Service(network, options, args.snapshot)
        return asyncio.run(run(service, args))
    except (OSError, ValueError, rn.RnnError) as error:
        print(f"server: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
