"""Instruction sets that matter for ranking, under one name whatever system reports them."""

from collections.abc import Collection

#: Our name -> the names that systems give it, in lower case (Linux, macOS, Windows).
KNOWN: dict[str, frozenset[str]] = {
    "avx2": frozenset({"avx2"}),
    "fma": frozenset({"fma"}),
    "f16c": frozenset({"f16c"}),
    "avx512": frozenset({"avx512f"}),
    "avx512_vnni": frozenset({"avx512_vnni", "avx512vnni"}),
    "avx512_bf16": frozenset({"avx512_bf16"}),
    "avx_vnni": frozenset({"avx_vnni"}),
    "amx_int8": frozenset({"amx_int8"}),
    "amx_bf16": frozenset({"amx_bf16"}),
    "neon": frozenset({"neon", "asimd", "advsimd"}),
    "fp16": frozenset({"asimdhp", "feat_fp16"}),
    "dotprod": frozenset({"asimddp", "feat_dotprod"}),
    "i8mm": frozenset({"i8mm", "feat_i8mm"}),
    "bf16": frozenset({"bf16", "feat_bf16"}),
    "sve": frozenset({"sve"}),
    "sve2": frozenset({"sve2"}),
    "sme": frozenset({"sme", "feat_sme"}),
}


def known_features(reported: Collection[str]) -> tuple[str, ...]:
    """Those of `KNOWN` that a system reports, in the order of `KNOWN`."""
    lower = {name.lower() for name in reported}
    return tuple(name for name, spellings in KNOWN.items() if spellings & lower)
