"""Which frames get depth: as many as somebody wants to see more of than the pose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream3r_ros.node.camera import Camera
    from stream3r_ros.node.parameters import Settings


def is_depth_wanted(camera: Camera, settings: Settings) -> bool:
    """Tell whether anything is made of a camera's depth or of its confidence."""
    return (
        camera.outputs.is_depth_wanted
        or camera.track.world.outputs.is_map_wanted
        or settings.map.always
        or settings.lost.confidence > 0
        or settings.scale.source == 'depth'
    )


class DepthDemand:
    """Of one camera: every n-th frame while depth is wanted, beginning with the next one.

    ``mean_confidence`` is that of the last depth, None while none is wanted: a confidence of long
    ago says nothing about a pose of now.
    """

    def __init__(self) -> None:
        self._frames_without: int | None = None  # since the last depth, None before the first
        self.mean_confidence: float | None = None

    def is_due(self, is_wanted: bool, every: int) -> bool:
        """Decide for the next frame, and take note."""
        if not is_wanted:
            self._frames_without = self.mean_confidence = None
            return False
        if self._frames_without is not None and self._frames_without + 1 < every:
            self._frames_without += 1
            return False
        self._frames_without = 0
        return True

    def note(self, mean_confidence: float | None) -> None:
        """Take over the confidence of a frame that has depth."""
        if mean_confidence is not None:
            self.mean_confidence = mean_confidence
