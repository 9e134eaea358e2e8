"""Open-i (Indiana University): one XML report per study, RGB images, no view and no patient in the XML.

Files:    ecgen-radiology/<n>.xml, images/CXR<n>_1_IM-<four digits>-<four digits>.png.
Quirks:   sections are always there and often empty; MeSH terms are "finding/place/size"; the url of an image
          ends in .jpg; whether an image is lateral is not said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from cxreason.phantom.layouts.cards import number_of, save, write_whole
from cxreason.phantom.radiograph import Radiograph
from cxreason.phantom.study import PhantomStudy
from cxreason.phantom.visit import LEVELS, Finding

TABLES: dict[str, str | None] = {}
TERMS = {
    "pneumoperitoneum": "Pneumoperitoneum",
    "hiatal hernia": "Hernia, Hiatal",
    "emphysema": "Pulmonary Emphysema",
    "atelectasis": "Pulmonary Atelectasis",
    "edema": "Pulmonary Edema",
    "fibrosis": "Pulmonary Fibrosis",
    "tortuous aorta": "Aorta/tortuous",
    "aortic calcification": "Calcinosis/aorta",
    "calcified granuloma": "Calcified Granuloma/lung",
    "elevated diaphragm": "Diaphragm/elevated",
    "rib fracture": "Fractures, Bone/ribs",
    "clavicle fracture": "Fractures, Bone/clavicle",
    "pleural thickening": "Thickening/pleura",
    "enlarged cardiomediastinum": "Mediastinum/enlarged",
}
"""How the coders name it; other findings by their own name with a capital."""
SECTIONS = ("COMPARISON", "INDICATION", "FINDINGS", "IMPRESSION")


def write(out: Path, one: PhantomStudy, films: tuple[Radiograph, ...]) -> Iterator[tuple[str, tuple]]:
    """Report and images of one study; there are no tables."""
    number = one.visit.index + 1
    names = []
    for position, film in enumerate(films, 1):
        place = number_of(f"{one.study.id} place", 4)
        names.append(f"CXR{number}_1_IM-{place:04d}-{1000 * position + number % 1000:04d}")
        save(film.pixels, out / "images" / f"{names[-1]}.png", mode="RGB")
    write_whole(out / "ecgen-radiology" / f"{number}.xml", _xml(one, number, names))
    return iter(())


def _xml(one: PhantomStudy, number: int, images: list[str]) -> str:
    study = one.study
    root = ElementTree.Element("eCitation")
    ElementTree.SubElement(root, "uId", id=f"CXR{number}")
    citation = ElementTree.SubElement(ElementTree.SubElement(root, "MedlineCitation"), "Article")
    abstract = ElementTree.SubElement(citation, "Abstract")
    texts = (study.comparison, study.indication, study.findings, study.impression)
    for label, text in zip(SECTIONS, texts, strict=True):
        ElementTree.SubElement(abstract, "AbstractText", Label=label).text = text or None
    mesh = ElementTree.SubElement(root, "MeSH")
    said = [finding for finding in one.visit.findings if finding.doubt != "unsaid"]
    for term in [_term(finding) for finding in said] or ["normal"]:
        ElementTree.SubElement(mesh, "major").text = term
    for name in images:
        parent = ElementTree.SubElement(root, "parentImage", id=name)
        ElementTree.SubElement(parent, "figureId").text = "F1"
        ElementTree.SubElement(parent, "caption").text = "Xray Chest"
        ElementTree.SubElement(parent, "url").text = f"/hadoop/storage/radiology/extract/{name}.jpg"
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _term(finding: Finding) -> str:
    side = {"both": "bilateral"}.get(finding.side, finding.side)
    zone = {"upper": "upper lobe", "mid": "middle lobe", "lower": "lower lobe"}.get(finding.zone, "")
    device = finding.main == "support devices"
    size = "" if device else {"large": "severe", "small": "mild"}.get(LEVELS[finding.level], "moderate")
    term = TERMS.get(finding.concept, finding.concept.capitalize())
    return "/".join(part for part in (term, zone, side, size) if part)
