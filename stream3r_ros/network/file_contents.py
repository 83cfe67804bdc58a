"""What a file that should hold weights or their sizes holds instead."""

import json
from pathlib import Path

LFS_POINTER = b'version https://git-lfs.github.com/spec/'
PICKLED = 'PyTorch checkpoint, which can run code while it is read and is refused'
CONVERT = (
    'load it where you trust it and write its state dict with safetensors.torch.save_file, or '
    'take a .safetensors file of the same weights'
)
FIRST_BYTES = {
    b'PK\x03\x04': ('zip archive, as torch.save writes: a ' + PICKLED, CONVERT),
    b'\x80\x02': ('pickle: a ' + PICKLED, CONVERT),
    b'\x80\x03': ('pickle: a ' + PICKLED, CONVERT),
    b'\x80\x04': ('pickle: a ' + PICKLED, CONVERT),
    b'\x80\x05': ('pickle: a ' + PICKLED, CONVERT),
    b'\x1f\x8b': ('gzip archive', 'unpack it'),
    b'\x28\xb5\x2f\xfd': ('zstd archive', 'unpack it'),
    b'GGUF': ('GGUF file', CONVERT),
    b'\x89HDF': ('HDF5 file', CONVERT),
}
PICKLE_SUFFIXES = ('.pt', '.pth', '.ckpt', '.bin', '.pkl')
LONGEST_HEADER = 100_000_000
"""Bytes; safetensors itself reads no longer one."""


def what_it_is(path: Path) -> str:
    """Say in a sentence what a file is that is none of the expected kind, and what to do.

    Empty where the content tells nothing. Raises OSError for a file that cannot be read.
    """
    size = path.stat().st_size
    with path.open('rb') as file:
        start = file.read(4096)
    if not size:
        return f'{path} is empty: download it again'
    if start.startswith(LFS_POINTER):
        return (
            f'{path} is a Git LFS pointer of {size} bytes and not the file itself: run '
            f'`git lfs pull` in its repository, or download it'
        )
    if _is_web_page(start):
        return (
            f'{path} is a web page and not the file itself: the server asks for a login or says '
            f'an error; open it in a browser, then download again'
        )
    for first, (kind, remedy) in FIRST_BYTES.items():
        # A length of a header may begin like a pickle; what follows it does not.
        if start.startswith(first) and start[8:9] != b'{':
            return f'{path} is a {kind}: {remedy}'
    return ''


def _is_web_page(start: bytes) -> bool:
    text = start.removeprefix(b'\xef\xbb\xbf').lstrip().lower()
    return text.startswith((b'<!doctype', b'<html', b'<head', b'<?xml', b'<!--'))


def what_is_wrong_with_safetensors(path: Path) -> str:
    """Say in a sentence why a file is no whole safetensors file; empty where it looks whole.

    Raises OSError for a file that cannot be read.
    """
    known = what_it_is(path)
    if known:
        return known
    size = path.stat().st_size
    with path.open('rb') as file:
        length = int.from_bytes(file.read(8), 'little')
        begins = file.read(1)
        if begins != b'{' or length > LONGEST_HEADER:
            return (
                f'{path} is no safetensors file: it has {size} bytes that do not begin with a '
                f'header; other formats are refused, for they can run code while they are read'
                if begins
                else f'{path} is cut off: it has {size} bytes, less than a header; download again'
            )
        if size < 8 + length:
            return (
                f'{path} is cut off: it has {size} bytes, its header alone {8 + length}: '
                f'download it again'
            )
        return _compare_length(path, size, begins + file.read(length - 1))


def _compare_length(path: Path, size: int, header: bytes) -> str:
    try:
        tensors = json.loads(header)
        ends = [entry['data_offsets'][1] for key, entry in tensors.items() if key[:2] != '__']
        expected = 8 + len(header) + max(ends, default=0)
    except (ValueError, RecursionError, KeyError, IndexError, TypeError, AttributeError):
        return ''  # safetensors says what is wrong with it
    if size < expected:
        return f'{path} is cut off: it has {size} of {expected} bytes: download it again'
    if size > expected:
        return f'{path} has {size} bytes, {size - expected} more than it says: download it again'
    return ''
