"""What a browser is to the page's server: it takes everything in, and may move a control."""

import struct
import threading

import msgspec
import viser
import zstandard
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

CAMERA = {
    'type': 'ViewerCameraMessage', 'wxyz': (1.0, 0.0, 0.0, 0.0), 'position': (0.0, 0.0, 0.0),
    'fov': 1.0, 'near': 0.1, 'far': 10.0, 'image_height': 100, 'image_width': 100,
    'look_at': (0.0, 0.0, 1.0), 'up_direction': (0.0, 0.0, 1.0),
}  # fmt: skip


class PageClient:
    """Follow a viser server over its own websocket, without a browser.

    ``nodes`` has the scene's nodes and ``elements`` the panel's, each with its properties;
    of an array only the number of bytes is kept.
    """

    def __init__(self, address: str):
        self.nodes: dict[str, dict] = {}
        self.elements: dict[str, dict] = {}
        self.most_points = 0
        self._socket = connect(
            address.replace('http', 'ws'),
            subprotocols=[f'viser-v{viser.__version__}'],
            max_size=None,
            compression=None,
            open_timeout=60,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._send(CAMERA)
        return self

    def __exit__(self, *_):
        self._socket.close()
        self._thread.join()

    # --- what is on the page ---

    def text(self) -> str:
        """Return all visible Markdown."""
        return '\n'.join(
            element['_markdown']
            for element in list(self.elements.values())
            if element.get('_markdown') and element.get('visible', True)
        )

    def points(self, name: str) -> int:
        """Return the number of points of a cloud."""
        node = self.nodes.get(name)
        return 0 if node is None else node['colors'] // 3

    def value(self, label: str):
        """Return the value of a control, or None while there is none."""
        element = self._labelled(label)
        return element and element.get('value')

    def change(self, label: str, value) -> None:
        """Move a control as a person would."""
        elements = list(self.elements.items())
        uuid = next(u for u, element in elements if element.get('label') == label)
        self.elements[uuid]['value'] = value
        self._send({'type': 'GuiUpdateMessage', 'uuid': uuid, 'updates': {'value': value}})

    def _labelled(self, label: str):
        found = [e for e in list(self.elements.values()) if e.get('label') == label]
        return found[0] if found else None

    # --- the wire ---

    def _send(self, message: dict) -> None:
        self._socket.send(msgspec.msgpack.encode(message))

    def _run(self) -> None:
        try:
            while True:
                for message in decoded(self._socket.recv()):
                    self._take(message)
        except ConnectionClosed:
            pass

    def _take(self, message: dict) -> None:
        kind = message['type']
        if kind == 'SceneNodeUpdateMessage':
            self.nodes.get(message['name'], {}).update(message['updates'])
        elif kind == 'RemoveSceneNodeMessage':
            self.nodes.pop(message['name'], None)
        elif kind == 'GuiUpdateMessage':
            self.elements.get(message['uuid'], {}).update(message['updates'])
        elif 'props' in message and 'name' in message:
            self.nodes[message['name']] = dict(message['props'])
        elif 'props' in message and 'uuid' in message:
            value = {'value': message['value']} if 'value' in message else {}
            self.elements[message['uuid']] = {**message['props'], **value}
        shown = sum(self.points(name) for name in self.nodes if 'point_size' in self.nodes[name])
        self.most_points = max(self.most_points, shown)


def decoded(data: bytes) -> list[dict]:
    """Decode one window of messages; arrays become their number of bytes."""
    size, compressed = struct.unpack('<QQ', data[:16])
    packed = zstandard.ZstdDecompressor().decompress(data[16 : 16 + compressed], size)
    window = msgspec.msgpack.decode(packed)
    lengths = window['binaryBufferLengths']
    return [without_arrays(message, lengths) for message in window['messages']]


def without_arrays(value, lengths):
    """Put lengths in the places of arrays."""
    if isinstance(value, dict):
        if '__binary_index' in value:
            return lengths[value['__binary_index']]
        return {key: without_arrays(each, lengths) for key, each in value.items()}
    if isinstance(value, list):
        return [without_arrays(each, lengths) for each in value]
    return value
