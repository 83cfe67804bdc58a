"""A small compressed image cannot claim much memory, whatever its file says or holds."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from node_harness import picture_rgb
from PIL import Image as PillowImage

MAX_PIXELS = 10_000


def picture_file(kind: str) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(picture_rgb(height=24, width=32)).save(buffer, kind)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(height: int, width: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)
    return b''.join(
        (b'\x89PNG\r\n\x1a\n', png_chunk(b'IHDR', header), *chunks, png_chunk(b'IEND', b''))
    )


def bombs() -> dict[str, bytes]:
    """Make small files that claim or hold far more than an image of MAX_PIXELS."""
    much = zlib.compress(bytes(100_000_000), 9)
    little = png_chunk(b'IDAT', zlib.compress(bytes(8 * 25)))
    jpeg = picture_file('JPEG')
    size = jpeg.index(b'\xff\xc0') + 5
    frame = struct.pack('>IIIIIHHBB', 0, 30_000, 30_000, 0, 0, 1, 1, 0, 0)
    animation = png_chunk(b'acTL', struct.pack('>II', 1000, 0)) + png_chunk(b'fcTL', frame)
    return {
        'a PNG that claims much': png(60_000, 60_000, little),
        'a PNG that is large': png(8_000, 24_000, png_chunk(b'IDAT', much), depth=1, colour=0),
        'a JPEG that claims much': jpeg[:size] + b'\xff\xff\xff\xff' + jpeg[size + 4 :],
        'pixels without end': png(8, 8, png_chunk(b'IDAT', much)),
        'a comment': png(8, 8, png_chunk(b'zTXt', b'a\0\0' + much), little),
        'a colour profile': png(8, 8, png_chunk(b'iCCP', b'a\0\0' + much), little),
        'an animation': png(8, 8, animation, little),
        'a small picture of many passes': png(100, 100, png_chunk(b'IDAT', much), depth=16),
    }


MEASURE_BOMBS = """
import array, resource, sys
from pathlib import Path
from sensor_msgs.msg import CompressedImage
from stream3r_ros.node.decode import ImageError, decode_compressed

def decode(path):
    data = array.array('B', path.read_bytes())
    try:
        decode_compressed(CompressedImage(format='png', data=data), int(sys.argv[2]))
    except ImageError:
        pass

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

folder = Path(sys.argv[1])
decode(folder / 'warm-up')
before = peak()
for path in sorted(folder.iterdir()):
    decode(path)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='ru_maxrss is in kilobytes on Linux only')
def test_decompression_bombs_do_not_go_off(tmp_path: Path):
    (tmp_path / 'warm-up').write_bytes(picture_file('PNG'))
    for number, data in enumerate(bombs().values()):
        assert len(data) < 200_000
        (tmp_path / f'bomb{number}').write_bytes(data)
    done = subprocess.run(
        [sys.executable, '-c', MEASURE_BOMBS, str(tmp_path), str(MAX_PIXELS)],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    # libpng itself gives an ancillary chunk up to 8 MB.
    assert int(done.stdout) < 25_000_000
