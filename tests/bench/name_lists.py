#!/usr/bin/env python3
"""Lists of names for stage.augment's value_lists: one file an argument of the SNIPS tools, from public tables, in the form
in which SNIPS writes an utterance (lower case, no apostrophes, no points).

    name_lists.py CLONES OUT

CLONES holds clones of these public repositories, each under its name ("owner+name" or "name"); what is missing is named and
left out:

  NEXTER-Soumya/spotify-data-analysis        spotify_songs.csv: songs, albums, artists, playlists of a streaming service
  hannahlangen/Song-Recommender-             spotify_songs.csv: songs and artists
  tbertinmahieux/MSongsDB                    artists and cover songs of the Million Song Dataset (Bertin-Mahieux et al. 2011)
  vikassingh1910/Spark-Popular-Artist-using-Python   artists.dat: artists of the HetRec 2011 data of Last.fm
  zygmuntz/goodbooks-10k                     books.csv: titles of 10,000 books
  prust/wikipedia-movie-data                 films from 1950 on
  dariusk/corpora                            television series, towns of the United States, dishes
  datasets/world-cities                      towns and countries of the world

No name is taken from the SNIPS data. Same clones, same bytes.
"""
import argparse
import csv
import json
import pathlib
import re
import sys
import unicodedata

LONGEST_CHARACTERS, LONGEST_WORDS = 50, 7


def cleaned(name):
    """As it would be said, or None: without what stands in brackets, who features, and which edition it is."""
    text = unicodedata.normalize("NFKC", name).lower()
    text = re.sub(r"\s*[(\[].*?[)\]]", "", text)
    text = re.split(r"\s+-\s+", text)[0]
    text = re.sub(r"\b(feat|ft)\..*", "", text)
    text = re.sub(r"[^\w &:-]", " ", text)
    text = " ".join(text.split()).strip(" :-&")
    if not re.search(r"[^\W\d_]", text) or len(text) > LONGEST_CHARACTERS or len(text.split()) > LONGEST_WORDS:
        return None
    return None if any(ord(sign) > 0x24F for sign in text) else text


class Clones:
    def __init__(self, folder):
        self.folder, self.missing = folder, []

    def text(self, repository, path):
        owner, name = repository.split("/")
        for clone in (f"{owner}+{name}", name):
            file = self.folder / clone / path
            if file.exists():
                return file.read_text(encoding="utf-8", errors="replace")
        self.missing.append(f"{repository}: {path}")
        return ""

    def table(self, repository, path):
        return list(csv.DictReader(self.text(repository, path).splitlines()))

    def json(self, repository, path):
        return json.loads(self.text(repository, path) or "{}")


def titles_of_covers(text):
    """Lines "%72636,4253, My Sweet Lord": the works' numbers and a title."""
    return [re.sub(r"^(-?\d+, ?)+", "", line[1:]).strip() for line in text.splitlines() if line.startswith("%")]


def names(clones):
    """argument -> names, as they stand in the tables."""
    songs = clones.table("NEXTER-Soumya/spotify-data-analysis", "spotify_songs.csv")
    more_songs = clones.table("hannahlangen/Song-Recommender-", "spotify_songs.csv")
    million = "tbertinmahieux/MSongsDB"
    artists = [row["artist"] for row in songs + more_songs]
    artists += [line.split("\t")[1] for line in
                clones.text("vikassingh1910/Spark-Popular-Artist-using-Python", "artists.dat").splitlines()
                if line.count("\t") >= 2]
    artists += [line.split("<SEP>")[0] for line in
                clones.text(million, "Tasks_Demos/YahooRatings/mapping_15780artists.txt").splitlines()]
    tracks = [row["track_name"] for row in songs] + [row["name"] for row in more_songs]
    tracks += titles_of_covers(clones.text(million, "Tasks_Demos/CoverSongs/shs_dataset_train.txt"))
    albums = [row["album"] for row in songs]
    movies = [film["title"] for decade in range(1950, 2030, 10)
              for film in clones.json("prust/wikipedia-movie-data", f"movies-{decade}s.json") or []]
    books = clones.table("zygmuntz/goodbooks-10k", "books.csv")
    titles = [book[column] for book in books for column in ("title", "original_title")]
    series = clones.json("dariusk/corpora", "data/film-tv/tv_shows.json").get("tv_shows", [])
    places = clones.table("datasets/world-cities", "data/world-cities.csv")
    towns = [town["city"] for town in clones.json("dariusk/corpora", "data/geography/us_cities.json").get("cities", [])]
    dishes = []
    for file in ("menuItems", "sandwiches", "breads_and_pastries"):
        for part in clones.json("dariusk/corpora", f"data/foods/{file}.json").values():
            dishes += [dish if isinstance(dish, str) else dish["name"] for dish in part if isinstance(part, list)]
    return {"artist": artists, "track": tracks, "album": albums, "entity_name": tracks + albums,
            "playlist": [row["playlist"] for row in songs], "movie_name": movies,
            "object_name": titles + movies + albums + tracks[::3] + series,
            "city": [row["name"] for row in places] + towns, "country": [row["country"] for row in places],
            "served_dish": dishes}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    clones = Clones(arguments.clones)
    lists = names(clones)
    for missing in clones.missing:
        print(f"name_lists: not there, left out: {missing}", file=sys.stderr)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for argument, raw in lists.items():
        values = sorted({name for name in map(cleaned, raw) if name})
        if values:
            (arguments.out / f"{argument}.txt").write_text("".join(value + "\n" for value in values), encoding="utf-8")
        print(f"{argument:16} {len(values):7}")


if __name__ == "__main__":
    main()
