"""Parse the command line, run a sub-command and turn errors into one sentence.

Nothing heavy is imported before a sub-command needs it, so that help is there at once.
"""

from __future__ import annotations

import argparse
import difflib
import io
import logging
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import stream3r_ros
from stream3r_ros.cli import bench, evaluate, run, train, view

COMMANDS = (run, view, evaluate, train, bench)
FAILURE, INTERRUPTED, TERMINATED = 2, 130, 143


class OneLineParser(argparse.ArgumentParser):
    """Complain about arguments in one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Complain where the unknown argument stands, which is where its help is."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            near = [name for flag in unknown for name in self._near(flag)]
            hint = f', did you mean {" ".join(near)}?' if near else ''
            self.error(f'unrecognized arguments: {" ".join(unknown)}{hint}')
        return options, unknown

    def _near(self, flag: str) -> list[str]:
        return difflib.get_close_matches(flag.split('=')[0], self._option_string_actions, 1)

    def error(self, message: str) -> NoReturn:
        """Print the complaint and where help is, and exit."""
        self.exit(FAILURE, f'{self.prog}: {message} (see {self.prog} --help)\n')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit status: 0, 2 for an error, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal cannot print is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
    options = _parser().parse_args(arguments)
    debug = getattr(options, 'debug', False)
    logging.basicConfig(
        format='%(message)s', stream=sys.stderr, level=logging.INFO if debug else logging.WARNING
    )
    signal.signal(signal.SIGTERM, _terminate)
    try:
        options.execute(options)
    except KeyboardInterrupt:
        print('stream3r: interrupted', file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if debug:
            raise
        print(f'stream3r: {_sentence(error)}', file=sys.stderr)
        return FAILURE
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        '--debug',
        action='store_true',
        default=argparse.SUPPRESS,
        help='log more, and show the traceback of an error',
    )
    parser = OneLineParser(prog='stream3r', parents=[common], description=stream3r_ros.__doc__)
    parser.add_argument(
        '--version', action='version', version=f'stream3r {stream3r_ros.__version__}'
    )
    subparsers = parser.add_subparsers(title='commands', metavar='COMMAND', required=True)
    for command in COMMANDS:
        command.add_parser(subparsers, parents=[common])
    return parser


def _sentence(error: Exception) -> str:
    """Say what is wrong in one line; an error that we did not foresee says its kind, too."""
    text = ' '.join(str(error).split())
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f'{error.filename}: {error.strerror}'
    if isinstance(error, (ValueError, RuntimeError, OSError)) and text:
        return text
    return f'{type(error).__name__}: {text} (--debug shows where)'


def _terminate(signum: int, frame: object) -> NoReturn:
    """Leave through the blocks that clean up."""
    raise SystemExit(TERMINATED)


if __name__ == '__main__':
    raise SystemExit(main())
