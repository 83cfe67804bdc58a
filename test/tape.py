"""Stand in for a CUDA graph on any device: operators are recorded once and done again."""

import dataclasses
from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from stream3r_ros.network import Predictions


class Tape(TorchDispatchMode):
    """Write down each operator with its tensors; all else, as in a CUDA graph, is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self._operators = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self._operators.append((func, args, kwargs or {}, result))
        return result

    def replay(self) -> dict[int, torch.Tensor]:
        """Do the same again; tensors by the identity of those that they take the place of."""
        now: dict[int, torch.Tensor] = {}

        def present(tensor: torch.Tensor) -> torch.Tensor:
            return now.get(id(tensor), tensor)

        for func, args, kwargs, before in self._operators:
            args, kwargs = tree_map_only(torch.Tensor, present, (args, kwargs))
            after = func(*args, **kwargs)
            pairs = zip(_tensors(before), _tensors(after), strict=True)
            now.update((id(old), new) for old, new in pairs if old is not new)
        return now


def record_tape(run: Callable[[], Predictions]) -> tuple[Predictions, Callable[[], None]]:
    """Record a step as ``record_cuda_graph`` does; results stay in the same tensors."""
    with Tape() as tape:
        predictions = run()

    def replay() -> None:
        now = tape.replay()
        for field in dataclasses.fields(predictions):
            value = getattr(predictions, field.name)
            if isinstance(value, torch.Tensor):
                value.copy_(now[id(value)])

    return predictions, replay


def _tensors(result) -> list[torch.Tensor]:
    results = result if isinstance(result, tuple | list) else [result]
    return [value for value in results if isinstance(value, torch.Tensor)]
