"""The lateral view of the deep world: the same chest from the side, front of the body to the left.

Both lungs lie over each other, so a finding's side is not to be seen, but fluid behind the diaphragm is, and
what lies behind the heart. Height is that of the frontal view; depth is found from the finding's own numbers.

    >>> from cxreason.phantom.visit import DEEP
    >>> from cxreason.phantom.world import draw_visit
    >>> visit = next(visit for visit in (draw_visit(0, i, DEEP) for i in range(50)) if visit.exam.lateral)
    >>> draw_lateral(visit.anatomy, visit.findings, 64, np.random.default_rng(0))[0].light.shape
    (64, 64)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cxreason.phantom.anatomy import Anatomy, Values
from cxreason.phantom.body import WHITE
from cxreason.phantom.devices import smooth
from cxreason.phantom.picture import Picture, bump, cloud, edge
from cxreason.phantom.places import CONSOLIDATION, GRANULOMA, MASS, NODULE, shape_of
from cxreason.phantom.visit import Finding

FRONT, BACK = 0.16, 0.80
"""Where the lungs end in front and behind, at their widest."""


def draw_lateral(
    anatomy: Anatomy, findings: tuple[Finding, ...], size: int, own: np.random.Generator
) -> tuple[Picture, list[tuple[Finding, np.ndarray]]]:
    """The chest from the side with its findings, and where each of those that can be seen lies."""
    picture = Picture.blank(anatomy, size)
    picture.white, picture.soft = WHITE, 1.0
    _draw_trunk(picture)
    lung = _draw_lungs(picture, own)
    _draw_spine(picture)
    _draw_heart(picture, lung)
    marks = []
    for finding in findings:
        if finding.name in PAINTERS:
            picture.mask = np.zeros((size, size), bool)
            PAINTERS[finding.name](picture, finding, lung)
            marks.append((finding, picture.mask))
    picture.mask = None
    return picture, marks


def front(y: Values) -> np.ndarray:
    """Where the inside of the breastbone is: it leans forward downwards."""
    return FRONT + 0.10 * np.clip((0.45 - y) / 0.4, 0, 1) ** 1.3 + 0.05 * np.clip((y - 0.62) / 0.3, 0, 1) ** 2


def back(y: Values) -> np.ndarray:
    """Where the ribs end behind."""
    return BACK - 0.13 * np.clip((0.50 - y) / 0.45, 0, 1) ** 1.6 + 0.02 * np.sin(3 * y)


def floor(anatomy: Anatomy, x: Values, left: bool) -> np.ndarray:
    """Height of a dome of the diaphragm: highest in front, deep behind."""
    drop = anatomy.left_drop + 0.01 - anatomy.raised[1] if left else -anatomy.raised[0]
    u = (x - 0.38) / (BACK - 0.38)
    curve = 1 - 0.6 * anatomy.flattening
    fall = np.where(u > 0, 0.20 * np.abs(u) ** 2.3, 0.05 * u * u)
    return anatomy.dome - 0.01 + drop + curve * fall


def _draw_trunk(picture: Picture) -> None:
    anatomy, x, y = picture.anatomy, picture.x, picture.y
    skin = 0.035 + 0.5 * anatomy.soft_tissue
    inside = np.minimum(x - front(y) + skin + 0.02, back(y) + skin + 0.075 - x)
    throat = np.minimum(x - 0.36, 0.74 - x)  # the neck, narrower than the chest
    above = edge(np.float32(anatomy.top + 0.01) - y, 0.10)
    inside = inside * (1 - above) + np.minimum(inside, throat + 0.08) * above
    thick = 0.50 + 0.17 * edge(y - np.float32(anatomy.dome - 0.02), 0.30)
    thick = thick + 0.10 * edge(np.float32(anatomy.top + 0.10) - y, 0.22)  # the shoulders
    np.multiply(edge(inside.astype(np.float32), 0.035), thick, out=picture.light, casting="same_kind")
    if anatomy.breast:
        bulge = edge(np.float32(0.9 * anatomy.breast) - np.hypot(x - 0.15, (y - 0.52) / 1.5), 0.03)
        picture.light += bulge * np.clip(0.36 - picture.light, 0.05, 0.36)


def _draw_lungs(picture: Picture, own: np.random.Generator) -> np.ndarray:
    """Air, vessels from the root of the lung, slanting ribs, windpipe; returns how much is lung."""
    anatomy, x, y = picture.anatomy, picture.x, picture.y
    low = np.maximum(floor(anatomy, x, False), floor(anatomy, x, True))
    high = np.minimum(floor(anatomy, x, False), floor(anatomy, x, True))
    sides = np.minimum(x - front(y), back(y) - x).astype(np.float32)
    top = y - np.float32(anatomy.top) - 0.5 * (x - np.float32(0.52)) ** 2
    lung = edge(np.minimum(np.minimum(sides, top * 0.7), (low - y).astype(np.float32)), 0.024)
    both = lung * edge((high - y).astype(np.float32), 0.02)
    deep = 0.11 + 0.25 * np.clip(sides / 0.22, 0, 1) ** 0.6
    bottom = np.clip((y - np.float32(anatomy.top)) / 0.6, 0, 1)
    deep = deep * (0.62 + 0.42 * bottom) * (1 - 0.35 * edge(np.float32(anatomy.top + 0.16) - y, 0.16))
    grain = cloud(own, picture.size, 30) + 0.7 * cloud(own, picture.size, 60)
    lines = []
    for angle in own.uniform(0, 2 * np.pi, 26):
        t = np.linspace(0.02, own.uniform(0.12, 0.26), 5)
        bend = angle + own.uniform(-2, 2) * t
        points = np.stack([0.49 + t * np.cos(bend), anatomy.hilum + 0.03 + 1.1 * t * np.sin(bend)], 1)
        lines.append((points, own.uniform(1.0, 2.4), 0.8))
    vessel = picture.strokes(lines, blur=1.2)
    root = bump(x - 0.49, 0.055) * bump(y - np.float32(anatomy.hilum + 0.02), 0.065)
    picture.light += (0.5 * lung + 0.5 * both) * (0.075 * vessel + 0.012 * grain - deep) + 0.10 * root * both
    slant = (y - 0.30 * (x - 0.5) + 0.45 * (x - 0.5) ** 2 - np.float32(anatomy.top)) / anatomy.rib_spacing
    for phase in (slant, slant + 0.38):  # those of the right and of the left do not lie over each other
        off = np.abs(phase - np.rint(phase))
        picture.light += 0.022 * (0.4 + 0.6 * lung) * np.clip((0.16 - off) * 9, 0, 1) * (picture.light > 0.03)
    t = (y - np.float32(anatomy.hilum)) * 0.25
    airway = bump(x - 0.50 - t, 0.017) * edge(np.float32(anatomy.hilum + 0.01) - y, 0.06)
    picture.light -= 0.09 * airway
    return both


def _draw_spine(picture: Picture) -> None:
    """Vertebrae one below the other, each with bright end plates; breastbone; shoulder blades."""
    anatomy, x, y = picture.anatomy, picture.x, picture.y
    middle = back(y) - 0.075
    d = (x - middle).astype(np.float32)
    phase = (y / np.float32(0.066)) % 1
    plates = np.clip(np.abs(phase - 0.5) * 9 - 3.4, 0, 1)
    body = edge(0.043 - np.abs(d), 0.014) * (0.13 + 0.07 * plates - 0.10 * np.clip(plates - 0.8, 0, 1))
    veil = 1 - 0.35 * np.clip((y - 0.35) / 0.4, 0, 1)  # the spine gets darker downwards, until the diaphragm
    picture.light += body * veil + 0.07 * bump(d - 0.075, 0.03) * veil
    bone = bump(x - (front(y) - 0.010), 0.010) * edge(y - np.float32(0.18), 0.05) * edge(0.62 - y, 0.1)
    picture.light += 0.13 * bone
    low = anatomy.top - 0.08
    blade = np.array([[0.70, low + 0.10], [0.735, low + 0.25], [0.72, low + 0.40]])
    picture.light += 0.06 * picture.strokes([(blade, 3, 1.0), (blade - [0.05, 0.02], 2.5, 0.8)], blur=1.2)
    bubble = np.hypot((x - 0.40) / 1.3, y - (floor(anatomy, np.float64(0.40), True) + 0.045))
    picture.light -= 0.16 * edge(np.float32(anatomy.gastric) - bubble.astype(np.float32), 0.02)
    for left in (False, True):
        below = edge((y - floor(anatomy, x, left)).astype(np.float32), 0.02) * edge(back(y) - x, 0.05)
        picture.light += 0.045 * below * edge(x - front(y), 0.05)


def heart(anatomy: Anatomy) -> tuple[float, float, float, float]:
    """(x, y) of the middle of the heart and its half width and half height."""
    wide = 0.145 + 0.42 * (anatomy.heart_ratio - anatomy.widest_heart - 0.44)
    return (
        float(front(np.float64(0.55))) + 0.012 + wide,
        anatomy.dome - 0.13,
        wide,
        0.175 + 0.5 * (wide - 0.145),
    )


def _heart_shape(picture: Picture) -> np.ndarray:
    x, y, wide, high = heart(picture.anatomy)
    across, down = picture.x - np.float32(x), picture.y - np.float32(y)
    across, down = across + 0.30 * down, down - 0.12 * across  # it leans forward on the diaphragm
    return 1 - np.hypot(across / wide, down / high).astype(np.float32)


def _draw_heart(picture: Picture, lung: np.ndarray) -> None:
    anatomy, x, y = picture.anatomy, picture.x, picture.y
    inside = _heart_shape(picture)
    picture.light += edge(inside, 0.24) * (0.15 + 0.08 * np.clip(inside, 0, 1)) * lung
    # The great vessels rise from it; the arch of the aorta turns backwards and down along the spine.
    knob = anatomy.knob + 0.02
    arch = np.hypot(x - 0.515, (y - np.float32(knob + 0.055)))
    ring = bump(arch - np.float32(0.075 + anatomy.knob_size), 0.020) * edge(np.float32(knob + 0.08) - y, 0.08)
    picture.light += 0.055 * ring.astype(np.float32)
    rise = bump(x - np.float32(0.40), 0.05) * edge(y - np.float32(knob + 0.02), 0.1)
    rise = rise * edge(np.float32(anatomy.heart_top + 0.06) - y, 0.1)
    picture.light += (0.09 + 1.2 * anatomy.widening) * rise


def _spot(anatomy: Anatomy, finding: Finding) -> tuple[float, float]:
    """(x, y) of a finding in a zone: its height from the front, its depth from its own numbers."""
    random = shape_of(finding)
    y = anatomy.zone(finding.zone) + random.uniform(-0.03, 0.03)
    near, far = float(front(np.float64(y))), float(back(np.float64(y)))
    return near + (far - near) * float(np.random.default_rng(finding.shape + 1).uniform(0.30, 0.80)), y


def _draw_dense(picture: Picture, finding: Finding, lung: np.ndarray) -> None:
    """Consolidations, pneumonias, masses, nodules, granulomas: a denser place."""
    name, level = finding.name, finding.level
    sizes = {"mass": MASS, "nodule": NODULE, "calcified granuloma": GRANULOMA}
    radius = sizes.get(name, CONSOLIDATION)[level]
    x, y = _spot(picture.anatomy, finding)
    away = np.hypot(picture.x - np.float32(x), picture.y - np.float32(y))
    if name in sizes:
        patch = edge(np.float32(radius) - away, 0.014 if name == "calcified granuloma" else 0.03)
        most = {"mass": 0.20, "nodule": 0.16}.get(name, 0.34)
    else:
        rough = 1 + 0.2 * cloud(shape_of(finding), picture.size, 18)
        patch, most = np.clip((1.2 - away / radius) * rough, 0, 1), 0.20
    patch = patch * (lung if name != "calcified granuloma" else np.maximum(lung, 0.4))
    picture.light += patch * np.clip(0.72 - picture.light, 0, most)
    picture.mark(patch, least=0.35)


def _draw_fluid(picture: Picture, finding: Finding, lung: np.ndarray) -> None:
    """Fluid fills the deep angle behind the diaphragm first, with a surface that climbs the back."""
    anatomy, x, y = picture.anatomy, picture.x, picture.y
    depth = (0.0, 0.085, 0.17, 0.30)[finding.level]
    corner = float(floor(anatomy, np.float64(BACK - 0.02), "left" in finding.sides))
    rise = np.clip((x - 0.30) / (BACK - 0.30), 0, 1)
    surface = corner - 0.02 - depth * (0.55 + 0.45 * rise**2)
    fluid = edge((y - surface).astype(np.float32), 0.05) * edge(
        np.minimum(x - front(y), back(y) + 0.01 - x), 0.02
    )
    over = floor(anatomy, x, "left" in finding.sides) + 0.02 - y
    fluid = fluid * edge(over.astype(np.float32), 0.04)
    picture.light += fluid * np.clip(0.74 - picture.light, 0, 1) * 0.92
    picture.mark(fluid)


def _draw_edema(picture: Picture, finding: Finding, lung: np.ndarray) -> None:
    reach = (0.0, 0.14, 0.19, 0.25)[finding.level]
    away = np.hypot(picture.x - 0.5, picture.y - np.float32(picture.anatomy.hilum + 0.05))
    haze = np.exp(-((away / np.float32(reach)) ** 2)) * lung
    rough = 1 + 0.3 * cloud(shape_of(finding), picture.size, 14)
    picture.light += (0.0, 0.10, 0.14, 0.18)[finding.level] * haze * rough
    picture.mark(haze, least=0.35)


def _draw_plates(picture: Picture, finding: Finding, lung: np.ndarray) -> None:
    anatomy, random = picture.anatomy, shape_of(finding)
    base = (
        float(floor(anatomy, np.float64(0.62), True))
        if finding.zone == "lower"
        else anatomy.zone("mid") + 0.05
    )
    lines = []
    for number in range(finding.level + 1):
        y = base - 0.03 - 0.03 * number
        tilt = random.uniform(0.0, 0.03)
        lines.append((np.array([[0.54, y - tilt], [0.72, y + tilt]]), 3.5, 1.0))
    bands = picture.strokes(lines, blur=1.8) * lung
    picture.light += 0.15 * bands
    picture.mark(bands, least=0.3)


def _draw_hernia(picture: Picture, finding: Finding, lung: np.ndarray) -> None:
    """Behind the heart and before the spine, with air over fluid."""
    radius = (0.0, 0.045, 0.062, 0.082)[finding.level]
    y = picture.anatomy.dome - 0.2 * radius
    away = np.hypot((picture.x - 0.56) / 1.1, picture.y - np.float32(y))
    sac = edge(np.float32(radius) - away, 0.016)
    picture.light += 0.14 * sac
    air = edge(np.float32(0.78 * radius) - away, 0.012) * edge(np.float32(y) - picture.y, 0.008)
    picture.light -= 0.18 * air
    picture.mark(sac)


def _draw_fibrosis(picture: Picture, finding: Finding, lung: np.ndarray) -> None:
    y = picture.anatomy.zone(finding.zone)
    place = (
        bump(picture.y - np.float32(y), 0.14)
        * np.clip(1.3 - (back(picture.y) - picture.x) / 0.2, 0, 1)
        * lung
    )
    net = np.clip(1 - 2 * np.abs(cloud(shape_of(finding), picture.size, 64)), 0, 1)
    picture.light += place.astype(np.float32) * (0.04 + (0.0, 0.08, 0.11, 0.15)[finding.level] * net)
    picture.mark(place, least=0.4)


def _draw_emphysema(picture: Picture, finding: Finding, lung: np.ndarray) -> None:
    """The space behind the breastbone is wide and black."""
    picture.light += lung * (0.10 - picture.light) * (0.0, 0.2, 0.3, 0.4)[finding.level]
    picture.mark(lung)


def _mark_heart(picture: Picture, finding: Finding, lung: np.ndarray) -> None:
    picture.mark(_heart_shape(picture), least=0.0)


def _draw_wires(picture: Picture, finding: Finding, lung: np.ndarray) -> None:
    lines = []
    for number in range(5):
        y = picture.anatomy.knob + 0.01 + 0.075 * number
        x = float(front(np.float64(y)))
        lines.append((np.array([[x - 0.028, y - 0.006], [x + 0.004, y + 0.006]]), 1.5, 1.0))
    layer = picture.strokes(lines, blur=0.5)
    picture.light += 0.35 * layer
    picture.mark(layer, least=0.3)


def _draw_pacemaker(picture: Picture, finding: Finding, lung: np.ndarray) -> None:
    anatomy = picture.anatomy
    y = anatomy.top + 0.15
    x = float(front(np.float64(y))) - 0.035
    box = edge(
        1 - ((picture.x - np.float32(x)) / 0.016) ** 4 - ((picture.y - np.float32(y)) / 0.045) ** 4, 0.6
    )
    picture.light += box * (0.95 - picture.light) * 0.9
    middle = heart(anatomy)
    path = [[x, y - 0.04], [0.40, y - 0.03], [0.47, y + 0.10], [0.46, middle[1]]]
    path += [[middle[0] - 0.05, middle[1] + 0.11]]
    layer = picture.strokes([(smooth(path), 1.7, 1.0)], blur=0.6)
    picture.light += 0.26 * layer
    picture.mark(np.maximum(box, layer), least=0.35)


PAINTERS: dict[str, Callable[[Picture, Finding, np.ndarray], None]] = {
    "cardiomegaly": _mark_heart,
    "pleural effusion": _draw_fluid,
    "edema": _draw_edema,
    "consolidation": _draw_dense,
    "pneumonia": _draw_dense,
    "mass": _draw_dense,
    "nodule": _draw_dense,
    "calcified granuloma": _draw_dense,
    "atelectasis": _draw_plates,
    "fibrosis": _draw_fibrosis,
    "emphysema": _draw_emphysema,
    "hiatal hernia": _draw_hernia,
    "sternotomy wire": _draw_wires,
    "pacemaker": _draw_pacemaker,
}
"""Findings that can be seen from the side."""
