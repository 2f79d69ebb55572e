"""Which backend, precision and thread count is fastest on this device, measured and kept."""

from pocketrec_runtime.tuning.agreement import kendall_tau, top_overlap
from pocketrec_runtime.tuning.profile import (
    Profile,
    device_fingerprint,
    load_profile,
    profile_path,
    save_profile,
    tuned_settings,
)

__all__ = [
    "Profile",
    "device_fingerprint",
    "kendall_tau",
    "load_profile",
    "profile_path",
    "save_profile",
    "top_overlap",
    "tuned_settings",
]
