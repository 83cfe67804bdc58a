"""Furnish a room: walls, window, door, lamps and pieces that do not overlap.

The middle of the room above table height is kept free, which is where the camera moves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stream3r_ros.synthetic import furniture, textures
from stream3r_ros.synthetic.assembly import Assembly
from stream3r_ros.synthetic.furniture import PALETTES, Maker, Palette
from stream3r_ros.synthetic.lighting import Light, Obstacle, Shell
from stream3r_ros.synthetic.surfaces import Material, Solid, Surface, turn

FREE_MARGIN_M = 1.15
FREE_ABOVE_M = 1.10
FREE_BELOW_M = 1.85
MOST_OBJECTS = 10


@dataclass(frozen=True, eq=False)
class Furnishing:
    """A room before it is painted: what is in it and what lights it.

    `hulls` keep the camera away beside the obstacles' solids, and stop no light.
    """

    size_m: tuple[float, float, float]
    objects: tuple[str, ...]
    surfaces: tuple[Surface, ...]
    obstacles: tuple[Obstacle, ...]
    lights: tuple[Light, ...]
    shell: Shell
    hulls: tuple[Solid, ...] = ()


@dataclass(frozen=True)
class Wall:
    """One wall: the pose of its frame (x along it, y into the room) and its length."""

    angle_rad: float
    middle: tuple[float, float, float]
    length: float

    def place(self, x: float, y: float = 0.0, z: float = 0.0) -> np.ndarray:
        """Turn a place in the wall's frame into one in the room's."""
        return turn(self.angle_rad) @ np.array([x, y, z]) + np.array(self.middle)


@dataclass
class Planner:
    """Place pieces one by one, refusing those that overlap or block the free middle."""

    rng: np.random.Generator
    size_m: tuple[float, float, float]
    palette: Palette
    room: Assembly = field(default_factory=Assembly)
    objects: list[str] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    taken: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def try_piece(self, maker: Maker, position: np.ndarray, angle_rad: float) -> bool:
        """Place one piece of furniture if there is room for it, and say whether."""
        if len(self.objects) >= MOST_OBJECTS:
            return False
        piece = Assembly()
        piece.add(maker(self.rng, self.palette), tuple(position), angle_rad)
        low, high = piece.bounds()
        if not self._fits(low, high):
            return False
        self.room.add(piece, (0, 0, 0))
        self.obstacles.append(Obstacle.around(piece.solids))
        self.objects.append(maker.__name__)
        self.taken.append((low, high))
        return True

    def reserve(self, low: np.ndarray, high: np.ndarray) -> None:
        """Keep a box of the room free of furniture."""
        self.taken.append((np.minimum(low, high), np.maximum(low, high)))

    def _fits(self, low: np.ndarray, high: np.ndarray) -> bool:
        half = np.array(self.size_m[:2]) / 2
        if (low[:2] < -half - 1e-6).any() or (high[:2] > half + 1e-6).any():
            return False
        in_middle = (low[:2] < half - FREE_MARGIN_M) & (high[:2] > FREE_MARGIN_M - half)
        if high[2] > FREE_ABOVE_M - 0.15 and in_middle.all():
            return False
        return all(
            ((low >= other_high) | (high <= other_low)).any()
            for other_low, other_high in self.taken
        )


def furnish(rng: np.random.Generator) -> Furnishing:
    """Draw a whole room from a generator."""
    size = (rng.uniform(5.0, 6.4), rng.uniform(4.5, 5.6), rng.uniform(2.5, 2.8))
    planner = Planner(rng, size, PALETTES[rng.integers(len(PALETTES))])
    walls = _walls(size, int(rng.integers(4)))
    reflectance = _shell_surfaces(planner, walls)
    window_light = _window(planner, walls[0])
    _door(planner, walls[1])
    lights = [window_light, _pendant(planner)]
    _furniture(planner, walls, lights)
    _pictures(planner, walls)
    half = np.array([size[0] / 2, size[1] / 2, 0])
    shell = Shell(-half, half + np.array([0, 0, size[2]]), reflectance)
    return Furnishing(
        size,
        tuple(planner.objects),
        tuple(planner.room.surfaces),
        tuple(planner.obstacles),
        tuple(lights),
        shell,
    )


def _walls(size: tuple[float, float, float], first: int) -> list[Wall]:
    """Give the four walls, beginning with the one that gets the window, then around."""
    width, depth, _ = size
    walls = [
        Wall(0.0, (0, -depth / 2, 0), width),
        Wall(np.pi / 2, (width / 2, 0, 0), depth),
        Wall(np.pi, (0, depth / 2, 0), width),
        Wall(-np.pi / 2, (-width / 2, 0, 0), depth),
    ]
    return walls[first:] + walls[:first]


def _shell_surfaces(planner: Planner, walls: list[Wall]) -> np.ndarray:
    """Add floor, ceiling, walls and skirting, and give the (6, 3) mean reflectances."""
    palette, (width, depth, height) = planner.palette, planner.size_m
    shell = Assembly()
    ceiling = Material(textures.paint((0.94, 0.93, 0.91), 0.015), detail=0.6)
    shell.sheet((0, 0, 0), (width, depth), Material(_floor(planner)))
    shell.sheet((0, 0, height), (width, depth), ceiling, downward=True)
    accent = int(planner.rng.integers(1, 4))
    white = Material(textures.paint((0.93, 0.92, 0.90), 0.02))
    for number, wall in enumerate(walls):
        side, paper = Assembly(), _wall_cover(planner, number == accent)
        side.panel((0, 0, height / 2), (wall.length, height), Material(paper))
        side.box((0, 0.008, 0), (wall.length, 0.016, 0.09), white, solid=False)
        side.box(
            (0, 0.02, height - 0.06), (wall.length, 0.04, 0.06), white, underside=True, solid=False
        )
        shell.add(side, wall.middle, wall.angle_rad)
    planner.room.add(shell, (0, 0, 0))
    colours = [palette.wall] * 4 + [palette.floor, (0.94, 0.93, 0.91)]
    return np.array(colours) ** 2.2


def _floor(planner: Planner) -> textures.Texture:
    kind, palette = planner.rng.random(), planner.palette
    if kind < 0.7:
        return textures.planks(palette.floor)
    return textures.tiles((0.86, 0.83, 0.77), tuple(0.75 * np.array(palette.floor)))


def _wall_cover(planner: Planner, accent: bool) -> textures.Texture:
    palette, kind = planner.palette, planner.rng.random()
    wall = np.array(palette.wall)
    if not accent:
        return textures.paint(palette.wall)
    if kind < 0.3:
        return textures.bricks((0.66, 0.40, 0.31))
    if kind < 0.55:
        return textures.stripes(tuple(wall), tuple(0.45 * wall + 0.55 * np.array(palette.accent)))
    if kind < 0.8:
        return textures.wallpaper(tuple(wall), palette.accent)
    return textures.paint(palette.accent)


def _window(planner: Planner, wall: Wall) -> Light:
    """Hang a window with curtains in the middle of a wall; daylight comes through it."""
    side = Assembly()
    frame = Material(textures.paint((0.95, 0.95, 0.94), 0.02))
    outside = Material(textures.view_outside(), glow=1.0, detail=1.3)
    cloth = Material(textures.curtain(planner.palette.second))
    width, height, bottom = 1.7, 1.25, 0.95
    middle = bottom + height / 2
    side.panel((0, 0.012, middle), (width, height), outside)
    for x in (-1, 1):
        side.box((x * width / 2, 0.03, bottom), (0.07, 0.06, height), frame, solid=False)
        side.box(
            (x * (width / 2 + 0.22), 0.08, 0.35), (0.42, 0.07, height + 0.72), cloth, solid=False
        )
    for z, deep in ((bottom - 0.05, 0.12), (bottom + height, 0.06)):
        side.box((0, deep / 2, z), (width + 0.1, deep, 0.05), frame, underside=True, solid=False)
    rod = Material(textures.flat((0.35, 0.28, 0.20)))
    side.box(
        (0, 0.08, bottom + height + 0.11),
        (width + 1.1, 0.03, 0.03),
        rod,
        underside=True,
        solid=False,
    )
    planner.room.add(side, wall.middle, wall.angle_rad)
    planner.reserve(wall.place(-1.35, 0, 0.85), wall.place(1.35, 0.15, 2.5))
    points = [
        wall.place(x, 0.1, z)
        for x in (-0.6, -0.2, 0.2, 0.6)
        for z in (bottom + 0.25, middle, bottom + 1.0)
    ]
    inward = turn(wall.angle_rad) @ np.array([0.0, 1.0, 0.0])
    return Light(np.array(points), np.array([13.0, 14.5, 16.5]), inward)


def _door(planner: Planner, wall: Wall) -> None:
    """Put a door near one end of a wall and keep the floor before it free."""
    side = Assembly()
    painted = planner.rng.random() < 0.5
    colour = (0.90, 0.88, 0.84) if painted else planner.palette.wood
    leaf = Material(textures.panelled(colour, 2, 3, 0.08, painted=painted))
    frame = Material(textures.paint((0.93, 0.92, 0.90), 0.02))
    x = (wall.length / 2 - 0.75) * (1 if planner.rng.random() < 0.5 else -1)
    side.box((x, 0.015, 0), (0.86, 0.03, 2.02), frame, front=leaf, solid=False)
    for offset in (-0.47, 0.47):
        side.box((x + offset, 0.025, 0), (0.08, 0.05, 2.10), frame, solid=False)
    side.box((x, 0.025, 2.02), (0.86, 0.05, 0.08), frame, underside=True, solid=False)
    brass = Material(textures.flat((0.80, 0.66, 0.36)))
    side.ball((x + 0.36, 0.07, 1.0), (0.03, 0.03, 0.03), brass, solid=False)
    planner.room.add(side, wall.middle, wall.angle_rad)
    planner.reserve(wall.place(x - 0.55, 0, 0), wall.place(x + 0.55, 0.7, 2.1))


def _pendant(planner: Planner) -> Light:
    """Hang a lamp from the middle of the ceiling, above the camera's way."""
    height = planner.size_m[2]
    lamp = Assembly()
    metal = Material(textures.flat((0.20, 0.20, 0.20)))
    cover = Material(textures.flat(planner.palette.fabric))
    bulb = Material(textures.flat((1.0, 0.95, 0.82)), glow=1.0)
    bottom = height - 0.42
    lamp.tube((0, 0, height - 0.22), (0.008, 0.008), 0.22, metal, lid=False, solid=False)
    lamp.tube((0, 0, bottom), (0.24, 0.07), 0.20, cover, solid=False)
    lamp.ball((0, 0, bottom + 0.03), (0.07, 0.07, 0.07), bulb, solid=False)
    planner.room.add(lamp, (0, 0, 0))
    ring = np.arange(5) * (2 * np.pi / 5)
    points = np.stack(
        [0.12 * np.cos(ring), 0.12 * np.sin(ring), np.full(5, bottom - 0.02)], axis=1
    )
    return Light(points, np.array([7.5, 6.4, 4.8]))


def _furniture(planner: Planner, walls: list[Wall], lights: list[Light]) -> None:
    rng = planner.rng
    _middle_piece(planner)
    order = [furniture.WALL_PIECES[index] for index in rng.permutation(7)]
    for wall in walls:
        low_only = wall is walls[0]
        for maker in [
            m for m in order if not low_only or m in (furniture.sofa, furniture.sideboard)
        ]:
            if _against(planner, wall, maker):
                order.remove(maker)
                break
    corners = rng.permutation(len(furniture.CORNER_PIECES))
    for wall, index in zip(walls, corners, strict=False):
        maker = furniture.CORNER_PIECES[index]
        if _in_corner(planner, wall, maker) and maker is furniture.floor_lamp:
            lights.append(_lamp_light(planner))
    for index in rng.permutation(len(furniture.SMALL_PIECES))[:2]:
        _somewhere(planner, furniture.SMALL_PIECES[index])


def _middle_piece(planner: Planner) -> None:
    """Lay a rug in the middle with a table on it."""
    rng = planner.rng
    colours = [planner.palette.bright[index] for index in rng.permutation(5)]
    size = rng.uniform(2.0, 2.7), rng.uniform(1.5, 1.9)
    carpet = Assembly()
    carpet.box(
        (0, 0, 0),
        (*size, 0.012),
        Material(textures.flat((0.5, 0.45, 0.4))),
        top=Material(textures.rug(colours)),
        solid=False,
    )
    planner.room.add(carpet, (rng.uniform(-0.3, 0.3), rng.uniform(-0.2, 0.2), 0))
    maker = furniture.CENTRE_PIECES[int(rng.random() < 0.35)]
    planner.try_piece(maker, np.array([rng.uniform(-0.2, 0.2), -0.5, 0.012]), 0.0)


def _against(planner: Planner, wall: Wall, maker: Maker) -> bool:
    for _ in range(6):
        x = planner.rng.uniform(-0.3, 0.3) * (wall.length - 2.0)
        if planner.try_piece(maker, wall.place(x, 0.03), wall.angle_rad):
            return True
    return False


def _in_corner(planner: Planner, wall: Wall, maker: Maker) -> bool:
    for side in (-1, 1):
        place = wall.place(side * (wall.length / 2 - 0.45), 0.12)
        if planner.try_piece(maker, place, wall.angle_rad):
            return True
    return False


def _lamp_light(planner: Planner) -> Light:
    low, high = planner.taken[-1]
    middle = (low + high) / 2
    points = [[middle[0], middle[1], z] for z in (1.42, 1.74)]
    return Light(np.array(points), np.array([3.4, 2.6, 1.6]))


def _somewhere(planner: Planner, maker: Maker) -> bool:
    half = np.array(planner.size_m[:2]) / 2 - 0.5
    for _ in range(12):
        place = np.array([*planner.rng.uniform(-half, half), 0.012])
        if planner.try_piece(maker, place, planner.rng.uniform(0, 2 * np.pi)):
            return True
    return False


def _pictures(planner: Planner, walls: list[Wall]) -> None:
    """Hang pictures and a clock where nothing stands before the wall."""
    rng = planner.rng
    _hang_clock(planner, walls[2])
    for wall in walls[1:]:
        for _ in range(5):
            width, height = rng.uniform(0.45, 1.0), rng.uniform(0.4, 0.75)
            x = rng.uniform(-0.5, 0.5) * (wall.length - 1.4)
            low = wall.place(x - width / 2 - 0.08, 0, 1.65 - height / 2)
            high = wall.place(x + width / 2 + 0.08, 0.06, 1.65 + height / 2)
            _hang(planner, wall, (x, width, height), np.minimum(low, high), np.maximum(low, high))


def _hang_clock(planner: Planner, wall: Wall) -> None:
    face = Material(textures.clock((0.95, 0.94, 0.9), (0.15, 0.15, 0.17)), detail=2)
    rim = Material(textures.wood(planner.palette.wood))
    clock, x = Assembly(), planner.rng.uniform(-0.8, 0.8)
    clock.panel((x, 0.02, 2.12), (0.38, 0.38), rim, round=True)
    clock.panel((x, 0.024, 2.12), (0.32, 0.32), face, round=True)
    planner.room.add(clock, wall.middle, wall.angle_rad)
    planner.reserve(wall.place(x - 0.25, 0, 1.9), wall.place(x + 0.25, 0.05, 2.35))


def _hang(
    planner: Planner,
    wall: Wall,
    place: tuple[float, float, float],
    low: np.ndarray,
    high: np.ndarray,
) -> None:
    if any(
        ((low < other_high) & (high > other_low)).all() for other_low, other_high in planner.taken
    ):
        return
    x, width, height = place
    canvas = Material(textures.painting(planner.palette.bright, planner.palette.wood), detail=1.5)
    picture = Assembly()
    picture.box(
        (x, 0.02, 1.65 - height / 2),
        (width, 0.04, height),
        Material(textures.wood(planner.palette.wood)),
        front=canvas,
        underside=True,
    )
    planner.room.add(picture, wall.middle, wall.angle_rad)
    planner.obstacles.append(_obstacle(picture, wall))
    planner.reserve(low, high)


def _obstacle(side: Assembly, wall: Wall) -> Obstacle:
    placed = Assembly()
    placed.add(side, wall.middle, wall.angle_rad)
    return Obstacle.around(placed.solids)
