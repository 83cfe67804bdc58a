"""What of the scene is shown, and how: chosen in the page, for all who look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream3r_ros.viewing.colours import COLOURINGS

if TYPE_CHECKING:
    import viser


class DisplayOptions:
    """A folder of the side panel with the choices of how to look at the scene."""

    def __init__(self, server: viser.ViserServer, *, live: bool) -> None:
        """Add the folder; `live` is a scene with a present frame that moves."""
        self._changed = True
        gui = server.gui
        with gui.add_folder('Display'):
            self._colouring = gui.add_dropdown('Colour by', COLOURINGS if live else COLOURINGS[:2])
            self._size = gui.add_slider('Point size', 0.25, 4.0, 0.05, 1.0)
            self._cut = gui.add_checkbox(
                'Hide ceiling', True, hint='Leave out what is well above the camera'
            )
            self._map = gui.add_checkbox('Map', True)
            self._cloud = gui.add_checkbox('Present cloud', True, visible=live)
            self._cameras = gui.add_checkbox('Cameras', True)
        for handle in (
            self._colouring, self._size, self._cut, self._map, self._cloud, self._cameras
        ):  # fmt: skip
            handle.on_update(self._note_change)

    def _note_change(self, _: object) -> None:
        self._changed = True

    def take_change(self) -> bool:
        """Tell whether anything was changed since this was asked last."""
        changed, self._changed = self._changed, False
        return changed

    @property
    def colouring(self) -> str:
        """Give one of COLOURINGS."""
        return self._colouring.value

    @property
    def point_size(self) -> float:
        """Give the factor by which points are larger than usual."""
        return self._size.value

    @property
    def hides_ceiling(self) -> bool:
        """Tell whether to leave out what is above the camera."""
        return self._cut.value

    @property
    def shows_map(self) -> bool:
        """Tell whether to show the map."""
        return self._map.value

    @property
    def shows_cloud(self) -> bool:
        """Tell whether to show the present frame's cloud."""
        return self._cloud.value

    @property
    def shows_cameras(self) -> bool:
        """Tell whether to show cameras and their way."""
        return self._cameras.value
