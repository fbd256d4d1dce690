#!/usr/bin/env python3
"""What a user would take in place of a small generative model for intents and slots: logistic regression over word and
character n-grams for the intent (scikit-learn), a linear-chain conditional random field for the slots (python-crfsuite).
Trains on FOLDER/train, answers FOLDER/valid and FOLDER/test (BIO: seq.in, seq.out, label, aligned line by line), and writes
one JSON line for each row: {"split", "utterance", "exact", "unseen", "milliseconds"}. "unseen": whether a value of the
row stands nowhere in the training values of its slot. The settings are one set for every corpus.
"""
import argparse
import json
import pathlib
import re
import time

ITERATIONS = 150
L1, L2 = 0.05, 0.01


def read(folder, split):
    columns = [(folder / split / name).read_text(encoding="utf-8").split("\n") for name in ("seq.in", "seq.out", "label")]
    rows = []
    for words, tags, label in zip(*columns):
        if label.strip():
            rows.append((words.split(), tags.split(), label.strip()))
    return rows


def slots(words, tags):
    """[(slot, value)] in the order of the utterance."""
    found, previous = [], "O"
    for word, tag in zip(words, tags):
        if tag != "O":
            slot = tag[2:]
            if tag[0] == "I" and previous != "O" and previous[2:] == slot:
                found[-1][1].append(word)
            else:
                found.append((slot, [word]))
        previous = tag
    return [(slot, " ".join(value)) for slot, value in found]


def call(words, tags, intent):
    """What is compared: the intent, and the values of each slot in order."""
    arguments = {}
    for slot, value in slots(words, tags):
        arguments.setdefault(slot, []).append(value)
    return intent, arguments


def shape(word):
    return re.sub("[0-9]+", "0", re.sub("[a-z]+", "a", re.sub("[A-Z]+", "A", word)))


def tags_of_words(rows):
    counts = {}
    for words, tags, _ in rows:
        for word, tag in zip(words, tags):
            if tag != "O":
                counts.setdefault(word, {}).setdefault(tag, 0)
                counts[word][tag] += 1
    return {word: sorted(tags, key=lambda tag: (tags[tag], tag))[-3:] for word, tags in counts.items()}


def word_features(word, known):
    features = ["word=" + word, "shape=" + shape(word)]
    features += [f"head{n}={word[:n]}" for n in (1, 2, 3)] + [f"tail{n}={word[-n:]}" for n in (1, 2, 3, 4)]
    return features, ["known=" + tag for tag in known.get(word, ())]


def features(words, intent, known):
    own = [word_features(word, known) for word in words]
    rows = []
    for i, word in enumerate(words):
        row = ["bias", "intent=" + intent, f"intent,word={intent},{word}"] + own[i][0] + own[i][1]
        row += [f"intent,{feature}" for feature in own[i][1]]
        for distance in (-2, -1, 1, 2):
            if 0 <= i + distance < len(words):
                neighbour = own[i + distance]
                row += [f"{distance}:{feature}" for feature in neighbour[0][:2] + neighbour[1]]
            else:
                row.append(f"{distance}:edge")
        row += [f"pair-1={words[i - 1]} {word}"] if i > 0 else []
        row += [f"pair+1={word} {words[i + 1]}"] if i + 1 < len(words) else []
        rows.append(row)
    return rows


class SequenceLabeller:
    def __init__(self, train, model_file):
        # Not at the top: the rest of this file works, and is tested, without these packages.
        import pycrfsuite
        from sklearn.dummy import DummyClassifier
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_union
        texts = [" ".join(words) for words, _, _ in train]
        self.vectors = make_union(
            TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True))
        labels = [label for _, _, label in train]
        kind = LogisticRegression(C=20, max_iter=300) if len(set(labels)) > 1 else DummyClassifier()
        self.intents = kind.fit(self.vectors.fit_transform(texts), labels)
        self.known = tags_of_words(train)
        # Each half of the training rows sees the other half's words, so that no row vouches for itself.
        middle = len(train) // 2
        of_others = [tags_of_words(train[middle:]), tags_of_words(train[:middle])]
        trainer = pycrfsuite.Trainer(verbose=False)
        for i, (words, tags, label) in enumerate(train):
            trainer.append(features(words, label, of_others[0 if i < middle else 1]), tags)
        trainer.select("lbfgs")
        trainer.set_params({"c1": L1, "c2": L2, "max_iterations": ITERATIONS, "feature.possible_transitions": True})
        trainer.train(str(model_file))
        self.tagger = pycrfsuite.Tagger()
        self.tagger.open(str(model_file))

    def answer(self, words):
        intent = self.intents.predict(self.vectors.transform([" ".join(words)]))[0]
        return call(words, self.tagger.tag(features(words, intent, self.known)), intent)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--train-limit", type=int)
    arguments = parser.parse_args()
    train = read(arguments.folder, "train")[:arguments.train_limit]
    labeller = SequenceLabeller(train, arguments.out.with_suffix(".crf"))
    seen = {(slot, value.lower()) for words, tags, _ in train for slot, value in slots(words, tags)}
    with arguments.out.open("w", encoding="utf-8") as out:
        for split in ("valid", "test"):
            for words, tags, label in read(arguments.folder, split):
                begin = time.perf_counter()
                found = labeller.answer(words)
                milliseconds = 1e3 * (time.perf_counter() - begin)
                unseen = any((slot, value.lower()) not in seen for slot, value in slots(words, tags))
                out.write(json.dumps({"split": split, "utterance": " ".join(words),
                                      "exact": found == call(words, tags, label), "unseen": unseen,
                                      "milliseconds": milliseconds}) + "\n")


if __name__ == "__main__":
    main()
