"""Open-i, also IU X-ray: chest X-rays and reports of hospitals of Indiana University, for evaluation.

Content:  7,470 images (PNG, RGB) of 3,955 reports, one report for each patient number there is; 104 reports
          have no image. Findings are empty in 530 reports, the impression in 34. Words taken out read "XXXX".
Labels:   MeSH terms by human coders. Those that name a finding known here are kept, and "normal" as "no
          finding"; as only what is there was coded, there are no others.
Access:   open, CC BY-NC-ND 4.0.
Citation: Demner-Fushman et al. 2016, https://doi.org/10.1093/jamia/ocv080
Layout:   ecgen-radiology/<n>.xml and images/CXR<n>_1_IM-....png, as NLMCXR_reports.tgz and NLMCXR_png.tgz
          unpack; the url in a report ends in .jpg. Views are in no report: they are taken from
          nlmcxr_tsne_pa.csv (imageid, tsne-view) and nlmcxr_dicom_metadata.csv (imageid, View Position;
          noisy) where these lie beside. The split of R2Gen and ReXrank (annotation.json) is `own_split` where
          it is there. Rad-ReStruct asks about the same images. Kaggle's copy is read as well:
          indiana_reports.csv, indiana_projections.csv (uid, filename, Frontal or Lateral) and
          images/images_normalized/1_IM-0001-4001.dcm.png, without what it leaves out (104 reports).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from cxreason.datasets import encodings
from cxreason.datasets.images import whichever
from cxreason.datasets.tables import (
    DatasetError,
    candidates,
    find_file,
    find_table,
    listing,
    need,
    need_table,
    prefix,
    read_csv,
    read_json,
    visible,
)
from cxreason.records import Study
from cxreason.text.observations import read_sentence

NAME = "open-i"
TITLE = "Open-i (IU X-ray)"
LICENCE = "CC BY-NC-ND 4.0"
CITATION = "Demner-Fushman et al. 2016, https://doi.org/10.1093/jamia/ocv080"
OFFICIAL_SPLITS = ()
TASKS = ()
EVALUATION_ONLY = True
STANDS_ON = ()

REPORTS = "ecgen-radiology"
SECTIONS = ("COMPARISON", "INDICATION", "FINDINGS", "IMPRESSION")
PLACES = ("images", "NLMCXR_png", "png", ".")
"""Where the images may lie beside the reports: their archive has no folder in it."""
COPY = "indiana_reports.csv"
COPY_COLUMNS = ("uid", "MeSH", "indication", "comparison", "findings", "impression")
COPY_IMAGES = "indiana_projections.csv"
COPY_PLACES = ("images/images_normalized", "images_normalized", "images", ".")
VIEWS = (("tsne-view", ("nlmcxr_tsne_pa.csv",)), ("View Position", ("nlmcxr_dicom_metadata.csv",)))
SPLITS = {"train": "train", "val": "validation", "test": "test"}


def find(folder: Path) -> Path | None:
    """The folder above the reports, or that of Kaggle's copy."""
    if (root := _root(folder)) is not None:
        return root
    table = find_table(folder, (COPY,), *COPY_COLUMNS)
    return table and table.parent


def _root(folder: Path) -> Path | None:
    found = (reports for reports in candidates(folder, REPORTS) if any(visible(reports.glob("*.xml"))))
    return next((reports.parent for reports in found), None)


def read(folder: Path) -> Iterator[Study]:
    """One study for each report in the order of their numbers. All are "test": nothing is trained on them."""
    root = _root(folder)
    if root is None:
        if find_file(folder, COPY):
            yield from _copied(folder, need_table(folder, (COPY,), *COPY_COLUMNS))
            return
        packed = find_file(folder, "NLMCXR_reports.tgz")
        mend = f" Unpack {packed.name}." if packed else ""
        raise DatasetError(
            f"{folder}: expected {REPORTS}/<number>.xml there or up to two folders below; found "
            f"{listing(folder)}.{mend}"
        )
    view_of = _views(root)
    own_split = _splits(root)
    below = prefix(root, folder)
    path_of = whichever(folder, *(lambda row, place=place: f"{below}{place}/{row['id']}" for place in PLACES))
    for path in sorted(visible((root / REPORTS).glob("*.xml")), key=lambda path: (len(path.stem), path.stem)):
        report = _parse(path)
        uid = report.find("uId")
        number = uid.get("id", "") if uid is not None else ""
        if not number:
            raise DatasetError(
                f"{path}: expected <uId id=...>; found {', '.join(part.tag for part in report)[:200]}."
            )
        texts = {
            part.get("Label", "").upper(): encodings.text("".join(part.itertext()))
            for part in report.iter("AbstractText")
        }
        missing = [name for name in SECTIONS if name not in texts]
        if missing:
            raise DatasetError(
                f"{path}: expected a section {missing[0]}; found {', '.join(texts) or 'none'}."
            )
        images = [image.get("id", "") for image in report.iter("parentImage")]
        images.sort(key=lambda image: encodings.view_rank(view_of(image)))
        yield Study(
            id=f"{NAME}/{number}",
            dataset=NAME,
            patient_id=number,
            images=tuple(path_of({"id": f"{image}.png"}) for image in images),
            views=tuple(view_of(image) for image in images),
            split="test",
            own_split=own_split.get(number, ""),
            labels=dict.fromkeys(findings(major.text or "" for major in report.iter("major")), 1),
            comparison=texts["COMPARISON"],
            indication=texts["INDICATION"],
            findings=texts["FINDINGS"],
            impression=texts["IMPRESSION"],
        )


def _copied(folder: Path, table: Path) -> Iterator[Study]:
    """The studies of Kaggle's copy. Of a frontal image it does not say whether it is PA or AP."""
    below, own_split = prefix(table.parent, folder), _splits(table.parent)
    path_of = whichever(
        folder, *(lambda row, place=place: f"{below}{place}/{row['filename']}" for place in COPY_PLACES)
    )
    images: dict[str, list[tuple[str, str]]] = defaultdict(list)
    shown = need_table(table.parent, (COPY_IMAGES,), "uid", "filename", "projection")
    for row in read_csv(shown, "uid", "filename", "projection"):
        lateral = row["projection"].strip().casefold() == "lateral"
        images[row["uid"].strip()].append(("LATERAL" if lateral else "", path_of(row)))
    for row in read_csv(table, *COPY_COLUMNS):
        number = f"CXR{row['uid'].strip()}"
        mine = sorted(images[row["uid"].strip()], key=lambda one: one[0])  # frontal first
        yield Study(
            id=f"{NAME}/{number}",
            dataset=NAME,
            patient_id=number,
            images=tuple(path for _, path in mine),
            views=tuple(view for view, _ in mine),
            split="test",
            own_split=own_split.get(number, ""),
            labels=dict.fromkeys(findings(row["MeSH"].split(";")), 1),
            indication=encodings.text(row["indication"]),
            comparison=encodings.text(row["comparison"]),
            findings=encodings.text(row["findings"]),
            impression=encodings.text(row["impression"]),
        )


def findings(terms: Iterable[str]) -> list[str]:
    """The findings that MeSH terms name, each once. What stands behind the first slash is place and size.

    >>> findings(["Pulmonary Atelectasis/base/left/mild", "Lung/hyperdistention", "Cardiomegaly", "normal"])
    ['atelectasis', 'cardiomegaly', 'no finding']
    """
    return list(dict.fromkeys(name for term in terms if (name := _finding(term.partition("/")[0].strip()))))


@lru_cache(maxsize=4096)
def _finding(term: str) -> str:
    if term.casefold() == "normal":
        return encodings.finding(term)
    main, _, kind = term.partition(", ")  # "Hernia, Hiatal" is a hiatal hernia
    seen = list(read_sentence(f"{kind} {main}.".strip()))
    return seen[0].finding if len(seen) == 1 and seen[0].status == "present" else ""


def _parse(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise DatasetError(f"{path}: is not whole XML ({error}). Unpack it again.") from None


def _views(root: Path) -> Callable[[str], str]:
    known: dict[str, str] = {}
    for column, names in reversed(VIEWS):
        table = find_table(root, names, "imageid", column)
        for row in read_csv(table, "imageid", column) if table else ():
            if view := encodings.view(row[column]):
                known[row["imageid"]] = view
    return lambda image: known.get(image, "")


def _splits(root: Path) -> dict[str, str]:
    """Report -> its split in annotation.json; ids are as in "CXR2384_IM-0942"."""
    path = find_file(root, "annotation.json")
    known: dict[str, str] = {}
    for part, entries in read_json(path) if path else ():
        if part not in SPLITS or not isinstance(entries, list):
            raise DatasetError(f"{path}: expected lists under {', '.join(SPLITS)}; found {part!r}.")
        for entry in entries:
            known[str(need(entry, path or root, "id")[0]).partition("_")[0]] = SPLITS[part]
    return known
