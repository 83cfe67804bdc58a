"""The web server behind the page."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import viser

BRAND = (38, 132, 255)
PANEL_WIDTH_PX = 340


class ViewingError(ValueError):
    """The page cannot be served; the message is one sentence for the user."""


def open_server(host: str, port: int, label: str) -> viser.ViserServer:
    """Serve an empty page on a port, 0 being any free one; raises ViewingError."""
    try:
        import rich
        import viser
    except ModuleNotFoundError as error:
        raise ViewingError(f'the viewer needs {error.name}: pip install viser') from error
    _check_address(host, port)
    rich.get_console().quiet = True  # viser prints a box of its own; we say one line
    server = viser.ViserServer(host, port, label, verbose=False)
    if port and server.get_port() != port:  # somebody was quicker, and viser took the next one
        server.stop()
        raise ViewingError(_in_use(host, port))
    server.gui.configure_theme(
        dark_mode=True, show_logo=False, show_share_button=False, brand_color=BRAND
    )
    server.gui.main_panel.dock_right()
    server.gui.main_panel.set_width(PANEL_WIDTH_PX)
    return server


def address(server: viser.ViserServer) -> str:
    """Give what a person opens in a browser; a server on all addresses is also on this one."""
    host = server.get_host()
    if host in ('0.0.0.0', '::', ''):
        host = 'localhost'
    return f'http://{f"[{host}]" if ":" in host else host}:{server.get_port()}'


def _check_address(host: str, port: int) -> None:
    """Find out why an address cannot be had: viser would try the next ports, or wait for ever."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise ViewingError(_reason(host, port, error)) from error


def _reason(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f'there is no host {host!r} to serve the page on: choose another host'
    if error.errno == errno.EADDRINUSE:
        return _in_use(host, port)
    return f'the page cannot be served on {host}:{port}: {error.strerror}'


def _in_use(host: str, port: int) -> str:
    return f'port {port} of {host} is in use: choose another port, or 0 for any free one'
