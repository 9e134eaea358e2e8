"""Chest ImaGenome: scene graphs of MIMIC-CXR images, what a report says of each region. Evaluation only.

Content:  242,072 scene graphs made by rules (silver), and a gold set of 500 patients with two studies each.
Labels:   boxes of 29 regions of a frontal image; attributes "category|yes or no|finding" of each; how a
          finding changed since the study before: improved, worsened, no change (`Study.changes` says
          improving, ...).
Access:   PhysioNet, credentialed, with a data use agreement. Needs MIMIC-CXR for images, sizes and splits.
Citation: Wu et al. 2021, https://arxiv.org/abs/2108.00316
Layout:   silver_dataset/scene_graph.zip or scene_graph/<dicom_id>_SceneGraph.json: objects, attributes,
          relationships; silver_dataset/splits/{train,valid,test}.csv and images_to_avoid.csv;
          gold_dataset/gold_bbox_coordinate_annotations_1000images.csv, image_id ending in ".dcm" as
          elsewhere in gold, and gold_object_attribute_with_coordinates.txt, tab-separated. Boxes are
          corners, x1 .. y2 on a square of 224 and original_x1 .. in pixels. Gold patients are in
          MIMIC-CXR's train in part.
"""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.mimic_home import Home, own_split
from cxreason.datasets.tables import DatasetError, find_file, need, need_file, need_table, read_csv
from cxreason.imaging.boxes import tidy
from cxreason.records import Box, Study

NAME = "chest-imagenome"
TITLE = "Chest ImaGenome"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Wu et al. 2021, https://arxiv.org/abs/2108.00316"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ()
EVALUATION_ONLY = True
STANDS_ON = ("mimic-cxr",)

GOLD_BOXES = "gold_dataset/gold_bbox_coordinate_annotations_1000images.csv"
GOLD_FACTS = (
    "gold_dataset/gold_object_attribute_with_coordinates.txt",
    "gold_dataset/gold_attributes_relations_500pts_500studies1st.txt",
)
SILVER_SPLIT = "silver_dataset/splits/test.csv"
AVOID = "silver_dataset/splits/images_to_avoid.csv"
FACTS = ("patient_id", "study_id", "image_id", "label_name", ("context", "relation"))
FINDING_KINDS = ("anatomicalfinding", "disease", "tubesandlines", "device")
COURSES = {
    "improved": "improving",
    "worsened": "worsening",
    "no change": "stable",
    "no status change": "stable",
}
SQUARE = 224


def find(folder: Path) -> Path | None:
    """The folder that has gold_dataset or silver_dataset in it."""
    found = find_file(folder, GOLD_BOXES, SILVER_SPLIT)
    if found is None:
        return None
    return next(
        parent.parent for parent in found.parents if parent.name in ("gold_dataset", "silver_dataset")
    )


def read(folder: Path, mimic: Path) -> Iterator[Study]:
    """The images of the gold set, then the scene graphs of the silver test split without those to avoid."""
    root = find(folder)
    if root is None:
        need_file(folder, GOLD_BOXES, SILVER_SPLIT)
        return
    home = Home(folder, mimic)
    seen: set[str] = set()
    if (root / GOLD_BOXES).exists():
        for study in _gold(root, home):
            seen.add(study.id.rpartition("/")[2])
            yield study
    if (root / SILVER_SPLIT).exists():
        yield from _silver(root, home, seen)


def _gold(root: Path, home: Home) -> Iterator[Study]:
    boxes: dict[str, list[dict[str, str]]] = defaultdict(list)
    path = root / GOLD_BOXES
    corners = tuple(f"original_{name}" for name in ("x1", "y1", "x2", "y2"))
    for row in read_csv(path, "image_id", ("bbox_name", "bbox"), *corners):
        boxes[_dicom(row["image_id"])].append(row)
    facts: dict[str, dict[str, int]] = defaultdict(dict)
    who: dict[str, tuple[str, str]] = {}
    table = need_table(root, GOLD_FACTS, *FACTS, delimiter="\t")  # the first of the two that has them
    for row in read_csv(table, *FACTS, optional=("categoryID",), delimiter="\t"):
        if row.get("categoryID", FINDING_KINDS[0]).strip().lower() not in FINDING_KINDS:
            continue
        dicom = _dicom(row["image_id"])
        who[dicom] = row["patient_id"], row["study_id"]
        _note(facts[dicom], row["label_name"], row["context"])
    for dicom, mine in boxes.items():
        if dicom not in who:
            raise DatasetError(f"{table}: expected the image {dicom} of {path.name}; it is not in there.")
        subject, study = who[dicom]
        width, height = home.size(study, dicom)
        places = tuple(
            _box(row["bbox_name"], pixels, width, height)
            for row in mine
            if (pixels := _corners(row, corners, path)) is not None
        )
        yield _study(home, "gold", (subject, study, dicom), places, facts[dicom], {}, own="test")


def _corners(row: dict[str, str], names: tuple[str, ...], path: Path) -> list[float] | None:
    """The corners of a region; None where it was not found on the image."""
    values = [encodings.text(row[name]) for name in names]
    if not all(values):
        return None
    try:
        return list(map(float, values))
    except ValueError:
        raise DatasetError(
            f"{path}: expected numbers as {', '.join(names)}; found {', '.join(values)}."
        ) from None


def _silver(root: Path, home: Home, known: Iterable[str]) -> Iterator[Study]:
    path, avoid = root / SILVER_SPLIT, set(known)
    if (root / AVOID).exists():
        avoid |= {_dicom(row["dicom_id"]) for row in read_csv(root / AVOID, ("dicom_id", "image_id"))}
    graph = _graphs(root)
    for row in read_csv(path, "subject_id", "study_id", "dicom_id"):
        dicom = _dicom(row["dicom_id"])
        if dicom in avoid:
            continue
        scene = graph(dicom)
        objects, attributes, relations = need(scene, path, "objects", "attributes", "relationships")
        width, height = home.size(row["study_id"], dicom)
        labels: dict[str, int] = {}
        for one in attributes:
            for statement in _flat(one.get("attributes", [])):
                _state(labels, statement)
        places = tuple(_object_box(one, width, height) for one in objects)
        where = row["subject_id"], row["study_id"], dicom
        yield _study(home, "silver", where, places, labels, _changes(relations), own=path.stem)


def _study(
    home: Home,
    tier: str,
    where: tuple[str, str, str],
    boxes: tuple[Box, ...],
    labels: dict[str, int],
    changes: dict[str, str],
    own: str,
) -> Study:
    subject, study, dicom = where
    width, height = home.size(study, dicom)
    return Study(
        id=f"{NAME}/{tier}/{dicom}",
        dataset=NAME,
        images=(home.image(subject, study, dicom),),
        views=(home.view(study, dicom),),
        widths=(width,),
        heights=(height,),
        boxes=boxes,
        labels=labels,
        changes=changes,
        own_split=own_split(own, Path(SILVER_SPLIT)),
        **home.who(subject, study),
        **home.sections(subject, study),
    )


def _changes(relations: Any) -> dict[str, str]:
    """Finding -> its course, where all regions agree: better on the left and worse on the right has none."""
    courses: dict[str, set[str]] = defaultdict(set)
    for one in relations:
        said = {
            COURSES[course]
            for name in _flat(one.get("relationship_names", []))
            if (course := name.rpartition("|")[2].strip().lower()) in COURSES
        }
        for statement in _flat(one.get("attributes", [])):
            kind, yes, finding = _parts(statement)
            if kind in FINDING_KINDS and yes == "yes":
                courses[encodings.finding(finding)] |= said
    return {finding: next(iter(said)) for finding, said in sorted(courses.items()) if len(said) == 1}


def _state(labels: dict[str, int], statement: str) -> None:
    kind, yes, finding = _parts(statement)
    if kind in FINDING_KINDS:
        _note(labels, finding, yes)


def _note(labels: dict[str, int], finding: str, yes: str) -> None:
    """What is seen in one region is there, whatever is said of others."""
    name, value = encodings.finding(finding), int(yes.strip().lower() in ("yes", "1", "1.0"))
    labels[name] = max(value, labels.get(name, 0))


def _parts(statement: str) -> tuple[str, str, str]:
    kind, _, rest = statement.partition("|")
    yes, _, finding = rest.partition("|")
    return kind.strip().lower(), yes.strip().lower(), finding


def _flat(values: Any) -> Iterator[str]:
    for one in values:
        if isinstance(one, str):
            yield one
        else:
            yield from _flat(one)


def _object_box(one: Any, width: int, height: int) -> Box:
    """The box of an object, from its pixels; from the square where there are none."""
    names = [f"original_{name}" for name in ("x1", "y1", "x2", "y2")]
    if all(name in one for name in names):
        return _box(str(one.get("bbox_name", "")), [float(one[name]) for name in names], width, height)
    x1, y1, x2, y2 = need(one, Path("scene graph"), "x1", "y1", "x2", "y2")
    side = max(width, height)  # the picture was put into the middle of a square, and made smaller
    left, top = (side - width) / 2, (side - height) / 2
    pixels = [float(value) * side / SQUARE for value in (x1, y1, x2, y2)]
    return _box(
        str(one.get("bbox_name", "")),
        [pixels[0] - left, pixels[1] - top, pixels[2] - left, pixels[3] - top],
        width,
        height,
    )


def _box(name: str, pixels: list[float], width: int, height: int) -> Box:
    x1, y1, x2, y2 = pixels
    corners, _ = tidy((x1 / width, y1 / height, x2 / width, y2 / height))
    return Box(name, *corners)


def _graphs(root: Path) -> Callable[[str], Any]:
    """dicom_id -> its scene graph, from the archive or from the folder."""
    silver = root / "silver_dataset"
    if (silver / "scene_graph").is_dir():

        def unpacked(dicom: str) -> Any:
            path = need_file(silver / "scene_graph", f"{dicom}_SceneGraph.json")
            return _parsed(path.read_bytes(), path)

        return unpacked
    packed_graphs = need_file(silver, "scene_graph.zip")
    try:
        archive = zipfile.ZipFile(packed_graphs)
    except zipfile.BadZipFile as error:
        raise DatasetError(
            f"{packed_graphs}: cannot be read as an archive ({error}). Fetch it again."
        ) from None
    names = {Path(name).name: name for name in archive.namelist()}

    def packed(dicom: str) -> Any:
        name = f"{dicom}_SceneGraph.json"
        if name not in names:
            raise DatasetError(f"{silver}/scene_graph.zip: expected {name}; it is not in there.")
        return _parsed(archive.read(names[name]), Path(name))

    return packed


def _parsed(content: bytes, path: Path) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise DatasetError(f"{path}: is not JSON ({error}).") from None


def _dicom(name: str) -> str:
    return name.strip().removesuffix(".dcm").removesuffix(".jpg")
