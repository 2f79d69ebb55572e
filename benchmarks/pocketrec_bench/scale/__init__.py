"""How costs grow with items, history, events and users; and what other devices would do."""

from pocketrec_bench.scale.fit import Bend, Estimate, Fit, fit_growth
from pocketrec_bench.scale.measure import ScalePlan, measure_scale
from pocketrec_bench.scale.page import render_scale, write_scale
from pocketrec_bench.scale.predict import (
    DeviceClass,
    Prediction,
    Roofline,
    predict,
    read_device_class,
)
from pocketrec_bench.scale.report import (
    AxisResult,
    Check,
    ScaleReport,
    scale_document,
    scale_from_document,
)

__all__ = [
    "AxisResult",
    "Bend",
    "Check",
    "DeviceClass",
    "Estimate",
    "Fit",
    "Prediction",
    "Roofline",
    "ScalePlan",
    "ScaleReport",
    "fit_growth",
    "measure_scale",
    "predict",
    "read_device_class",
    "render_scale",
    "scale_document",
    "scale_from_document",
    "write_scale",
]
