"""The side panel of a running stream: numbers, controls and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stream3r_ros.viewing.colours import confidence_picture, depth_picture, fitted
from stream3r_ros.viewing.frame import ViewedFrame
from stream3r_ros.viewing.numbers import literal

if TYPE_CHECKING:
    import viser

PICTURE_PX = 256
PICTURES_WIDTH_PX = 250
EMPTY_PICTURE = np.full((3, 4, 3), 40, np.uint8)


@dataclass(frozen=True)
class Choice:
    """A menu for a value that is one of some words."""

    name: str
    words: tuple[str, ...]
    hint: str

    def add_to(self, gui: viser.GuiApi) -> Any:
        """Add the menu."""
        return gui.add_dropdown(self.name, self.words, hint=self.hint)


@dataclass(frozen=True)
class Slider:
    """A slider for a number; a value beyond its end, set elsewhere, moves that end."""

    name: str
    low: float
    high: float
    step: float
    hint: str

    def add_to(self, gui: viser.GuiApi) -> Any:
        """Add the slider at its low end."""
        return gui.add_slider(self.name, self.low, self.high, self.step, self.low, hint=self.hint)


class StreamPanel:
    """The side panel. Whoever changes a control hears of it at once, in another thread."""

    def __init__(
        self,
        server: viser.ViserServer,
        controls: tuple[Choice | Slider, ...],
        on_change: Callable[[str, Any], None],
        on_reset: Callable[[], None],
    ) -> None:
        """Add everything."""
        gui = server.gui
        self._numbers = gui.add_markdown('')
        with gui.add_folder('Node'):
            self._controls = {control.name: control.add_to(gui) for control in controls}
            reset = gui.add_button('Reset the stream', color='orange')
            self._sentence = gui.add_markdown('', visible=False)
        self._pictures = Pictures(server)
        for name, handle in self._controls.items():
            handle.on_update(self._listener(name, handle, on_change))
        reset.on_click(lambda _: on_reset())

    @staticmethod
    def _listener(
        name: str, handle: Any, on_change: Callable[[str, Any], None]
    ) -> Callable[[viser.GuiEvent], None]:
        def listen(event: viser.GuiEvent) -> None:
            if event.client_id is not None:  # a person's doing, not ours
                on_change(name, handle.value)

        return listen

    def set_value(self, name: str, value: Any) -> None:
        """Let a control say what is true."""
        handle = self._controls[name]
        if isinstance(value, (int, float)):
            handle.min, handle.max = min(handle.min, value), max(handle.max, value)
        handle.value = value

    def enable(self, enabled: bool) -> None:
        """Let the controls be used, or grey them out while there is no node."""
        for handle in self._controls.values():
            handle.disabled = not enabled

    def say(self, sentence: str) -> None:
        """Show a sentence under the controls, or none."""
        self._sentence.content = f'⚠️ {literal(sentence)}' if sentence else ''
        self._sentence.visible = bool(sentence)

    def show_numbers(self, markdown: str) -> None:
        """Show the numbers."""
        self._numbers.content = markdown

    def show_pictures(self, frame: ViewedFrame) -> None:
        """Show camera, depth and confidence of a frame."""
        self._pictures.show(frame)


class Pictures:
    """Camera, depth and confidence of the present frame, in a panel of their own."""

    def __init__(self, server: viser.ViserServer) -> None:
        """Add the panel with empty pictures."""
        self._server = server
        panel = server.gui.add_panel()
        with panel.add_tab('Present frame'):
            self._image, self._depth, self._confidence = (
                server.gui.add_image(EMPTY_PICTURE, label=label, format='jpeg')
                for label in ('Camera', 'Depth', 'Confidence')
            )
        panel.dock_left()
        panel.set_width(PICTURES_WIDTH_PX)

    def show(self, frame: ViewedFrame) -> None:
        """Show a frame in place of the last one."""
        depth, depth_range = depth_picture(frame.depth_picture(), PICTURE_PX)
        confidence, confidence_range = confidence_picture(frame.confidence, PICTURE_PX)
        with self._server.atomic():
            self._image.image = fitted(frame.picture(), PICTURE_PX)
            self._depth.image, self._depth.label = depth, f'Depth, {depth_range}'
            self._confidence.image = confidence
            self._confidence.label = f'Confidence, {confidence_range}'
