"""The score of docs/bundle-format.md in Python's own whole numbers, and a sort by hand."""

import math
from fractions import Fraction

import numpy as np


def fixed_point(query):
    """The query as whole numbers and a power of two, after the rule of the format."""
    largest = max(abs(float(x)) for x in query)
    exponent = math.frexp(largest)[1] - 32
    # round() of a fraction is half to even.
    return [round(Fraction(float(x)) / Fraction(2) ** exponent) for x in query], exponent


def scores(catalogue, query):
    """Scores of all items, float32: exact sums, then one product, one sum, one rounding."""
    integers, exponent = fixed_point(query)
    found = []
    for index, row in enumerate(catalogue.rows):
        if catalogue.scales is None:
            total = folded(
                [float(v) * x * 2.0**exponent for v, x in zip(row, integers, strict=True)]
            )
        else:
            dot = sum(int(r) * x for r, x in zip(row, integers, strict=True))
            total = math.ldexp(dot, exponent) * float(catalogue.scales[index])
        found.append(total + float(catalogue.bias[index]))
    with np.errstate(over="ignore"):
        return np.array(found, np.float64).astype(np.float32)


def folded(terms):
    while len(terms) > 1:
        half = (len(terms) + 1) // 2
        second = terms[half:] + [0.0] * (2 * half - len(terms))
        terms = [a + b for a, b in zip(terms[:half], second, strict=True)]
    return terms[0]


def top_k(catalogue, query, k, exclude=(), allow=None):
    """Indices and scores of the k best, best first, ties by index."""
    values = scores(catalogue, query)
    candidates = [
        index
        for index, value in enumerate(values)
        if math.isfinite(value) and index not in exclude and (allow is None or allow[index])
    ]
    ranked = sorted(candidates, key=lambda index: (-values[index], index))[:k]
    return ranked, [float(values[index]) for index in ranked]
