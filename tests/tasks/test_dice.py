from collections import Counter
from random import Random

from scipy.stats import chisquare

from cxreason.tasks import Dice
from cxreason.tasks.dice import first_throw


def test_throws_are_even_and_every_order_comes_equally_often():
    orders, faces = Counter(), Counter()
    for text in range(3000):
        dice = Dice(f"17/toy/s{text}/view")
        options = ["a", "b", "c"]
        dice.shuffle(options)
        orders["".join(options)] += 1
        faces[dice.choice("abcde")] += 1
    assert len(orders) == 6
    assert chisquare(list(orders.values())).pvalue > 1e-4
    assert chisquare(list(faces.values())).pvalue > 1e-4


def test_taken_up_again_the_dice_fall_as_before_however_long_they_were_thrown():
    dice = Dice("a")
    first = [dice.random() for _ in range(40)]
    dice.seed("b")
    assert [dice.random() for _ in range(40)] != first
    dice.seed("a")
    assert [dice.random() for _ in range(40)] == first
    assert len(set(first)) == 40, "a hash has 512 bits, these throws take 2,120"
    assert all(0 <= number < 1 for number in first)


def test_they_do_whatever_else_random_numbers_do():
    dice: Random = Dice("a")
    assert sorted(dice.sample(range(10), 10)) == list(range(10))
    assert {dice.randint(2, 4) for _ in range(60)} == {2, 3, 4}
    assert len(set(dice.choices("ab", k=30))) == 2


def test_a_first_throw_alone_is_that_of_the_dice():
    for number in range(1, 40):
        assert first_throw(f"a{number}", number) == Dice(f"a{number}").below(number)


def test_things_are_shuffled_by_the_same_throws_however_many_there_are():
    for number in (0, 1, 2, 13, 200):
        whole, one_by_one, dice, beside = list(range(number)), list(range(number)), Dice("a"), Dice("a")
        dice.shuffle(whole)
        for place in range(number - 1, 0, -1):
            other = beside.below(place + 1)
            one_by_one[place], one_by_one[other] = one_by_one[other], one_by_one[place]
        assert whole == one_by_one
        assert dice.below(1 << 32) == beside.below(1 << 32), "what is thrown next"
