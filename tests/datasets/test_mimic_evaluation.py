"""What MIMIC-CXR is evaluated with: Chest ImaGenome and CXR-LT."""

import json
import zipfile

import pytest
from mimic_tree import image, write_csv, write_json

from cxreason.datasets import DatasetError, chest_imagenome, cxr_lt

BOXES = [
    "image_id",
    "bbox_name",
    "x1",
    "y1",
    "x2",
    "y2",
    "original_x1",
    "original_y1",
    "original_x2",
    "original_y2",
]
FACTS = ["patient_id", "study_id", "image_id", "bbox", "relation", "label_name", "categoryID"]


def gold(folder):
    home = folder / "gold_dataset"
    rows = [("d1-a.dcm", "left lung", 0, 0, 112, 112, 40, 30, 200, 150)]
    write_csv(home / "gold_bbox_coordinate_annotations_1000images.csv", BOXES, rows)
    who = (10000032, 50000001, "d1-a.dcm")
    facts = [
        (*who, "left lung", "1", "lung opacity", "anatomicalfinding"),
        (*who, "right lung", "0", "lung opacity", "anatomicalfinding"),
        (*who, "left lung", "0", "pneumothorax", "anatomicalfinding"),
        (*who, "left lung", "1", "abnormal", "nlp"),
    ]
    write_csv(home / "gold_object_attribute_with_coordinates.txt", FACTS, facts, delimiter="\t")
    return folder


SCENE = {
    "image_id": "d4-a",
    "objects": [
        {"bbox_name": "left lung", "x1": 0, "y1": 28, "x2": 112, "y2": 196},
        {
            "bbox_name": "right lung",
            "original_x1": 200,
            "original_y1": 0,
            "original_x2": 400,
            "original_y2": 300,
        },
    ],
    "attributes": [
        {"bbox_name": "left lung", "attributes": [["anatomicalfinding|no|lung opacity", "nlp|yes|abnormal"]]},
        {
            "bbox_name": "right lung",
            "attributes": [["anatomicalfinding|yes|lung opacity"], ["disease|no|pneumonia"]],
        },
    ],
    "relationships": [
        {
            "relationship_names": ["comparison|yes|improved"],
            "attributes": ["anatomicalfinding|yes|lung opacity"],
        },
        {
            "relationship_names": ["comparison|yes|no change"],
            "attributes": ["anatomicalfinding|yes|atelectasis"],
        },
        {
            "relationship_names": ["comparison|yes|worsened"],
            "attributes": ["anatomicalfinding|yes|atelectasis"],
        },
        {"relationship_names": ["comparison|yes|no change"], "attributes": ["nlp|yes|abnormal"]},
    ],
}


def silver(folder, packed=True):
    home = folder / "silver_dataset"
    rows = [(10000898, 50000004, "d4-a"), (10000764, 50000003, "d3-a")]
    write_csv(home / "splits/test.csv", ("subject_id", "study_id", "dicom_id"), rows)
    write_csv(home / "splits/images_to_avoid.csv", ("dicom_id",), [("d3-a",)])
    if packed:
        with zipfile.ZipFile(home / "scene_graph.zip", "w") as archive:
            archive.writestr("scene_graph/d4-a_SceneGraph.json", json.dumps(SCENE))
    else:
        write_json(home / "scene_graph/d4-a_SceneGraph.json", SCENE)
    return folder


def test_gold_images_end_in_dcm_and_their_regions_are_in_pixels(mimic, beside):
    (study,) = chest_imagenome.read(gold(beside), mimic)
    assert study.images == (image("10000032", "50000001", "d1-a"),)
    (box,) = study.boxes
    assert (box.label, box.x1, box.y1, box.x2, box.y2) == ("left lung", 0.1, 0.1, 0.5, 0.5)


def test_regions_that_were_not_found_have_no_box_and_the_second_table_of_facts_will_do(mimic, beside):
    home = gold(beside) / "gold_dataset"
    (whole,) = chest_imagenome.read(beside, mimic)
    table = home / "gold_bbox_coordinate_annotations_1000images.csv"
    table.write_text(table.read_text() + "d1-a.dcm,right lung,,,,,,,,\n")
    facts = home / "gold_object_attribute_with_coordinates.txt"
    facts.rename(home / "gold_attributes_relations_500pts_500studies1st.txt")
    assert list(chest_imagenome.read(beside, mimic)) == [whole]
    facts.write_text("image_id\tobject\nd1-a.dcm\tleft lung\n")
    assert list(chest_imagenome.read(beside, mimic)) == [whole]
    table.write_text(table.read_text() + "d1-a.dcm,spine,0,0,1,1,a,0,1,1\n")
    with pytest.raises(DatasetError, match=r"expected numbers as original_x1.*; found a, 0, 1, 1"):
        list(chest_imagenome.read(beside, mimic))


def test_what_is_seen_in_one_region_is_there(mimic, beside):
    (study,) = chest_imagenome.read(gold(beside), mimic)
    assert study.labels == {"lung opacity": 1, "pneumothorax": 0}


def test_gold_is_test_even_of_patients_of_mimic_cxrs_train(mimic, beside):
    (study,) = chest_imagenome.read(gold(beside), mimic)
    assert (study.split, study.own_split) == ("train", "test")


@pytest.mark.parametrize("packed", [True, False])
def test_scene_graphs_of_the_silver_test_split_are_read_but_those_to_avoid(mimic, beside, packed):
    (study,) = chest_imagenome.read(silver(beside, packed), mimic)
    assert study.id == "chest-imagenome/silver/d4-a"
    assert study.labels == {"lung opacity": 1, "pneumonia": 0}


def test_a_course_on_which_regions_disagree_is_none(mimic, beside):
    (study,) = chest_imagenome.read(silver(beside), mimic)
    assert study.changes == {"lung opacity": "improving"}


def test_places_on_the_small_square_are_brought_back_to_the_picture_in_its_middle(mimic, beside):
    (study,) = chest_imagenome.read(silver(beside), mimic)
    left, right = [(box.x1, box.y1, box.x2, box.y2) for box in study.boxes]
    assert left == pytest.approx((0, 0, 0.5, 1))  # 300 of 400 pixels high: rows 28 to 196 of 224
    assert right == pytest.approx((0.5, 0, 1, 1))


def test_a_scene_graph_that_is_missing_is_named(mimic, beside):
    silver(beside)
    with zipfile.ZipFile(beside / "silver_dataset/scene_graph.zip", "w"):
        pass
    with pytest.raises(DatasetError, match=r"expected d4-a_SceneGraph\.json; it is not in there"):
        list(chest_imagenome.read(beside, mimic))


HEADER = ["dicom_id", "subject_id", "study_id", "ViewPosition", "fpath", "Edema", "Tortuous Aorta", "Normal"]


def challenge(folder, year="2024", name="test_labeled_task1", header=HEADER, blank=False):
    values = ("", "", "") if blank else ("0", "1", "0")
    rows = [
        ("d1-b", "10000032", "50000001", "LATERAL", "x", *values),
        ("d4-a", "10000898", "50000004", "PA", "x", *values),
        ("d1-a", "10000032", "50000001", "PA", "x", *values),
    ]
    write_csv(folder / f"cxr-lt-{year}/{name}.csv", header, rows)
    return folder


def test_images_of_a_study_are_together_wherever_they_stand(mimic, beside):
    first, second = cxr_lt.read(challenge(beside), mimic)
    assert first.images == tuple(image("10000032", "50000001", dicom) for dicom in ("d1-a", "d1-b"))
    assert first.views == ("PA", "LATERAL")
    assert second.views == ("PA",)


def test_every_column_that_is_not_about_the_image_is_a_finding_and_normal_is_no_finding(mimic, beside):
    first, _ = cxr_lt.read(challenge(beside), mimic)
    assert first.labels == {"edema": 0, "tortuous aorta": 1, "no finding": 0}


def test_columns_of_other_things_than_labels_and_of_pandas_are_no_findings(mimic, beside):
    header = ["Unnamed: 0", "dicom_id", "subject_id", "study_id", "img_path", "age", *HEADER[5:]]
    rows = [(0, "d1-a", "10000032.0", "50000001.0", "a/b.jpg", 61, "0", "1.0", "")]
    write_csv(beside / "cxr-lt-2024/train_labeled.csv", header, rows)
    (study,) = cxr_lt.read(beside, mimic)
    assert study.labels == {"edema": 0, "tortuous aorta": 1}
    assert study.images == (image("10000032", "50000001", "d1-a"),)
    assert study.id == "cxr-lt/2024/train_labeled/s50000001"


def test_the_split_of_the_challenge_is_kept_beside_mimic_cxrs(mimic, beside):
    challenge(beside, name="development_labeled_task2")
    found = [(one.split, one.own_split) for one in cxr_lt.read(beside, mimic)]
    assert found == [("train", "validation"), ("test", "validation")]


def test_both_years_are_read_and_tables_without_labels_are_not(mimic, beside):
    challenge(beside, "2023", "train")
    challenge(beside, "2023", "test", blank=True)
    challenge(beside, "2024", "development_task3", [*HEADER[:5], "a", "b", "c"], blank=True)
    challenge(beside)
    found = {one.id.rpartition("/")[0] for one in cxr_lt.read(beside, mimic)}
    assert found == {"cxr-lt/2023/train", "cxr-lt/2024/test_labeled_task1"}


def test_a_folder_without_labelled_tables_is_refused(mimic, beside):
    with pytest.raises(DatasetError, match="expected cxr-lt-2023 or cxr-lt-2024"):
        list(cxr_lt.read(challenge(beside, blank=True), mimic))
