"""Writes test/golden/metrics.json: scikit-learn's figures for random labels and scores.

Usage: python scripts/reference/make_metrics_golden.py   (needs: pip install scikit-learn)
"""

import json
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn import metrics

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "metrics.json"


def averages(labels, predictions):
    result = {}
    for averaging in ("macro", "micro", "weighted"):
        values = metrics.precision_recall_fscore_support(labels, predictions, average=averaging, zero_division=0)
        result[averaging] = {"precision": values[0], "recall": values[1], "f1": values[2]}
    return result


def make_case(random, classes, count, used):
    """`used`: the classes that labels and predictions are drawn from; the others give divisions by zero."""
    labels = random.choice(used, count)
    scores = np.round(random.normal(size=(count, classes)), 3)
    scores[np.arange(count), labels] += 1
    # Predictions leave out the last used class, so that it is never predicted.
    allowed = used[:-1] if len(used) > 2 else used
    masked = np.full_like(scores, -np.inf)
    masked[:, allowed] = scores[:, allowed]
    predictions = masked.argmax(axis=1)
    per_class = metrics.precision_recall_fscore_support(
        labels, predictions, labels=range(classes), average=None, zero_division=0
    )
    return {
        "classes": classes,
        "labels": labels.tolist(),
        "predictions": predictions.tolist(),
        "scores": scores.ravel().tolist(),
        "accuracy": metrics.accuracy_score(labels, predictions),
        "confusion": metrics.confusion_matrix(labels, predictions, labels=range(classes)).tolist(),
        "perClass": [
            {"precision": p, "recall": r, "f1": f, "support": int(s)} for p, r, f, s in zip(*per_class, strict=True)
        ],
        **averages(labels, predictions),
        "topK": {
            str(k): metrics.top_k_accuracy_score(labels, scores, k=k, labels=range(classes))
            for k in range(1, classes)
            if classes > 2
        },
    }


def make_ranking(random, count, step):
    """Scores are rounded to `step`, so that several samples share one."""
    positive = random.integers(0, 2, count)
    scores = np.round((random.normal(size=count) + positive) / step) * step
    false_rate, true_rate, thresholds = metrics.roc_curve(positive, scores, drop_intermediate=False)
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    return {
        "scores": scores.tolist(),
        "positive": positive.tolist(),
        "thresholds": thresholds[1:].tolist(),
        "falsePositiveRate": false_rate.tolist(),
        "truePositiveRate": true_rate.tolist(),
        "area": metrics.roc_auc_score(positive, scores),
        "precision": precision[-2::-1].tolist(),
        "recall": recall[-2::-1].tolist(),
        "averagePrecision": metrics.average_precision_score(positive, scores),
    }


def main():
    warnings.simplefilter("ignore")
    random = np.random.default_rng(7)
    cases = [
        make_case(random, 10, 60, np.arange(10)),
        make_case(random, 5, 20, np.array([0, 1, 3])),
        make_case(random, 2, 12, np.arange(2)),
        make_case(random, 4, 1, np.array([2])),
    ]
    rankings = [make_ranking(random, 40, 0.25), make_ranking(random, 30, 1e-6), make_ranking(random, 3, 10)]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"scikit-learn": sklearn.__version__, "cases": cases, "rankings": rankings}) + "\n")


if __name__ == "__main__":
    main()
