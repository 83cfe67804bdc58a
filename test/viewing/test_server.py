"""Addresses that can be had, and those that cannot, in one sentence."""

import socket
import urllib.request

import pytest

pytest.importorskip('viser', reason='needs viser')

from stream3r_ros.viewing import ViewingError, address, open_server  # noqa: E402


def test_port_0_is_any_free_port_and_nothing_is_printed(capsys):
    server = open_server('127.0.0.1', 0, 'test')
    try:
        with urllib.request.urlopen(address(server), timeout=10) as page:
            assert page.status == 200
    finally:
        server.stop()
    assert capsys.readouterr().out == ''


def test_a_port_is_free_again_at_once(capsys):
    first = open_server('127.0.0.1', 0, 'test')
    port = first.get_port()
    first.stop()
    second = open_server('127.0.0.1', port, 'test')
    assert second.get_port() == port
    second.stop()


def test_a_port_in_use_is_refused():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ViewingError, match=f'port {port} of 127.0.0.1 is in use'):
            open_server('127.0.0.1', port, 'test')


@pytest.mark.parametrize('host', ['no.such.host.invalid', '192.0.2.1'])
def test_a_host_that_is_not_ours_is_refused(host):
    with pytest.raises(ViewingError, match=host):
        open_server(host, 0, 'test')
