"""Every metric against values that were worked out by hand or with the published code, without weights."""

import numpy as np
import pytest

from cxreason.evaluation import chexbert, consistency, grounding, radcliq
from cxreason.evaluation.bertscore import from_cosines, idf, rescaled
from cxreason.evaluation.graphs import VARIANTS, combined, entity_set, radgraph_f1
from cxreason.evaluation.green import read_green
from cxreason.evaluation.overlap import bleu2_rexrank, bleu4_parts, bleu_corpus, rouge_l, rouge_l_coco
from cxreason.evaluation.radrscore import share_of_entities
from cxreason.evaluation.ratescore import ratescore, similarity

EXACT = {"abs": 1e-6}


@pytest.mark.parametrize(
    ("reference", "hypothesis", "value"),
    [
        ("a b c d", "a b c d", 1),
        ("a b c d", "a b d c", 0.577350),
        ("a b c d", "d c b a", 0.182574),
        ("a b c d", "x y z", 0),
        ("a b c d", "", 0),
        ("x", "x", 0.316228),
        ("a b c d e f", "a b c", 0.367879),
        ("a b c", "a b c d e f", 0.447214),
        ("A b. C", "a b . c", 1),
        ("a, b", "a b", 0.223607),
        ("a b\nc", "a b c", 0.129099),
    ],
)
def test_bleu2_of_rexrank(reference, hypothesis, value):
    assert bleu2_rexrank(hypothesis, reference) == pytest.approx(value, **EXACT)


def test_bleu4_of_a_set():
    pairs = [
        ("a b c d e", "a b c d e"),
        ("a b c d e f", "a b c d x f"),
        ("a b", "a b"),
        ("p q r s", "p q s r"),
    ]
    sums = np.sum([bleu4_parts(said, true) for true, said in pairs], axis=0)[None]
    found = [bleu_corpus(sums, longest)[0] for longest in (1, 2, 3, 4)]
    assert found == pytest.approx([0.941176, 0.807207, 0.712688, 0.652254], **EXACT)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "f1", "coco"),
    [("a b c d e", "a c e", 0.75, 0.717647), ("a b c d", "a c d e", 0.75, 0.75)],
)
def test_rouge_l(reference, hypothesis, f1, coco):
    assert rouge_l(hypothesis, reference) == pytest.approx(f1, **EXACT)
    assert rouge_l_coco(hypothesis, reference) == pytest.approx(coco, **EXACT)


def test_bertscore():
    found = from_cosines([[0.95, 0.80, 0.70], [0.82, 0.90, 0.60]])
    assert found == pytest.approx((0.925, 0.85, 0.885915), **EXACT)
    assert rescaled(found[2]) == pytest.approx(0.252729, **EXACT)
    raw = [rescaled(f) for f in (0, 0.8, 0.9, 0.95, 1)]
    assert raw == pytest.approx([-5.550157, -0.310031, 0.344984, 0.672492, 1], **EXACT)
    weights = idf(3, [("a", 1), ("b", 2), ("c", 3), ("unseen", 0)])
    assert list(weights.values()) == pytest.approx([0.693147, 0.287682, 0, 1.386294], **EXACT)


@pytest.mark.parametrize(
    ("scores", "v0", "v1"),
    [
        ((1, 1, 1, 1), -0.2421334229, -1.4406902828),
        ((0, 0, 0, 0), 5.5161608041, 2.4501430833),
        ((0.5, 1, 1, 1), 0.5523836939, -0.8180821177),
        ((0.5, 0.5, 0.5, 0.5), 2.6370136906, 0.5047264003),
        ((0.25, 0.40, 0.60, 0.20), 2.9337355358, 0.8816378450),
        ((0.20, 0.35, 0.45, 0.15), 3.4089874181, 1.1756566840),
        ((0.244, 0.518, 0.601, 0.195), 2.582667, 0.693315),
        ((0.157, 0.380, 0.494, 0.102), 3.270323, 1.135906),
    ],
)
def test_radcliq(scores, v0, v1):
    assert radcliq.radcliq(*scores, "v0") == pytest.approx(v0, **EXACT)
    assert radcliq.radcliq(*scores, "v1") == pytest.approx(v1, **EXACT)


def test_radcliq_of_a_lone_pair_with_its_own_idf_and_the_inverse_of_a_mean():
    assert radcliq.radcliq(1, -0.8473319 / 0.1526681, 1, 1) == pytest.approx(9.3726055447, **EXACT)
    rows = [radcliq.radcliq(0.25, 0.40, 0.60, 0.20), radcliq.radcliq(0.20, 0.35, 0.45, 0.15)]
    assert radcliq.inverse(sum(rows) / 2) == pytest.approx(0.972151, **EXACT)
    assert radcliq.inverse(radcliq.radcliq(1, 1, 1, 1)) is None


def graph(*entities):
    """Entities as (tokens, label, relation, number of the other)."""
    return {
        "entities": {
            str(number): {
                "tokens": tokens,
                "label": label,
                "relations": [[one[0], str(one[1])]] if one else [],
            }
            for number, (tokens, label, *one) in enumerate(entities)
        }
    }


def spatial(tokens, target, beta="OBS-DA"):
    return graph(
        (tokens, "OBS-DP", "located_at", 1),
        (target, "ANAT-DP"),
        ("beta", beta),
        ("gamma", "ANAT-DP"),
    )


RADGRAPH = spatial("Alpha", "zone")


@pytest.mark.parametrize(
    ("hypothesis", "cased", "casefold", "both"),
    [
        (spatial("alpha", "apex", "OBS-DP"), (0.25, 0.25, 0.25), (0.5, 0.5, 0.25), 0.125),
        (spatial("alpha", "zone"), (0.75, 0.75, 1), (1, 1, 1), 0.375),
        (
            graph(("alpha", "OBS-DP"), ("zone", "ANAT-DP"), ("beta", "OBS-DA"), ("gamma", "ANAT-DP")),
            (0.75, 0.75, 0.75),
            (1, 0.75, 0.75),
            0.375,
        ),
    ],
)
def test_radgraph_f1_in_all_variants(hypothesis, cased, casefold, both):
    found = [radgraph_f1(hypothesis, RADGRAPH, variant) for variant in VARIANTS]
    folded = [radgraph_f1(hypothesis, RADGRAPH, variant, casefold=True) for variant in VARIANTS]
    assert (found, folded) == (pytest.approx(cased), pytest.approx(casefold))
    assert combined(hypothesis, RADGRAPH) == pytest.approx(both)


def test_equal_graphs_without_relations_score_half_in_what_radcliq_takes():
    bare = graph(("alpha", "OBS-DP"), ("gamma", "ANAT-DP"))
    assert [radgraph_f1(bare, bare, variant) for variant in VARIANTS] == [1, 1, 1]
    assert (combined(bare, bare), combined(bare, bare, fixed=True)) == (0.5, 1.0)


def test_chexbert_f1():
    true, said = ([1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]), ([1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0])
    parts = [chexbert.label_parts(ours, theirs) for ours, theirs in zip(true, said, strict=True)]
    sums = np.sum(parts, axis=0)[None]
    found = [chexbert.label_f1(sums, how)[0] for how in ("micro", "macro", "macro_present")]
    assert found == pytest.approx([0.75, 0.5, 0.75])


RATE = (
    ("DISEASE", "ANATOMY", "ABNORMALITY"),
    ("NON-DISEASE", "ANATOMY"),
    [[0.8, 0.3], [0.2, 0.9], [0.5, 0.6]],
)


@pytest.mark.parametrize(
    ("affinity", "forth", "back", "value"),
    [("long", 0.695111, 0.847157, 0.763639), ("short", 0.574157, 0.630744, 0.601121)],
)
def test_ratescore(affinity, forth, back, value):
    reference, hypothesis, cosines = RATE
    table = np.array(cosines)
    assert similarity(reference, hypothesis, table, affinity) == pytest.approx(forth, **EXACT)
    assert similarity(hypothesis, reference, table.T, affinity) == pytest.approx(back, **EXACT)
    assert ratescore(reference, hypothesis, cosines, affinity) == pytest.approx(value, **EXACT)


def test_a_denied_finding_hardly_costs_under_long():
    pair = (("DISEASE", "ANATOMY"), ("NON-DISEASE", "ANATOMY"), [[1, 0], [0, 1]])
    assert ratescore(*pair, "long") == pytest.approx(0.946261, **EXACT)
    assert ratescore(*pair, "short") == pytest.approx(0.681653, **EXACT)


SIGNIFICANT, INSIGNIFICANT = "[Clinically Significant Errors]:\n", "[Clinically Insignificant Errors]:\n"
MATCHED = "[Matched Findings]:\n"


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (f"{SIGNIFICANT}(a) x: 1. y\n(c) x: 1. y\n\n{INSIGNIFICANT}(b) x: 4. y\n\n{MATCHED}3. a; b; c", 0.6),
        (f"{SIGNIFICANT}No clinically significant errors.\n\n{MATCHED}2. a; b", 1),
        (f"{SIGNIFICANT}(b) x: 2. y", None),
        (f"{MATCHED}3. a; b; c", None),
        (f"{SIGNIFICANT}(a) x: 1. y\n(a) x: 2. y\n\n{MATCHED}1. a", 0.25),
        (f"{SIGNIFICANT}(a) x: 2. y\n\n(b) x: 1. y\n\n{MATCHED}1. a", 0.25),
        (f"{SIGNIFICANT}(a) x: 1. Nodule\n\n{MATCHED}- effusion\n- edema\n- cardiomegaly", 0.75),
        (f"{SIGNIFICANT}Nodule missed.\n(b) missing: Nodule of the left lung\n\n{MATCHED}1. a", 0.5),
        (f"{SIGNIFICANT}(a) x: 1. y\n\n{MATCHED}", None),
        ("", None),
    ],
)
def test_green(reply, value):
    assert read_green(reply).value == (value if value is None else pytest.approx(value))
    assert bool(read_green(reply).problem) == (value is None)


def test_factuality_of_entities():
    def entities(*labelled):
        return graph(*((token, label) for token, label in labelled))

    trace = entities(("a", "DP"), ("b", "DA"), ("c", "ANAT"), ("d", "DP"))
    report = entities(("A", "DP"), ("b", "DP"), ("c", "ANAT"), ("e", "DP"))
    assert share_of_entities(entity_set(trace), entity_set(report)) == 0.5
    bare = [entity_set(one, labelled=False) for one in (trace, report)]
    assert share_of_entities(*bare) == 0.75


@pytest.mark.parametrize(
    ("times", "value"),
    [
        ([8], 1),
        ([7, 1], 0.728218),
        ([6, 2], 0.594361),
        ([5, 3], 0.522783),
        ([4, 4], 0.5),
        ([4, 2, 2], 0.25),
        ([3, 3, 2], 0.219361),
        ([4, 2, 1, 1], 0.125),
        ([2, 2, 2, 2], 0),
    ],
)
def test_self_consistency_of_eight_answers_to_four_options(times, value):
    assert consistency.self_consistency(times, 4) == pytest.approx(value, **EXACT)
    answers = [letter for letter, number in zip("ABCD", times, strict=False) for _ in range(number)]
    assert consistency.answers_consistency(answers, 4) == pytest.approx(value, **EXACT)


def test_self_consistency_elsewhere_and_with_unreadable_answers():
    of = consistency.self_consistency
    assert (of([5, 3], 2), of([5, 3], 3)) == pytest.approx((0.045566, 0.397819), **EXACT)
    unread = [of([7], 4, 1), of([6], 4, 2), of([5, 2], 4, 1), of([], 4, 8)]
    assert unread == pytest.approx([0.701273, 0.503304, 0.387000, 0], **EXACT)
    guesser = [consistency.expected_of_guesser(8, options) for options in (2, 3, 4, 5)]
    assert guesser == pytest.approx([0.097558, 0.129240, 0.159357, 0.186614], **EXACT)
    with pytest.raises(ValueError, match="least"):
        of([8], 1)
    with pytest.raises(ValueError, match="least"):
        of([1], 4)


def boxes(*hundredths):
    return [tuple(value / 100 for value in box) for box in hundredths]


def test_overlap_of_several_boxes():
    said = boxes((0, 0, 40, 40), (60, 60, 100, 100), (0, 60, 20, 80))
    true = boxes((0, 0, 40, 50), (50, 60, 100, 100))
    found = grounding.overlap_scores(said, true)
    assert (found["miou"], found["miou_first"], found["iou_union"]) == pytest.approx(
        (0.533333, 0.8, 0.727273), **EXACT
    )


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        ((10, 10, 50, 50), (20, 10, 60, 50), 0.6),
        ((0, 0, 100, 50), (0, 0, 100, 100), 0.5),
        ((25, 25, 75, 75), (0, 0, 100, 100), 0.25),
        ((0, 0, 50, 50), (25, 25, 75, 75), 0.142857),
        ((0, 0, 50, 50), (50, 0, 100, 50), 0),
        ((10, 0, 10, 50), (0, 0, 100, 100), 0),
    ],
)
def test_overlap_of_two_boxes(one, other, value):
    assert grounding.overlap_scores(boxes(one), boxes(other))["miou"] == pytest.approx(value, **EXACT)


def with_overlap(share):
    """A box whose IoU with the whole image is `share`."""
    return (0.0, 0.0, 1.0, share)


WHOLE = (0.0, 0.0, 1.0, 1.0)
CLASS_A = [
    ([with_overlap(1.0)], [WHOLE]),
    ([with_overlap(0.6)], [WHOLE]),
    ([(0.0, 0.0, 0.5, 0.8), (0.6, 0.9, 0.7, 1.0)], [(0.0, 0.0, 0.5, 1.0)]),
    ([], [WHOLE]),
]
CLASS_B = [([with_overlap(0.5)], [WHOLE]), ([with_overlap(0.25)], [WHOLE])]


@pytest.mark.parametrize(
    ("items", "ap50", "ap50_95"), [(CLASS_A, 0.5625, 0.2875), (CLASS_B, 0.25, 0.025)], ids=["A", "B"]
)
def test_average_precision_of_a_class(items, ap50, ap50_95):
    sums = np.sum([grounding.detection_parts(*item) for item in items], axis=0)[None]
    assert grounding.ap50(sums)[0] == pytest.approx(ap50)
    assert grounding.ap50_95(sums)[0] == pytest.approx(ap50_95)


def test_average_precision_of_both_classes():
    items = [*CLASS_A, *CLASS_B]
    rows = grounding.by_class([grounding.detection_parts(*item) for item in items], list("AAAABB"))
    sums = rows.sum(axis=0)[None]
    found = [
        of(sums)[0] for of in (grounding.ap50, grounding.ap50_95, grounding.precision50, grounding.recall50)
    ]
    assert found == pytest.approx([0.40625, 0.15625, 2 / 3, 2 / 3], **EXACT)
    overlaps = [grounding.overlap_scores(*item)["miou"] for item in items]
    assert np.mean(overlaps) == pytest.approx(0.458333, **EXACT)


def test_average_precision_of_a_class_without_true_boxes_is_left_out():
    said = grounding.detection_parts([WHOLE], [])
    rows = grounding.by_class([grounding.detection_parts([WHOLE], [WHOLE]), said], ["a", "b"])
    assert grounding.ap50(rows.sum(axis=0)[None])[0] == 1.0
    assert grounding.precision50(rows.sum(axis=0)[None])[0] == 0.5
    assert np.isnan(grounding.ap50(grounding.by_class([said], ["b"]))[0])
    nothing = grounding.by_class([grounding.detection_parts([], [WHOLE])], ["a"])
    assert (grounding.precision50(nothing)[0], grounding.box_f1_50(nothing)[0]) == (0, 0)


def test_average_precision_with_scores():
    assert grounding.average_precision([(2, 0), (1, 2), (0, 1)], 4) == pytest.approx(0.65)
