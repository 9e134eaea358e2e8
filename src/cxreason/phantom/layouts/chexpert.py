"""CheXpert v1.0 (small) and CheXpert Plus: one label per column, several views per study.

Files:    CheXpert-v1.0-small/{train,valid}.csv, train/patient00001/study1/view1_frontal.jpg;
          chexpert-plus/df_chexpert_plus_240401.csv, PNG/train/.., chexbert_labels/report_fixed.json.
Quirks:   paths begin with the folder's name; AP/PA is blank for a lateral view; "No Finding" is 1.0 or blank;
          valid.csv was read by radiologists and knows 0 and 1 only; Plus says .jpg where the file is .png;
          chexbert labels are JSON Lines.
Splits:   train; validation and test are both "valid".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from cxreason.phantom.dictation import technique
from cxreason.phantom.layouts.cards import CHEXPERT, labels_as_mined, save
from cxreason.phantom.radiograph import Radiograph
from cxreason.phantom.study import PhantomStudy

ROOT, PLUS = "CheXpert-v1.0-small", "chexpert-plus"
HEADER = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(CHEXPERT)}"
TABLES: dict[str, str | None] = {
    f"{ROOT}/train.csv": HEADER,
    f"{ROOT}/valid.csv": HEADER,
    f"{PLUS}/df_chexpert_plus_240401.csv": "path_to_image,path_to_dcm,frontal_lateral,ap_pa,deid_patient_id,"
    "patient_report_date_order,report,section_narrative,section_clinical_history,section_history,"
    "section_comparison,section_technique,section_procedure_comments,section_findings,section_impression,"
    "section_end_of_impression,section_summary,section_accession_number,age,sex,race,ethnicity,"
    "interpreter_needed,insurance_type,recent_bmi,deceased,split",
    f"{PLUS}/chexbert_labels/report_fixed.json": None,
}


def write(out: Path, one: PhantomStudy, films: tuple[Radiograph, ...]) -> Iterator[tuple[str, tuple]]:
    """Images of one study in both releases; its rows."""
    visit, study = one.visit, one.study
    split = "train" if study.split == "train" else "valid"
    number = 2 if visit.prior else 1
    patient = f"patient{visit.patient + 1:05d}"
    mined = labels_as_mined(one)
    values = list(mined.values()) if split == "train" else _judged(one)
    sex = visit.sex.capitalize() or "Unknown"
    for position, film in enumerate(films, 1):
        side = "lateral" if film.view == "LATERAL" else "frontal"
        place = f"{split}/{patient}/study{number}/view{position}_{side}.jpg"
        view = "" if side == "lateral" else film.view
        save(film.pixels, out / ROOT / place)
        save(film.pixels, out / PLUS / "PNG" / Path(place).with_suffix(".png"))
        row = (f"{ROOT}/{place}", sex, visit.age, side.capitalize(), view, *values)
        yield f"{ROOT}/{split}.csv", row
        yield (
            f"{PLUS}/df_chexpert_plus_240401.csv",
            _plus(one, place, side, view, patient, number, sex, split),
        )
        chexbert = {name: float(value) if value else None for name, value in mined.items()}
        line = json.dumps({"path_to_image": place, **chexbert})
        yield f"{PLUS}/chexbert_labels/report_fixed.json", (line,)


def _judged(one: PhantomStudy) -> list[str]:
    """What radiologists see: there or not, whatever the report says of it."""
    return [f"{float(one.study.labels.get(finding) != 0):.1f}" for finding in CHEXPERT.values()]


def _plus(
    one: PhantomStudy, place: str, side: str, view: str, patient: str, number: int, sex: str, split: str
) -> tuple:
    study, visit = one.study, one.visit
    sections = {
        "NARRATIVE": "",
        "CLINICAL HISTORY": study.indication,
        "COMPARISON": study.comparison,
        "TECHNIQUE": technique(visit),
        "FINDINGS": study.findings,
        "IMPRESSION": study.impression,
    }
    report = "\n\n".join(f"{name}:\n{text}" for name, text in sections.items() if text)
    texts = (report, "", study.indication, "", study.comparison, technique(visit), "", study.findings)
    person = (visit.age, sex, "", "", "", "", "", "No", split)
    dicom = str(Path(place).with_suffix(".dcm"))
    head = (place, dicom, side.capitalize(), view, patient, number)
    return (*head, *texts, study.impression, "", "", number, *person)
