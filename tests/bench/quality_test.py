#!/usr/bin/env python3
"""What bench-quality computes, on cases that can be counted by hand."""
import unittest

import name_lists
import quality
import sequence_labeller


class McNemar(unittest.TestCase):
    def test_is_the_binomial_test_of_the_rows_that_differ(self):
        self.assertEqual(quality.mcnemar(0, 0), 1.0)
        self.assertEqual(quality.mcnemar(3, 3), 1.0)
        self.assertAlmostEqual(quality.mcnemar(5, 0), 2 / 2 ** 5)
        self.assertAlmostEqual(quality.mcnemar(1, 9), 2 * (1 + 10) / 2 ** 10)
        self.assertEqual(quality.mcnemar(9, 1), quality.mcnemar(1, 9))


class ExactRows(unittest.TestCase):
    def rows(self, *utterances):
        return [self.row(text, "f") for text in utterances]

    def row(self, text, name):
        call = {"function": {"name": name, "arguments": "{}"}}
        return {"messages": [{"role": "user", "content": text}, {"role": "assistant", "tool_calls": [call]}]}

    def miss(self, text, name="f"):
        return {"utterance": text, "expected": [{"name": name, "arguments": {}}]}

    def test_pairs_misses_with_rows_in_order(self):
        misses = [self.miss("b"), self.miss("d")]
        self.assertEqual(quality.exact_rows(self.rows("a", "b", "c", "d"), misses), [True, False, True, False])

    def test_tells_equal_utterances_by_their_labels(self):
        rows = [self.row("a", "f"), self.row("a", "g")]
        self.assertEqual(quality.exact_rows(rows, [self.miss("a", "g")]), [True, False])

    def test_refuses_a_miss_of_another_file(self):
        with self.assertRaises(SystemExit):
            quality.exact_rows(self.rows("a", "b"), [self.miss("z")])


class Slots(unittest.TestCase):
    def test_join_what_continues_and_part_what_begins(self):
        words, tags = "play a b by c d".split(), "O B-song I-song O B-artist B-artist".split()
        self.assertEqual(sequence_labeller.slots(words, tags), [("song", "a b"), ("artist", "c"), ("artist", "d")])
        self.assertEqual(sequence_labeller.call(words, tags, "Play"),
                         ("Play", {"song": ["a b"], "artist": ["c", "d"]}))

    def test_an_inside_tag_of_another_slot_begins_a_value(self):
        self.assertEqual(sequence_labeller.slots(["a", "b"], ["I-x", "I-y"]), [("x", "a"), ("y", "b")])


class NameLists(unittest.TestCase):
    def test_a_name_is_as_it_would_be_said(self):
        for name, said in (("Don't Stop Me Now - Remastered 2011", "don t stop me now"),
                           ("The Hunger Games (The Hunger Games, #1)", "the hunger games"),
                           ("Memories (feat. Someone) [Remix]", "memories"), ("Beyonc\u00e9", "beyonc\u00e9"),
                           ("No. 1 ft. Nobody", "no 1"), ("1999", None), ("\u6a02", None), ("a " * 9, None), ("", None)):
            self.assertEqual(name_lists.cleaned(name), said, name)

    def test_titles_of_covers_stand_behind_their_numbers(self):
        self.assertEqual(name_lists.titles_of_covers("# comment\n%72636,4253, My Sweet Lord\nTR<SEP>AR<SEP>1\n%-1, 99, Red"),
                         ["My Sweet Lord", "Red"])


if __name__ == "__main__":
    unittest.main()
