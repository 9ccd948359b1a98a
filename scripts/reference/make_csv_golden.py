"""Writes test/golden/csv_table.json: rows of a table as scikit-learn's ColumnTransformer encodes them, fitted on training rows alone.

Usage: python scripts/reference/make_csv_golden.py   (needs: pip install scikit-learn)

Numbers are scaled, then missing ones imputed; categories are one-hot, a missing one a category of its own where the training rows lack one.
"""

import json
from pathlib import Path

import numpy
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

OUT = Path(__file__).resolve().parents[2] / "test" / "golden" / "csv_table.json"
HEADER = ["age", "fare", "port", "deck", "constant"]
TRAINING = [
    ["22", "7.25", "S", "C", "3"],
    ["38", "71.2833", "C", "", "3"],
    ["", "7.925", "S", "E", "3"],
    ["35", "53.1", "Q", "", "3"],
    ["54", "", "S", "A", "3"],
]
LATER = [
    ["", "8.05", "Q", "C", "3"],
    ["-4", "1e3", "X", "E", "3"],
    ["29", "", "", "", ""],
    ["30", "12", "C", "Z", "4"],
]
NUMBERS, CATEGORIES = [0, 1, 4], [2, 3]


def table(rows: list[list[str]]) -> numpy.ndarray:
    values = [[None if x == "" else float(x) if i in NUMBERS else x for i, x in enumerate(row)] for row in rows]
    return numpy.array(values, dtype=object)


def main() -> None:
    numbers = make_pipeline(StandardScaler(), SimpleImputer())
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    transformer = ColumnTransformer([("numbers", numbers, NUMBERS), ("categories", categories, CATEGORIES)])
    transformer.fit(table(TRAINING))
    order = [HEADER[i] for i in NUMBERS + CATEGORIES]
    encoded = {name: transformer.transform(table(rows)).tolist() for name, rows in [("training", TRAINING), ("later", LATER)]}
    golden = {"scikit-learn": sklearn.__version__, "header": HEADER, "order": order, "rows": {"training": TRAINING, "later": LATER}}
    OUT.write_text(json.dumps({**golden, "encoded": encoded}) + "\n")


if __name__ == "__main__":
    main()
