"""One picture that shows what a run saw and made of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stream3r_ros.export.files import write_bytes

WIDTH, HEIGHT = 1440, 860
MARGIN, TITLE = 24, 40
LEFT_WIDTH = 512
BACKGROUND, PANEL = (250, 250, 248), (24, 27, 33)
INK, FAINT = (45, 48, 54), (150, 154, 160)
PATH_START, PATH_END = np.array([90, 200, 255]), np.array([255, 120, 60])
Box = tuple[int, int, int, int]


def demo_picture(
    image_rgb: np.ndarray,
    depth: np.ndarray,
    points: np.ndarray,
    colors: np.ndarray,
    positions: np.ndarray,
    *,
    up: tuple[float, float, float] = (0, -1, 0),
    forward: tuple[float, float, float] = (0, 0, 1),
    unit: str = '',
    caption: str = '',
) -> np.ndarray:
    """Compose camera image, depth and the cloud from above into one (h, w, 3) uint8 picture.

    `points` (N, 3) with `colors` (N, 3) uint8 and the camera's `positions` (M, 3) share one
    frame, in which `up` points to the sky and `forward` up the page; the defaults are those of
    optical axes, (0, 0, 1) and (1, 0, 0) those of a ROS frame. What is above the camera is cut
    off, so that a ceiling hides nothing. `unit` is the unit of length, if it has a name.
    """
    canvas = Image.new('RGB', (WIDTH, HEIGHT), BACKGROUND)
    half = (HEIGHT - 2 * TITLE - 2 * MARGIN) // 2
    image_box = (MARGIN, TITLE, LEFT_WIDTH, half)
    depth_box = (MARGIN, 2 * TITLE + half, LEFT_WIDTH - 90, half)
    left = 2 * MARGIN + LEFT_WIDTH
    cloud_box = (left, TITLE, WIDTH - left - MARGIN, HEIGHT - TITLE - 2 * MARGIN)
    depth_rgb, limits = colour_depth(depth)
    for title, box in (
        ('Camera', image_box),
        ('Depth', depth_box),
        ('Cloud from above', cloud_box),
    ):
        _text(canvas, (box[0], box[1] - 8), title, 20, INK, anchor='ls')
    _paste(canvas, image_rgb, image_box)
    right, top, height = _paste(canvas, depth_rgb, depth_box)
    _legend(canvas, (right + 14, top, 18, height), limits, unit)
    view = cloud_from_above(
        points, colors, positions, (cloud_box[3], cloud_box[2]), up, forward, unit
    )
    canvas.paste(Image.fromarray(view), cloud_box[:2])
    _text(canvas, (left, HEIGHT - 12), caption, 15, FAINT, anchor='ls')
    return np.asarray(canvas)


def write_png(path: Path | str, image_rgb: np.ndarray) -> None:
    """Write an (h, w, 3) uint8 picture as PNG."""
    _, data = cv2.imencode('.png', cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
    write_bytes(path, data.tobytes())


def colour_depth(depth: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Colour (h, w) depth, near warm and far cold, unknown grey; give the range of the colours.

    The range is from the 1st to the 99th percentile.
    """
    known = np.isfinite(depth) & (depth > 0)
    low, high = np.percentile(depth[known], (1, 99)) if known.any() else (0.0, 1.0)
    share = np.clip((np.where(known, depth, high) - low) / max(high - low, 1e-12), 0, 1)
    coloured = _colour_map(share)
    coloured[~known] = (70, 72, 76)
    return coloured, (float(low), float(high))


def cloud_from_above(
    points: np.ndarray,
    colors: np.ndarray,
    positions: np.ndarray,
    image_hw: tuple[int, int],
    up: tuple[float, float, float] = (0, -1, 0),
    forward: tuple[float, float, float] = (0, 0, 1),
    unit: str = '',
) -> np.ndarray:
    """Draw a cloud from above with the camera's way through it; see `demo_picture`."""
    axes = np.array([np.cross(forward, up), forward, up], float)
    points, positions = np.asarray(points, float) @ axes.T, np.asarray(positions, float) @ axes.T
    points, colors = _below_the_camera(points, np.asarray(colors), positions)
    picture = np.full((*image_hw, 3), PANEL, np.uint8)
    centre, scale = _frame(points, positions, image_hw)
    _splat(picture, _to_pixels(points, centre, scale, image_hw), points[:, 2], colors, scale)
    canvas = Image.fromarray(_draw_path(picture, _to_pixels(positions, centre, scale, image_hw)))
    _scale_bar(canvas, scale, unit)
    return np.asarray(canvas)


def _below_the_camera(
    points: np.ndarray, colors: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the cloud at the camera's greatest height, unless hardly anything is left then."""
    if not len(points) or not len(positions):
        return points, colors
    below = points[:, 2] <= positions[:, 2].max()
    if below.mean() < 0.2:
        return points, colors
    return points[below], colors[below]


def _frame(
    points: np.ndarray, positions: np.ndarray, image_hw: tuple[int, int]
) -> tuple[np.ndarray, float]:
    """Choose the middle and the pixels per unit that show nearly all points and the whole way."""
    extent = [positions[:, :2]] if len(positions) else []
    if len(points):
        extent.append(np.percentile(points[:, :2], (0.5, 99.5), axis=0))
    if not extent:
        return np.zeros(2), 1.0
    corners = np.concatenate(extent)
    low, high = corners.min(axis=0), corners.max(axis=0)
    room = np.array(image_hw[::-1]) * 0.88
    return (low + high) / 2, float((room / np.maximum(high - low, 1e-6)).min())


def _to_pixels(
    places: np.ndarray, centre: np.ndarray, scale: float, image_hw: tuple[int, int]
) -> np.ndarray:
    offset = (places[:, :2] - centre) * scale * [1, -1]
    return offset + np.array(image_hw[::-1]) / 2


def _splat(
    picture: np.ndarray, pixels: np.ndarray, heights: np.ndarray, colors: np.ndarray, scale: float
) -> None:
    """Paint every point as a small square, higher ones over lower ones."""
    if not len(pixels):
        return
    height, width = picture.shape[:2]
    area = max(float(np.prod(np.ptp(pixels, axis=0))), 1.0)
    side = int(np.clip(np.ceil(np.sqrt(min(area, height * width) / len(pixels)) * 1.6), 2, 5))
    order = np.argsort(heights, kind='stable')
    columns, rows = np.floor(np.clip(pixels[order], -9, 9e4)).astype(int).T
    for down in range(side):
        for across in range(side):
            r, c = rows + down - side // 2, columns + across - side // 2
            inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
            picture[r[inside], c[inside]] = colors[order][inside]


def _draw_path(picture: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Draw the camera's way from blue to orange, its start as a ring and its end as a dot."""
    if not len(pixels):
        return picture
    picture = np.ascontiguousarray(picture)
    fixed = np.rint(np.clip(pixels, -1e5, 1e5) * 16).astype(int)
    shares = np.linspace(0, 1, len(fixed))[:, None]
    tints = ((1 - shares) * PATH_START + shares * PATH_END).astype(int).tolist()
    smooth = {'lineType': cv2.LINE_AA, 'shift': 4}
    for thickness, tinted in ((7, False), (3, True)):
        for start, stop, tint in zip(fixed[:-1], fixed[1:], tints[1:], strict=True):
            cv2.line(
                picture,
                start.tolist(),
                stop.tolist(),
                tint if tinted else (15, 15, 18),
                thickness,
                **smooth,
            )
    cv2.circle(picture, fixed[0].tolist(), 9 * 16, tints[0], 3, **smooth)
    cv2.circle(picture, fixed[-1].tolist(), 9 * 16, tints[-1], -1, **smooth)
    cv2.circle(picture, fixed[-1].tolist(), 9 * 16, (255, 255, 255), 2, **smooth)
    return picture


def _scale_bar(canvas: Image.Image, pixels_per_unit: float, unit: str) -> None:
    """Draw a bar of a round length in the lower left corner."""
    longest = canvas.width / 4 / pixels_per_unit
    power = 10 ** np.floor(np.log10(longest))
    length = max(step * power for step in (1, 2, 5) if step * power <= longest)
    left, bottom = 24, canvas.height - 24
    right = left + round(length * pixels_per_unit)
    draw = ImageDraw.Draw(canvas)
    draw.line((left, bottom, right, bottom), (235, 235, 235), 3)
    for x in (left, right):
        draw.line((x, bottom - 6, x, bottom + 6), (235, 235, 235), 3)
    _text(
        canvas,
        (left, bottom - 12),
        f'{length:.4g} {unit}'.strip(),
        16,
        (235, 235, 235),
        anchor='ls',
    )


def _legend(canvas: Image.Image, box: Box, limits: tuple[float, float], unit: str) -> None:
    """Draw the colours of the depth with five values beside them."""
    left, top, width, height = box
    ramp = _colour_map(np.broadcast_to(np.linspace(0, 1, height)[:, None], (height, width)))
    canvas.paste(Image.fromarray(ramp), (left, top))
    draw = ImageDraw.Draw(canvas)
    for share in np.linspace(0, 1, 5):
        y = top + round(share * (height - 1))
        value = limits[0] + share * (limits[1] - limits[0])
        draw.line((left + width, y, left + width + 5, y), INK, 1)
        anchor = 'la' if share == 0 else 'ld' if share == 1 else 'lm'
        _text(canvas, (left + width + 9, y), f'{value:.3g} {unit}'.strip(), 14, INK, anchor)


def _colour_map(share: np.ndarray) -> np.ndarray:
    """Colour values from 0, near and warm, to 1, far and cold."""
    levels = np.rint((1 - share) * 225 + 15).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)


def _paste(canvas: Image.Image, picture: np.ndarray, box: Box) -> tuple[int, int, int]:
    """Fit a picture into the top of a box, keeping its shape; give its right, top and height."""
    left, top, width, height = box
    factor = min(width / picture.shape[1], height / picture.shape[0])
    size = tuple(max(round(side * factor), 1) for side in picture.shape[1::-1])
    resample = Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BICUBIC
    canvas.paste(
        Image.fromarray(np.ascontiguousarray(picture)).resize(size, resample), (left, top)
    )
    return left + size[0], top, size[1]


def _text(
    canvas: Image.Image,
    place: tuple[int, int],
    text: str,
    size: int,
    ink: tuple[int, int, int],
    anchor: str,
) -> None:
    font = ImageFont.load_default(size)
    ImageDraw.Draw(canvas).text(place, text, ink, font=font, anchor=anchor)
