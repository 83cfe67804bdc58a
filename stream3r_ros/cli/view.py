"""`stream3r view`: show what a run wrote on a web page."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from stream3r_ros.cli.arguments import positive

DESCRIPTION = """\
Show what `stream3r run`, the recorder or the demo wrote into DIR on a web page: the cloud
(cloud.ply), the cameras (trajectory.tum), and the depth images and summary if they are there.
Prints the page's address and serves it until Ctrl-C.
"""
LOOK_S = 0.1


def add_parser(subparsers: Any, **options: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        'view',
        help='show a run in a browser',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    parser.add_argument('folder', metavar='DIR', type=Path, help='folder of a run')
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to serve on; 0.0.0.0 lets other machines look (default: 127.0.0.1)',
    )
    parser.add_argument(
        '--port', type=port, default=8080, help='port to serve on, 0 for any (default: 8080)'
    )
    parser.add_argument(
        '--max-points',
        metavar='N',
        type=positive,
        default=1_000_000,
        help='most points sent to the browser (default: 1000000)',
    )
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C, which is the way to end it and no failure."""
    from stream3r_ros.viewing import FinishedView, address, open_server, read_run

    run = read_run(arguments.folder)
    if run.summary.get('finished') is False:
        frames = len(run.world_from_camera)
        print(f'stream3r: {arguments.folder} is of a run that ended early, or goes on: '
              f'{frames} poses', flush=True)  # fmt: skip
    server = open_server(arguments.host, arguments.port, arguments.folder.resolve().name)
    try:
        view = FinishedView(server, run, arguments.max_points)
        print(f'viewer: {address(server)} (Ctrl-C ends)', flush=True)
        while True:
            time.sleep(LOOK_S)
            view.refresh()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()


def port(text: str) -> int:
    """Read a port from 0 to 65535."""
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f'{text!r} is no port from 0 to 65535')
    return int(text)
