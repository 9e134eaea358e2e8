"""The tiny base model: what it is taught is true, in the form in which it will be asked; it can be made."""

import itertools
import random
import re
from collections import Counter

import numpy as np
import pytest

from cxreason.answers import boxes, understand
from cxreason.phantom.generate import studies as drawn
from cxreason.phantom.visit import DEEP
from cxreason.recipes import BaseModelRecipe, load, validate
from cxreason.records import Box, Study
from cxreason.runs import read
from cxreason.tasks.radrbench import COURSES
from cxreason.text.ontology import FINDINGS, NO_FINDING, implies
from cxreason.training import models, tiny, tiny_drills, tiny_seeing, tiny_speaking, tiny_weighing

CONCLUDING = [one.partition(" {answer}")[0] for one in tiny_drills.CONCLUSIONS]


@pytest.fixture(scope="module")
def studies():
    return [one.study for one in drawn(seed=5, num_studies=280, world=DEEP)]


def lessons(studies, make=tiny_speaking.lesson, num_lessons=300):
    by_id, rota = {study.id: study for study in studies}, tiny_speaking.Rota(studies, random.Random(3))
    for _ in range(num_lessons):
        study = rota.study()
        yield study, *make(study, by_id.get(study.prior_id), rota)


def test_a_lesson_reads_like_the_chat_template():
    processor = models.load_processor("phantom")
    turns = [("Look for edema.", "I see no edema."), ("Is it there?", "A, yes.")]
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": turns[0][0]}]
    chat = [
        {"role": "system", "content": tiny_speaking.SYSTEM_PROMPT},
        {"role": "user", "content": content},
        {"role": "assistant", "content": turns[0][1]},
        {"role": "user", "content": turns[1][0]},
        {"role": "assistant", "content": turns[1][1]},
    ]
    rendered = "".join(text for text, _ in tiny_speaking.render(2, turns, num_marks=1))
    assert rendered == processor.apply_chat_template(chat, tokenize=False)


def test_what_a_lesson_says_of_each_finding_is_true(studies):
    verdicts = {"present": 0, "absent": 0}
    for study, shown, turns in lessons(studies):
        for _, reply in turns:
            said = re.findall(r"Here (\w+(?: \w+)?) (?:is|are) (present|absent)", reply)
            said = [] if " now" in reply else said  # of two images: below
            for name, verdict in said:
                name = "pleural other" if name == "pleural thickening" else name
                assert study.labels[name] == (verdict == "present"), (study.report, reply)
                verdicts[verdict] += 1
            if said:
                assert shown == [(study.id, number) for number in range(len(study.images))]
    assert min(verdicts.values()) > 100


def test_every_finding_is_called_as_often_where_it_is_as_where_it_is_not(studies):
    called = {name: [0, 0] for name in FINDINGS}
    rota = tiny_speaking.Rota(studies, random.Random(3))
    for _ in range(3000):
        study = rota.study()
        for name in rota.findings(study):
            called[name][study.labels[name]] += 1
    for name, (gone, there) in called.items():
        assert 0.6 < there / gone < 1.7, (name, gone, there)


def test_of_a_look_only_what_is_seen_is_learnt(studies):
    for study, _, turns in lessons(studies, tiny_speaking.look, 100):
        ((_, reply),) = turns
        assert [learned for _, learned in reply] == [False, True] * (len(reply) // 2)
        for (named, _), (seen, _) in zip(reply[::2], reply[1::2], strict=True):
            name = named.strip().removeprefix("Here ")
            name = "pleural other" if name == "pleural thickening" else name
            assert re.match(r" (is|are) " + ("present" if study.labels[name] else "absent"), seen)


def test_a_glance_asks_nothing_and_says_only_what_is_there_and_what_is_not(studies):
    verdicts = set()
    for study, _, turns in lessons(studies, tiny_speaking.glance, 100):
        ((question, reply),) = turns
        assert not question
        for (named, given), (seen, learned) in zip(reply[::2], reply[1::2], strict=True):
            assert (given, learned) == (False, True)
            name = named.strip().removeprefix("Here ")
            name = "pleural other" if name == "pleural thickening" else name
            assert seen.endswith(" present." if study.labels[name] else " absent.")
            verdicts.add(seen)
        said = tiny_speaking.render(1, turns, 4)
        assert said[0][0].startswith("<|vision_start|>")
        assert said[1:] == reply
    assert verdicts == {" is present.", " is absent.", " are present.", " are absent."}


def test_a_comparison_shows_the_prior_first_and_tells_both_and_the_course(studies):
    by_id, checked = {study.id: study for study in studies}, 0
    for study, shown, turns in lessons(studies):
        for _, reply in turns:
            compared = re.fullmatch(r"Here (.+)\. Here (.+)\. The (.+) is (\w+)\.", reply)
            if compared:
                *both, finding, course = compared.groups()
                assert shown == [(study.prior_id, 0), (study.id, 0)]
                assert COURSES[study.changes[finding]] == course
                for said, one in zip(both, (by_id[study.prior_id], study), strict=True):
                    assert said.endswith("? None") == (one.labels[finding] == 0), (one.report, reply)
                checked += 1
    assert checked > 30


def test_of_the_findings_that_are_named_those_that_are_there_are_picked(studies):
    num_there = []
    for study, shown, turns in lessons(studies, tiny_weighing.pick, 100):
        assert shown == [(study.id, number) for number in range(len(study.images))]
        ((question, reply),) = turns
        assert not question
        for (listed, _), (told, learned), (end, _) in zip(*[iter(reply)] * 3, strict=True):
            assert learned
            assert end == "\n"
            num_there.append(rightly_picked(study, listed, told))
    assert set(num_there) == {0, 1, 2}


OPTIONS = re.compile(r"^[A-D][.)] (.+)$", flags=re.MULTILINE)
"""The options of a prompt, as both dialects list them."""


def rightly_picked(study, listed, told):
    """How many of the findings that are named are there; those and no others have to be picked."""
    named = {name for part in re.findall(r"(?:^|\? )([^?]+) \([A-F]\)", listed) for name in part.split(", ")}
    there = {name for name in named if study.labels[name]}
    said = re.findall(r"Here (.+?) (?:is|are) (present|absent)", told)
    picked = {"pleural other" if name == "pleural thickening" else name for name, _ in said}
    assert picked == (there or named)
    assert {verdict for _, verdict in said} == {"present" if there else "absent"}
    assert told.startswith(" None fits.") == (not there)
    return len(there)


def test_whoever_is_asked_names_what_was_asked_and_picks_of_it_what_is_there(studies):
    num_there, num_concluded = [], 0
    for study, shown, turns in lessons(studies, tiny_weighing.pick_asked, 100):
        assert shown == [(study.id, number) for number in range(len(study.images))]
        for question, reply in turns:
            if OPTIONS.search(question):  # in the form of the drills: see below
                continue
            listed, _, told = reply.rpartition("? ")
            options = dict(re.findall(r"(?:^|\? )([^?]+) (\([A-F]\))", listed))
            assert [option for option in options if option not in question] == []
            told, end, chosen = told.partition(next((f" {one}" for one in CONCLUDING if one in told), "\n"))
            num_there.append(rightly_picked(study, listed, f" {told}"))
            if end:  # one option alone fits
                option, letter = re.fullmatch(r" (.+) (\(\w\))\.", chosen).groups()
                assert options[option] == letter
                assert all(study.labels[name] for name in option.split(", "))
                num_concluded += 1
    assert num_concluded > 20
    assert set(num_there) == {0, 1, 2}


def test_a_choice_in_the_form_of_the_drills_has_one_right_option_and_it_is_the_answer(studies):
    sizes, modes = Counter(), Counter()
    for study, _, turns in lessons(studies, tiny_weighing.pick_asked, 200):
        there = {name for name in FINDINGS if study.labels.get(name) == 1}
        for question, reply in turns:
            options = OPTIONS.findall(question)
            if not options:
                continue
            mode = "reasoning" if "step by step" in question else "direct"
            dialect = "think" if "<answer>" in question else "boxed"
            said = understand(reply, dialect=dialect, mode=mode, kind="choice", options=options)
            right = [option for option in options if set(option.split(", ")) <= there] or [NO_FINDING]
            assert [options["ABCD".index(said.answer)]] == right
            sizes[len(right[0].split(", ")), right == [NO_FINDING]] += 1
            modes[dialect, mode] += 1
    assert set(sizes) == {(1, True), (1, False), (2, False)}
    assert sizes[2, False] > 0.35 * sizes.total()
    assert len(modes) == 4


def test_common_findings_are_right_no_more_often_than_rare_ones():
    draw = random.Random(5)
    common, rare = "lung opacity", "fracture"
    every = [
        Study(str(number), "d", str(number), ("x.png",), labels=dict.fromkeys(FINDINGS, 0) | has)
        for number, has in enumerate([{common: 1}] * 8 + [{rare: 1}] * 1 + [{}] * 3)
    ]
    rota, right, wrong = tiny_speaking.Rota(every, draw), Counter(), Counter()
    for _ in range(3000):
        puzzle = tiny_weighing._posed(rota.study(), rota)
        right[puzzle.answer] += 1
        wrong.update(set(puzzle.names) - {puzzle.answer})
    assert right[common] / wrong[common] < 2 * right[rare] / wrong[rare]


def test_whoever_is_asked_about_a_course_tells_both_images_of_that_finding_and_then_the_course(studies):
    by_id, found = {study.id: study for study in studies}, set()
    for study, shown, turns in lessons(studies, tiny_weighing.follow_asked, 200):
        if len(shown) < 2 or shown[0][0] == study.id:
            continue  # too little is known: another lesson stands in for it
        for question, reply in turns:
            if OPTIONS.search(question) and "step by step" not in question:
                continue  # the answer alone
            form = r".*(Here (.+?) before.*) (Here \2 now.*) The \2 is (\w+)\. .* \4 (\(\w\))\.(.*)"
            told = re.fullmatch(form, reply)
            if told[6]:
                assert told[5][1] in told[6], "the letter of the conclusion is the answer"
            assert f"{told[4]} {told[5]}?" in reply
            name = "pleural other" if "thick" in told[2] else told[2]
            assert name in question
            for said, one in zip((told[1], told[3]), (by_id[shown[0][0]], study), strict=True):
                assert ("? None" not in said) == one.labels[name]
            found.add((told[4], shown[0][0] == study.prior_id))
    assert len(found) == 6  # three courses, of the same patient or not


def test_what_only_one_of_two_images_has_is_told_of_the_right_one(studies):
    by_id, verdicts = {study.id: study for study in studies}, set()
    for study, shown, turns in lessons(studies, tiny_weighing.tell_apart, 100):
        if len(shown) < 2 or shown[0][0] == study.id:
            continue  # they have the same: another lesson stands in for it
        pair = {"before": by_id[shown[0][0]], "now": study}
        for (named, given), (seen, learned) in itertools.pairwise(turns[0][1]):
            if learned:
                name, when = re.fullmatch(r" Here (.+) (before|now)", named).groups()
                name = "pleural other" if name == "pleural thickening" else name
                there = pair[when].labels[name]
                assert not given
                assert there + pair["now" if when == "before" else "before"].labels[name] == 1
                assert seen == (
                    (" are" if "devices" in name else " is") + " present." if there else "? None."
                )
                verdicts.add((when, there))
    assert len(verdicts) == 4


def test_a_course_is_told_of_two_images_before_or_after_what_is_seen_on_them(studies):
    by_id, found = {study.id: study for study in studies}, []
    for study, shown, turns in lessons(studies, tiny_weighing.follow, 300):
        if len(shown) < 2 or shown[0][0] == study.id:
            continue  # too little is known: another lesson stands in for it
        earlier = by_id[shown[0][0]]
        said = "".join(text for text, _ in turns[0][1])
        for name, course in re.findall(r"The (.+?) is (\w+)\.", said):
            both = [one.labels["pleural other" if "thick" in name else name] for one in (earlier, study)]
            if both[0] != both[1]:
                assert course == ("worsening" if both[1] else "improving")
            for when in ("before", "now"):
                assert re.search(rf"Here {name} {when}(\? None| is present)", said)
            verdict_first = said.index(f"The {name} is") < said.index(f"Here {name} before")
            found.append((course, shown[0][0] == study.prior_id, verdict_first))
    assert len(set(found)) == 12  # three courses, of the same patient or not, the verdict first or last


def test_a_finding_is_pointed_at_where_it_is(studies):
    pointed = 0
    for study, _, turns in lessons(studies):
        for question, reply in turns:
            if "<|box|>" in reply:
                (finding,) = [name for name in FINDINGS if name in question]
                own = [box for box in study.boxes if implies(box.label, finding) and box.image == 0]
                assert boxes.score(reply, boxes.write(own)) >= min(1.0, 2 / len(own)) - 0.01
                pointed += 1
    assert pointed > 20


def test_no_lesson_asks_what_the_benchmark_asks(studies):
    made = (tiny_speaking.lesson, tiny_weighing.pick_asked, tiny_weighing.follow_asked)
    every = itertools.chain(*(lessons(studies, make, 100) for make in made))
    asked = " ".join(question for _, _, turns in every for question, _ in turns)
    for words in ("Does this chest X-ray show", "Which finding", "What is the progression"):
        assert words not in asked


def test_the_tower_is_taught_what_is_certain_and_a_place_only_where_it_is_told():
    told = {"edema": 0, "pleural effusion": 1, "cardiomegaly": 1, "fracture": -1}
    effusion = Box("pleural effusion", 0.1, 0.6, 0.4, 0.9)
    report = "Large left effusion. Cardiomegaly. Possible fracture."
    study = Study("1", "d", "p", ("x.png", "y.png"), findings=report, labels=told, boxes=(effusion,))
    findings = ["edema", "pleural effusion", "cardiomegaly", "fracture", "pneumonia"]
    target, known = tiny_seeing.vision_targets([(study, 0), (study, 1)], findings)
    names = np.array(("present", *tiny_seeing.ATTRIBUTES, "x1", "y1", "x2", "y2"))

    def taught(values, image, finding):
        at = findings.index(finding) * tiny_seeing.WIDTH
        return set(names[values[image, at : at + tiny_seeing.WIDTH] > 0])

    edges = {"x1", "y1", "x2", "y2"}
    assert taught(known, 0, "edema") == {"present"}
    sizes = {"mild", "moderate", "severe"}
    assert taught(known, 0, "pleural effusion") == {"present", "left", "right"} | sizes | edges
    assert taught(target, 0, "pleural effusion") == {"present", "left", "severe"} | edges
    assert taught(known, 0, "cardiomegaly") == {"present"}
    assert taught(known, 0, "fracture") == taught(known, 0, "pneumonia") == set()
    # From the side neither left nor right can be told, and the box lies on the other image.
    assert taught(known, 1, "pleural effusion") == {"present"}


def test_a_patch_is_marked_by_how_much_of_it_lies_in_a_box_of_the_finding():
    import torch

    boxes = (Box("pneumonia", 0.25, 0.5, 0.5, 1.0), Box("edema", 0, 0, 1, 1, image=1))
    study = Study("1", "d", "p", ("x.png", "y.png"), boxes=boxes)
    marks = tiny_seeing.box_maps([(study, 0), (study, 1)], ["lung opacity", "fracture", "edema"], 4)
    # A picture that is white in the box, in the patches that the tower is shown.
    grey = torch.zeros((1, 56, 56), dtype=torch.uint8)
    grey[0, 28:, 14:28] = 255
    white = tiny_seeing.Pictures(grey, {}, (0, 0, 0), (1, 1, 1)).cut([0]).mean((2, 3))
    assert marks[0, :, 0].tolist() == white[0].tolist()
    assert marks[1, :, 2].tolist() == [1] * 16
    assert marks[:, :, 1].sum() == marks[0, :, 2].sum() == 0


def test_pictures_become_the_patches_that_the_processor_makes(corpus):
    import torch
    from PIL import Image

    processor, studies = models.load_processor("phantom"), list(read(corpus / "phantom", Study))
    pictures = tiny_seeing.read_pictures(studies[:3], corpus / "phantom", processor)
    images = [Image.open(corpus / "phantom" / study.images[0]) for study in studies[:3]]
    made = processor.image_processor(images=images, return_tensors="pt")["pixel_values"]
    rows = [pictures.row_of[study.id, 0] for study in studies[:3]]
    assert torch.equal(pictures.patches(rows), made)


def test_images_seen_together_are_seen_as_the_class_sees_them_one_by_one():
    import torch

    torch.manual_seed(3)
    tower = models.load_model("phantom").model.visual
    grey = torch.randint(0, 256, (3, 112, 112), dtype=torch.uint8)
    pictures = tiny_seeing.Pictures(grey, {}, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    rows = torch.tensor([2, 0, 1])
    with torch.no_grad():
        one_by_one = tower(pictures.patches(rows), grid_thw=torch.tensor([[1, 8, 8]] * 3)).pooler_output
        *blocks, together = tiny_seeing.see(tower, pictures, rows)
    assert len(blocks) == len(tower.blocks)
    torch.testing.assert_close(together.flatten(0, 1), one_by_one, rtol=1e-4, atol=1e-5)


def test_the_loss_of_a_lesson_is_on_the_replies():
    import torch

    processor = models.load_processor("phantom")
    grey = torch.zeros((1, 112, 112), dtype=torch.uint8)
    pictures = tiny_seeing.Pictures(grey, {}, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    turns = [("Look for edema.", "I see no edema."), ("Is it there?", "A, yes.")]
    batch = tiny_speaking.make_batch([([0], turns)], pictures, processor.tokenizer)
    learned = processor.tokenizer.decode(batch["input_ids"][0][batch["labels"][0] != -100])
    assert learned == "I see no edema.<|im_end|>\nA, yes.<|im_end|>\n"
    assert int(batch["mm_token_type_ids"].sum()) == 16


@pytest.mark.slow
def test_a_base_model_can_be_made_and_speaks(tmp_path, corpus):
    shipped = load(BaseModelRecipe, None, [f"out={tmp_path}", *SMALL])
    counts = tiny.make(validate(BaseModelRecipe, shipped.model_dump()))
    assert counts["num_studies"] == 120
    assert tiny.make(shipped) == counts
    from cxreason.inference.transformers import TransformersEngine

    image = next((corpus / "phantom" / "images").glob("*.png"))
    engine = TransformersEngine(str(tmp_path / "model"), max_new_tokens=4)
    assert engine.generate([[{"role": "user", "content": "Look for edema."}]], [[image]])[0].num_tokens > 0


SMALL = [
    "num_studies=120",
    "vocabulary_size=600",
    "size={hidden_size: 64, intermediate_size: 64, num_hidden_layers: 1, num_attention_heads: 2,"
    " num_key_value_heads: 1, vision_depth: 1, vision_hidden_size: 64, vision_intermediate_size: 64,"
    " vision_heads: 2}",
    "vision={steps: 2, batch_size: 8, learning_rate: 1e-3}",
    "weighing={steps: 3, batch_size: 4, learning_rate: 1e-3}",
    "copying={steps: 2, batch_size: 4, learning_rate: 1e-3}",
    "glancing={steps: 5, batch_size: 8, learning_rate: 1e-3}",
    "looking={steps: 2, batch_size: 4, learning_rate: 1e-3}",
    "choosing={steps: 2, batch_size: 4, learning_rate: 1e-3}",
    "concluding={steps: 2, batch_size: 4, learning_rate: 1e-3}",
]
