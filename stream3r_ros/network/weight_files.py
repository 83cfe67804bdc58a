"""Where the weights of a source lie on this machine: one file, or the shards of an index."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stream3r_ros.network.file_contents import CONVERT, PICKLE_SUFFIXES, PICKLED, what_it_is

WEIGHTS_NAME = 'model.safetensors'
INDEX_NAME = 'model.safetensors.index.json'
INDEX_SUFFIX = '.safetensors.index.json'
CONFIG_NAME = 'config.json'
NAMES_SHOWN = 6


class CheckpointError(ValueError):
    """A checkpoint is missing, unreadable or not of this network."""


@dataclass(frozen=True)
class WeightFiles:
    """The files of a checkpoint. ``name`` stands for all of them in messages."""

    name: Path
    paths: tuple[Path, ...]
    config: Path | None


def locate_file(path: Path) -> WeightFiles:
    """Take a .safetensors file, or the index of its shards, with the config.json beside it."""
    config = _config_beside(path)
    if path.name.endswith(INDEX_SUFFIX):
        return WeightFiles(path, shards(path, _in_folder(path.parent)), config)
    if path.suffix != '.safetensors':
        raise CheckpointError(what_it_is(path) or _wrong_kind(path))
    if _is_shard(path) and (path.parent / INDEX_NAME).is_file():
        raise CheckpointError(
            f'{path} is one shard of several: give the folder {path.parent}, whose {INDEX_NAME} '
            f'names them all'
        )
    return WeightFiles(path, (path,), config)


def locate_in_folder(folder: Path) -> WeightFiles:
    """Take model.safetensors, else the shards of an index, else the only .safetensors file."""
    if (folder / WEIGHTS_NAME).is_file():
        return locate_file(folder / WEIGHTS_NAME)
    if (folder / INDEX_NAME).is_file():
        return locate_file(folder / INDEX_NAME)
    found = sorted(folder.glob('*.safetensors'))
    if len(found) == 1 and not _is_shard(found[0]):
        return locate_file(found[0])
    raise CheckpointError(_nothing_usable(folder, found))


def shards(index: Path, find: Callable[[str], Path | None]) -> tuple[Path, ...]:
    """Read an index of shards and find each of them; ``find`` gives None for one that is missing.

    Raises CheckpointError for an index that is none, that names files elsewhere, and for missing
    shards, which it lists.
    """
    names = _shard_names(index)
    found = {name: find(name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise CheckpointError(
            f'{index} names {len(names)} shards and {len(missing)} of them are missing: '
            f'{shorten(missing)}; download them into the same folder'
        )
    return tuple(path for path in found.values() if path is not None)


def _shard_names(index: Path) -> list[str]:
    try:
        content = json.loads(index.read_text())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            what_it_is(index) or f'{index} is not valid JSON: {error}; download it again'
        ) from error
    except OSError as error:
        raise CheckpointError(f'{index} cannot be read: {error.strerror}') from error
    shard_of = content.get('weight_map') if isinstance(content, dict) else None
    if not isinstance(shard_of, dict) or not shard_of:
        raise CheckpointError(
            f'{index} is no index of shards: its weight_map names no tensor; download it again'
        )
    names = sorted(set(map(str, shard_of.values())))
    for name in names:
        # A name that came with the weights is not trusted with the rest of the disk.
        if Path(name).name != name or not name.isprintable() or '\\' in name:
            raise CheckpointError(f'{index} names a shard outside of its folder: {name!r}')
        if not name.endswith('.safetensors'):
            raise CheckpointError(f'{index} names a shard that is no .safetensors file: {name!r}')
    return names


def shorten(names: list[str]) -> str:
    """List the first few of many names."""
    more = f', and {len(names) - NAMES_SHOWN} more' if len(names) > NAMES_SHOWN else ''
    return ', '.join(names[:NAMES_SHOWN]) + more


def _in_folder(folder: Path) -> Callable[[str], Path | None]:
    def find(name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None

    return find


def _config_beside(path: Path) -> Path | None:
    config = path.with_name(CONFIG_NAME)
    return config if config.is_file() else None


def _is_shard(path: Path) -> bool:
    _, _, count = path.stem.rpartition('-of-')
    return count.isdecimal()


def _nothing_usable(folder: Path, found: list[Path]) -> str:
    """Say what a folder holds instead of weights that can be read."""
    if found and all(_is_shard(path) for path in found):
        names = shorten([path.name for path in found])
        return f'{folder} holds shards ({names}) without {INDEX_NAME}: download that too'
    if found:
        names = shorten([path.name for path in found])
        return (
            f'{folder} needs {WEIGHTS_NAME} or exactly one .safetensors file, found {names}: '
            f'give the path of one of them'
        )
    others = [path for path in sorted(folder.iterdir()) if path.suffix in PICKLE_SUFFIXES]
    if others:
        return (
            f'{folder} has no .safetensors file: {what_it_is(others[0]) or _wrong_kind(others[0])}'
        )
    return f'{folder} needs {WEIGHTS_NAME} or exactly one .safetensors file, found none'


def _wrong_kind(path: Path) -> str:
    if path.suffix in PICKLE_SUFFIXES:
        return f'{path} is by its name a {PICKLED}: {CONVERT}'
    return (
        f'{path} is no .safetensors file; other formats can run code while they are read and are '
        f'refused'
    )
