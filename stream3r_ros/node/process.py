"""Run one node as a process that starts, stops and fails the way users of ROS expect."""

import gc
import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from stream3r_ros.node.programs import PROGRAMS, Program, foreign_arguments, usage

STOP_GRACE_S = 1.0
"""How long a stop waits for work in progress; a frame of a large network may take longer."""


class StartError(Exception):
    """The node cannot start; the message is one sentence for the user."""


class StoppableNode(Protocol):
    """What a node needs beside being an rclpy node; it is made with the event that ends it."""

    exit_status: int

    def stop(self, timeout_s: float) -> bool:
        """End the node's own threads; tell whether all of them ended in time."""


def run(module: str, factory: str, args: Sequence[str] | None = None, threads: int = 1) -> int:
    """Import a node's class, spin it until SIGINT or SIGTERM, and return the exit status.

    Help, and the refusal of arguments that nobody reads, come before the import and without ROS.
    ``threads`` run the callbacks; one is the fastest where all callbacks are short. Signals are
    handled before the import, which takes seconds where torch is involved.
    """
    program = PROGRAMS[module.rpartition('.')[2]]
    answered = _answer(program, sys.argv[1:] if args is None else args)
    if answered is not None:
        return answered
    stop = threading.Event()
    starting = threading.Event()
    starting.set()

    def on_signal(*_: object) -> None:
        if starting.is_set():
            _exit_now(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    arrived = _socket_of_signals()
    threading.Thread(target=lambda: (arrived.recv(1), stop.set()), daemon=True).start()
    create_node = getattr(importlib.import_module(module), factory)
    status = _spin(create_node, stop, starting, args, threads)
    gc.freeze()  # a last collection at exit would take longer than all the rest of a stop
    return status


def _answer(program: Program, arguments: Sequence[str]) -> int | None:
    """Answer ``--help`` and foreign arguments with the exit status; None where the node starts."""
    if {'-h', '--help'} & set(arguments):
        print(usage(program), end='')
        return 0
    foreign = foreign_arguments(arguments)
    if not foreign:
        return None
    print(
        f'{program.name}: unknown argument {foreign[0]!r}: parameters and remappings come after '
        f'--ros-args, as --help shows',
        file=sys.stderr,
    )
    return 2


def _socket_of_signals() -> socket.socket:
    """Give a socket that can be read as soon as a signal comes, in whichever thread it does.

    Of two signals in quick succession the kernel may give both to another thread than the main
    one. That would go on sleeping, and Python runs its handlers in no other.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    return reader


def _spin(
    create_node: Callable[[threading.Event], StoppableNode],
    stop: threading.Event,
    starting: threading.Event,
    args: Sequence[str] | None,
    threads: int,
) -> int:
    import rclpy
    from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor

    try:
        _init(args)
        node = create_node(stop)
    except StartError as error:
        print(f'{os.path.basename(sys.argv[0])}: {error}', file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    executor = (
        MultiThreadedExecutor(num_threads=threads) if threads > 1 else SingleThreadedExecutor()
    )
    executor.add_node(node)
    failures: list[BaseException] = []
    spinning = threading.Thread(
        target=_spin_until_stopped, args=(executor, stop, failures), daemon=True
    )
    spinning.start()
    starting.clear()
    stop.wait()
    executor.wake()
    ended = node.stop(STOP_GRACE_S)
    spinning.join(STOP_GRACE_S / 2)
    status = 1 if failures else node.exit_status
    if not ended or spinning.is_alive():
        # A thread is deep inside of a computation that nothing can interrupt.
        _exit_now(status)
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown()
    return status


def _init(args: Sequence[str] | None) -> None:
    """Initialise rclpy with the signals left to us; StartError for arguments it cannot read."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # RCLError and UnknownROSArgsError
        raise StartError(str(error).splitlines()[0]) from error


def _spin_until_stopped(executor, stop: threading.Event, failures: list[BaseException]) -> None:
    try:
        while not stop.is_set():
            _spin_once(executor)
    except BaseException as error:
        failures.append(error)
        stop.set()
        raise  # threading prints the traceback: this is a defect, not a user's mistake


def _spin_once(executor) -> None:
    from rclpy.exceptions import InvalidHandle
    from rclpy.logging import get_logger

    try:
        executor.spin_once()
    except InvalidHandle as error:
        # A callback in another thread took an entity down while rclpy listed what it waits for:
        # it looks after subscriptions then, and not after their events. The next list is right.
        get_logger('executor').warning(f'an entity was taken down meanwhile: {error}')


def _exit_now(status: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
