"""Public datasets, each from its official layout on disk to `Study`, one small file for each.

A module begins with a docstring of five blocks (Content, Labels, Access, Citation, Layout), from which
docs/datasets.md is made, and holds the constants and the two functions of `Dataset`. Nothing else is needed
to add one, except its line in `DATASETS`.

    >>> sorted(DATASETS)[0] in DATASETS
    True
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from cxreason.datasets import (
    bimcv_covid19,
    brax,
    candid_ptx,
    chest_imagenome,
    chestx_ray14,
    chexpert,
    chexpert_plus,
    covidx,
    cxr_lt,
    mimic_cxr,
    mimic_cxr_vqa,
    mimic_diff_vqa,
    mimic_iii,
    mimic_nle,
    ms_cxr,
    ms_cxr_t,
    nlm_tb,
    object_cxr,
    open_i,
    padchest,
    pmc_vqa,
    rad_restruct,
    radgraph,
    radqa,
    rexgradient,
    rexvqa,
    roco,
    rsna,
    siim_acr,
    slake,
    vindr_cxr,
    vindr_pcxr,
    vqa_med_2019,
    vqa_rad,
)
from cxreason.datasets.tables import DatasetError
from cxreason.records import Study

__all__ = ["DATASETS", "Dataset", "DatasetError", "held", "read"]


class Dataset(Protocol):
    """What the module of a dataset holds."""

    @property
    def NAME(self) -> str:
        """Its name in recipes, ids and `Study.dataset`: small letters and hyphens."""
        ...

    @property
    def TITLE(self) -> str:
        """Its name in tables and cards."""
        ...

    @property
    def LICENCE(self) -> str: ...

    @property
    def CITATION(self) -> str: ...

    @property
    def OFFICIAL_SPLITS(self) -> tuple[str, ...]:
        """Of train, validation and test those that its owners define; empty where they define none.

        All studies have the split "train" then, and whoever builds samples has to split them by patient.
        """
        ...

    @property
    def TASKS(self) -> tuple[str, ...]:
        """The tasks that it feeds, by their names in Table S3 of the CheXOne paper."""
        ...

    @property
    def EVALUATION_ONLY(self) -> bool: ...

    @property
    def STANDS_ON(self) -> tuple[str, ...]:
        """The datasets whose images, reports or splits it needs, by name."""
        ...

    @property
    def find(self) -> Callable[[Path], Path | None]:
        """folder -> the dataset's own folder, it or one up to two folders below; None where it is not there.

        It looks for the file that no other dataset has, and reads no more than its beginning.
        """
        ...

    @property
    def read(self) -> Callable[..., Iterator[Study]]:
        """folder, and one for each of `STANDS_ON` -> its studies, streamed in an order that does not change.

        These are folders that the `find` of each of them accepts. Image paths are relative to `folder`.
        DatasetError where something is not as published.
        """
        ...


DATASETS: dict[str, Dataset] = {
    "mimic-cxr": mimic_cxr,
    "mimic-cxr-vqa": mimic_cxr_vqa,
    "mimic-diff-vqa": mimic_diff_vqa,
    "mimic-nle": mimic_nle,
    "ms-cxr": ms_cxr,
    "ms-cxr-t": ms_cxr_t,
    "radgraph": radgraph,
    "chest-imagenome": chest_imagenome,
    "cxr-lt": cxr_lt,
    "mimic-iii": mimic_iii,
    "radqa": radqa,
    "vqa-rad": vqa_rad,
    "slake": slake,
    "vqa-med-2019": vqa_med_2019,
    "pmc-vqa": pmc_vqa,
    "rad-restruct": rad_restruct,
    "vindr-cxr": vindr_cxr,
    "vindr-pcxr": vindr_pcxr,
    "candid-ptx": candid_ptx,
    "siim-acr": siim_acr,
    "object-cxr": object_cxr,
    "chexpert": chexpert,
    "chexpert-plus": chexpert_plus,
    "rexgradient": rexgradient,
    "rexvqa": rexvqa,
    "chestx-ray14": chestx_ray14,
    "padchest": padchest,
    "rsna": rsna,
    "covidx": covidx,
    "brax": brax,
    "nlm-tb": nlm_tb,
    "roco": roco,
    "bimcv-covid19": bimcv_covid19,
    "open-i": open_i,
}


def held(folder: Path) -> dict[str, Path]:
    """The datasets that a folder holds, each with its own folder, in the order of `DATASETS`."""
    places = ((name, dataset.find(folder)) for name, dataset in DATASETS.items())
    return {name: place for name, place in places if place is not None}


def read(name: str, folders: Sequence[Path]) -> Iterator[Study]:
    """The studies of a dataset, from the first of the folders that holds it; image paths relative to it.

    What it stands on may lie in any of the folders.
    """
    if name not in DATASETS:
        raise DatasetError(f"unknown dataset {name!r}. Known datasets: {', '.join(DATASETS)}.")
    dataset = DATASETS[name]
    return dataset.read(*(_first(one, name, folders) for one in (name, *dataset.STANDS_ON)))


def _first(name: str, wanted_by: str, folders: Sequence[Path]) -> Path:
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(f"{folder}: there is no such folder.")
        if DATASETS[name].find(folder) is not None:
            return folder
    why = "" if name == wanted_by else f", which {wanted_by} stands on"
    raise DatasetError(f"{', '.join(map(str, folders))}: does not hold {name}{why}. Add its folder.")
