"""The engine: a bundle opened for ranking on this device."""

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketrec_runtime import answering, text_scoring
from pocketrec_runtime.answers import Recommendation, Scores, TextScores
from pocketrec_runtime.bundle import Bundle, Manifest, read_bundle
from pocketrec_runtime.calibration import Calibration
from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.deferral import DeferralPolicy
from pocketrec_runtime.delta import CatalogueDelta, apply_delta, next_fingerprint
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.explain import Explanation, explain
from pocketrec_runtime.history import HistoryReader
from pocketrec_runtime.lookup import Filters, resolve
from pocketrec_runtime.memory import give_back_free_memory
from pocketrec_runtime.rules import RuleContext, Rules
from pocketrec_runtime.scan import Scan, check_k
from pocketrec_runtime.selftest import self_test as run_self_test
from pocketrec_runtime.state import UserState
from pocketrec_runtime.towers import (
    Account,
    Backend,
    CachePrecision,
    RunSettings,
    open_item_tower,
    open_user_tower,
)
from pocketrec_runtime.tuning.profile import tuned_settings


class Engine:
    """A bundle's models and catalogue, ready to rank.

    Nothing in it changes after it is made but the counter `reused_positions`, so that one engine
    serves any number of threads; a user's progress lives in `UserState` values.

    Args:
        bundle: A verified bundle.
        settings: Backend, devices and threads; None for the defaults.

    Raises:
        InputError, MissingExtraError: The bundle or this device does not have what is asked for.
        BundleFormatError: A model file does not open, or does not fit the manifest.
    """

    def __init__(self, bundle: Bundle, settings: RunSettings | None = None) -> None:
        settings = RunSettings() if settings is None else settings
        contents = bundle.contents
        self._manifest = bundle.manifest
        self._shape = contents.model
        self._threads = settings.threads
        self._calibration = contents.calibration
        self._user_tower = open_user_tower(contents, settings)
        self._item_tower = open_item_tower(contents, settings)
        self._fingerprint = self._manifest.fingerprint
        self._reader = HistoryReader(
            self._user_tower, self._shape, contents.catalogue, self._fingerprint
        )
        self._catalogue = contents.catalogue
        self._deferral = contents.deferral
        self._scan = Scan(contents.catalogue, threads=settings.threads)

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        backend: Backend | Literal["auto"] = "auto",
        providers: Sequence[str] = ("cpu",),
        threads: int = 1,
        cache: CachePrecision = "float32",
        gpu_layers: int = 0,
        profile: str | PathLike[str] | None = "auto",
        self_test: bool = True,
    ) -> Self:
        """Opens a bundle: verifies every byte, loads the models, answers the golden queries.

        Args:
            path: A directory or zip bundle.
            backend: As in `RunSettings`, like the next four.
            providers: ONNX Runtime's execution providers by name, in order of preference.
            threads: Threads of one model run.
            cache: How llama.cpp stores keys and values.
            gpu_layers: Blocks that llama.cpp gives to a GPU; -1 is all of them.
            profile: From `pocketrec tune`, in place of the defaults; see `tuned_settings`.
            self_test: Whether to answer the golden queries before the first use.

        Raises:
            InputError, MissingExtraError: This bundle or device does not have what is asked for.
            BundleError: As `read_bundle`, or the bundle fails its self-test.
        """
        asked = RunSettings(backend, tuple(providers), threads, cache, gpu_layers)
        bundle = read_bundle(path)
        engine = cls(bundle, tuned_settings(bundle.manifest.fingerprint, asked, profile))
        if self_test:
            run_self_test(engine, bundle.contents.golden)
        give_back_free_memory()
        return engine

    @property
    def backend(self) -> Account:
        """What the user tower was asked to run on, and what it runs on."""
        return self._user_tower.account

    @property
    def computed_positions(self) -> int:
        """Positions that the user tower computed so far: one for each append from the cache."""
        return self._user_tower.computed_positions

    @property
    def manifest(self) -> Manifest:
        """The bundle's manifest."""
        return self._manifest

    @property
    def catalogue(self) -> Catalogue:
        """The bundle's items."""
        return self._catalogue

    @property
    def calibration(self) -> Calibration:
        """What turns scores into probabilities."""
        return self._calibration

    @property
    def deferral(self) -> DeferralPolicy | None:
        """When a larger model elsewhere is likely to answer better; None where nobody knows."""
        return self._deferral

    @property
    def scan(self) -> Scan:
        """The exact scan over the catalogue: batches, and how many rows were rescored."""
        return self._scan

    @property
    def fingerprint(self) -> str:
        """Identity of model and catalogue, 64 hexadecimal digits: the bundle's, or a delta's."""
        return self._fingerprint

    @property
    def reader(self) -> HistoryReader:
        """What reads histories: `prefill` and `append`, and more for whoever keeps states."""
        return self._reader

    @property
    def window(self) -> int:
        """Longest history, in events, that the user tower reads."""
        return self._shape.window

    @property
    def reused_positions(self) -> int:
        """Positions that `append` took from the cache instead of computing them again, so far."""
        return self._reader.reused_positions

    def prefill(self, items: Sequence[int]) -> tuple[UserState, NDArray[np.float32]]:
        """State and user vector, float32 (width,), of a history read from its start.

        Args:
            items: Item indices, oldest first, at least one; the newest `window` are read and all
                of them count as seen.

        Raises:
            InputError: No items, or an index outside the catalogue.
        """
        return self._reader.prefill(items)

    def prefill_many(
        self, histories: Sequence[Sequence[int]]
    ) -> list[tuple[UserState, NDArray[np.float32]]]:
        """`prefill` of many histories in few runs; each answer as alone, within float error.

        Raises:
            InputError: As `prefill`.
        """
        return self._reader.prefill_many(histories)

    def append(self, state: UserState, item: int) -> tuple[UserState, NDArray[np.float32]]:
        """State and user vector, float32 (width,), after one more event.

        Equal to `prefill` of the state's items and the new one within float error. A full window
        is read again from its newest `window // 2` events, the new one among them (at least that
        one), so that the next appends are cheap again.

        Raises:
            InputError: An index outside the catalogue.
            StateError: The state is of another model.
        """
        return self._reader.append(state, item)

    def scores(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of all items for a user vector (width,): float32 (n,), as `scan.ItemRows`.

        Raises:
            InputError: The vector has another shape.
        """
        return self._scan.scores(vector)

    def top_k(
        self,
        vector: NDArray[np.float32],
        k: int,
        *,
        exclude: Collection[int] = (),
        allow: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Indices and scores of the k best items for a user vector; exact, as `scan.Scan.top_k`.

        Args:
            vector: User vector, (width,).
            k: How many, at least 1.
            exclude: Item indices that are not returned.
            allow: (n,), True where an item may be returned; None is all.

        Raises:
            InputError: k, the vector, an index or the mask is out of bounds.
        """
        self._reader.check_process()
        found = self._scan.top_k(vector, k, exclude=exclude, allow=allow)
        return found.indices, found.scores

    def probability(self, scores: ArrayLike) -> NDArray[np.float32]:
        """Calibrated probabilities of scores, float32, same shape."""
        return self._calibration.probability(scores)

    def recommend(
        self,
        history: Sequence[str],
        k: int = 10,
        *,
        include_seen: bool = False,
        filters: Filters | None = None,
        rules: Rules | None = None,
        context: RuleContext | None = None,
    ) -> Recommendation:
        """The k best items for a history of item ids.

        Unknown ids are skipped and reported, strings with NUL or lone surrogates among them;
        repeats are allowed; of a history longer than the window the newest `window` known events
        are read. Without any known id the answer is the most popular items.

        Args:
            history: Item ids, oldest first; may be empty.
            k: How many items, at least 1; more than the catalogue holds is all of it.
            include_seen: Whether items of the history may be recommended; otherwise none of the
                whole history is, inside the window or not.
            filters: Column -> allowed values; items must pass all. Columns of lists pass on any
                overlap.
            rules: Deny lists, pins, caps, diversity and more, see docs/rules.md; None is none.
            context: What rules know of the user, except `context.history`, which is `history`.

        Raises:
            InputError: k below 1, an id that is no string, or an unknown column.
        """
        k = check_k(k)
        known, unknown = resolve(self._catalogue, history, "history")
        vector = self.prefill(known)[1] if known else None
        exclude = () if include_seen else frozenset(known)
        if rules is not None:
            context = replace(context or RuleContext(), history=tuple(known))
        return answering.rank(self, vector, k, exclude, filters, unknown, rules, context)

    def rank(
        self,
        vector: NDArray[np.float32] | None,
        k: int = 10,
        *,
        exclude: Collection[int] = (),
        filters: Filters | None = None,
        unknown: tuple[str, ...] = (),
        rules: Rules | None = None,
        context: RuleContext | None = None,
    ) -> Recommendation:
        """The k best items for a user vector, or the most popular items for None.

        `recommend` for callers that keep a `UserState`: give its `seen` as `exclude`.

        Args:
            vector: User vector of `prefill` or `append`, (width,); None where there is no history.
            k: How many items, at least 1.
            exclude: Item indices that are not returned.
            filters: As in `recommend`.
            unknown: Unknown history ids to report in the answer.
            rules: As in `recommend`.
            context: What rules know of the user.

        Raises:
            InputError: As `recommend` and `top_k`.
        """
        return answering.rank(self, vector, k, exclude, filters, unknown, rules, context)

    def score(self, history: Sequence[str], candidates: Sequence[str]) -> Scores:
        """Scores of candidates for a history of item ids, both as in `recommend`.

        Retired items are unknown candidates.

        Raises:
            InputError: An id is no string.
        """
        known, unknown = resolve(self._catalogue, history, "history")
        vector = self.prefill(known)[1] if known else None
        return self.score_candidates(vector, candidates, unknown=unknown)

    def score_candidates(
        self,
        vector: NDArray[np.float32] | None,
        candidates: Sequence[str],
        *,
        unknown: tuple[str, ...] = (),
    ) -> Scores:
        """`score` for callers that keep a `UserState`; `vector` and `unknown` are as in `rank`.

        Raises:
            InputError: The vector has another shape, or a candidate is no string.
        """
        return answering.score_candidates(self, vector, candidates, unknown)

    def explain(self, history: Sequence[str], item: str, *, top: int = 3) -> Explanation:
        """Which events of a history drove a recommendation; see docs/explanations.md.

        Each of the newest `window` events is left out in turn, and the shortened history read
        exactly as a fresh one; what the item loses in score and rank is what the event brought.

        Args:
            history: Item ids, oldest first, as for `recommend`.
            item: Id of the item to explain.
            top: How many events to name at most in `because`.

        Raises:
            InputError: The catalogue does not hold the item, an id is no string, or top is
                below 0.
        """
        return explain(self, history, item, top=top)

    def encode_items(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Item vectors of texts, float32 (n, width), from the bundle's item tower.

        Raises:
            InputError: The bundle has no item tower, or a text is no encodable string.
        """
        if self._item_tower is None:
            raise InputError("this bundle has no item tower; distil one with an item table")
        self._reader.check_process()
        return self._item_tower.encode(texts)

    def user_vector(self, item_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """User vector, float32 (width,), of a history given as item vectors (events, width).

        Raises:
            InputError: No event, or vectors of another shape or dtype.
        """
        return self._reader.user_vector(item_vectors)

    def score_texts(
        self,
        history: Sequence[str],
        texts: Sequence[str],
        *,
        history_texts: Mapping[str, str] | None = None,
    ) -> TextScores:
        """Scores of candidates from their text alone, for items that no catalogue holds.

        Args:
            history: Item ids, oldest first; may be empty. Of more than the window the newest count.
            texts: One text per candidate, made as the item texts that the bundle learned from.
            history_texts: Texts of those ids of the history that the catalogue does not hold.

        Raises:
            InputError: The bundle has no item tower, or an id or a text is no string.
        """
        return text_scoring.score_texts(self, history, texts, history_texts)

    def with_delta(self, delta: CatalogueDelta) -> Self:
        """An engine over the catalogue after a delta; this one stays as it is.

        Towers are shared, and items keep their indices. States of this engine go on in the new
        one, unless the delta gives other vectors to items that are already there.

        Raises:
            DeltaError: The delta is for another model, or does not fit the catalogue.
        """
        applied = apply_delta(self._catalogue, delta, model=self._manifest.fingerprint)
        engine = copy.copy(self)
        engine._catalogue = applied.catalogue
        engine._scan = Scan(applied.catalogue, threads=self._threads)
        engine._fingerprint = next_fingerprint(self._fingerprint, delta)
        engine._reader = self._reader.after(
            applied.catalogue, engine._fingerprint, moved=len(applied.moved) > 0
        )
        return engine
