"""How a camera is doing: all that happened to its images, and the one verdict on it.

Whoever sees something happen to an image says so here. ``judge`` is the only place where a level
is chosen; /diagnostics, ~/status and the log say the same.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.counters import Account, Counters
from stream3r_ros.node.listening import Listening
from stream3r_ros.node.rates import Recent

RECENT_S = 2.0
"""A trouble that is over is spoken of for so long: whoever looks once a second sees it."""
MANY_HOLES = 3
"""Within HOLES_S; and a share of the images:"""
HOLES_S = 5.0
MANY_LOST = 0.05
"""Share of lost images that is worth a warning."""
FIRST_IMAGE_S = 10.0
LOST_ON_THE_WAY = (
    'images got lost on the way here: set FASTRTPS_DEFAULT_PROFILES_FILE to '
    'config/fastdds_large_data.xml for the camera and for this node, or send smaller or '
    'compressed images'
)
FULL = 'the causal stream is full: call ~/reset, raise max_frames or set mode to window'
LOST = 'lost: the confidence is under lost.confidence; show the camera what it has seen, or reset'


@dataclass(frozen=True)
class Verdict:
    """A level of /diagnostics (ok, warn, error, stale), a state of ~/status, and a sentence.

    The sentence says what is wrong and what to do, or only what goes on where the level is ok.
    ``is_told``: the log had it when it happened.
    """

    level: str
    state: str
    sentence: str
    is_told: bool = False

    @property
    def reason(self) -> str:
        """Give the sentence where there is one to act on, else ''."""
        return '' if self.level == 'ok' and self.state == 'streaming' else self.sentence


@dataclass(frozen=True)
class Circumstances:
    """What holds around a camera at the moment; lengths of time in seconds."""

    is_active: bool = True
    is_enabled: bool = True
    node_problem: str = ''  # why there is no network, or no time
    listening: Listening | None = None
    stale_after_s: float = 2.0
    is_full: bool = False
    gathered: int = 0  # images of a group that is not complete
    is_shared: bool = False  # the stream wants images of other cameras too
    sync_tolerance_s: float = 0.0


@dataclass(frozen=True)
class Happened:
    """What became of a camera's images; ages are seconds, infinite where it never happened."""

    account: Account = Account()
    refusal: str = ''  # reason of the last refusal
    refusals_in_a_row: int = 0  # since an image was processed
    refused_recently: int = 0
    received_recently: int = 0
    received_unprocessed: int = 0  # since an image was processed
    unprocessed_s: float = 0.0  # since the first of these came
    under_way_s: float = 0.0  # that the image being computed has taken so far
    failure: str = ''  # of the last image in the network, '' once one has gone well
    missing_place: str = ''  # why the last image got no pose
    out_of_memory: int = 0  # streams that ended for want of memory
    lost_before: int = 0
    lost_before_recently: int = 0
    holes_recently: int = 0  # gaps in the stamps, whatever is missing in each
    rate_received: float = 0.0
    rate_processed: float = 0.0
    last: StreamStatus | None = None  # of the last processed image

    @property
    def is_losing_many(self) -> bool:
        """Tell whether images get lost again and again: one gap may be a camera that paused."""
        share = MANY_LOST * self.received_recently
        return self.holes_recently >= MANY_HOLES and self.lost_before_recently > share


class Health:
    """What happened to one camera's images, told by any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.counters = Counters()
        self._received, self._processed = Recent(clock), Recent(clock)
        self._refused, self._lost, self._holes = Recent(clock), Recent(clock), Recent(clock)
        self._now = Happened()
        self._unprocessed_since: float | None = None
        self._under_way_since: float | None = None

    def begin(self) -> None:
        """Begin to listen: what happened before counts, and is no trouble of now."""
        with self._lock:
            self._unprocessed_since = self._under_way_since = None
            self._now = Happened(
                out_of_memory=self._now.out_of_memory, lost_before=self._now.lost_before
            )
        for recent in (
            self._received, self._processed, self._refused, self._lost, self._holes,
        ):  # fmt: skip
            recent.clear()

    def received(self) -> None:
        """An image came."""
        self.counters.count(received=1)
        self._received.add()
        with self._lock:
            if self._unprocessed_since is None:
                self._unprocessed_since = self._clock()
        self._change(received_unprocessed=1)

    def dropped(self, count: int = 1) -> None:
        """Images were dropped, which by itself is no trouble."""
        self.counters.count(dropped=count)

    def refused(self, reason: str, count: int = 1) -> None:
        """Images were refused."""
        if not count:
            return
        self.counters.count(refused=count)
        self._refused.add(count)
        self._change(refusals_in_a_row=count, refusal=reason)

    def turned_away(self, reason: str) -> None:
        """An image was refused for the stream's sake: it says nothing about the camera."""
        self.counters.count(refused=1)
        self._refused.add()
        with self._lock:
            self._unprocessed_since = None
            self._now = replace(
                self._now, refusal=reason, refusals_in_a_row=0, received_unprocessed=0
            )

    def lost_on_the_way(self, count: int) -> None:
        """Images were sent and never came; with -1 one of them came late."""
        self._lost.add(count)
        self._holes.add(1 if count > 0 else -1)
        self._change(lost_before=count)

    def started(self) -> None:
        """An image went into the network."""
        self._under_way_since = self._clock()

    def ended(self) -> None:
        """The network has answered, or failed."""
        self._under_way_since = None

    def failed(self, sentence: str, is_memory: bool) -> None:
        """The network failed with an image."""
        self._change(failure=sentence, out_of_memory=int(is_memory))

    def went_well(self) -> None:
        """The network took an image."""
        self._change(failure='')

    def processed(self) -> None:
        """An image went through the network and its results out."""
        self.counters.count(processed=1)
        self._processed.add()
        with self._lock:
            self._unprocessed_since = None
            self._now = replace(self._now, refusals_in_a_row=0, received_unprocessed=0)

    def answered(self, status: StreamStatus, missing_place: str) -> None:
        """Take over what is said of an image that was processed."""
        self._change(last=status, missing_place=missing_place)

    def _change(self, **changes) -> None:
        """Take over words, and add numbers."""
        with self._lock:
            added = {
                name: getattr(self._now, name) + change if isinstance(change, int) else change
                for name, change in changes.items()
            }
            self._now = replace(self._now, **added)

    def happened(self) -> Happened:
        """Look at all of it at one moment."""
        now, under_way = self._clock(), self._under_way_since
        with self._lock:
            return replace(
                self._now,
                account=self.counters.snapshot(),
                unprocessed_s=_since(self._unprocessed_since, now),
                under_way_s=_since(under_way, now),
                refused_recently=self._refused.count(RECENT_S),
                received_recently=self._received.count(RECENT_S),
                lost_before_recently=self._lost.count(RECENT_S),
                holes_recently=self._holes.count(HOLES_S),
                rate_received=self._received.rate_hz(),
                rate_processed=self._processed.rate_hz(),
            )


def _since(begun: float | None, now: float) -> float:
    return 0.0 if begun is None else now - begun


def judge(what: Happened, around: Circumstances) -> Verdict:
    """Judge a camera: the first that holds, the worst first, is what is said."""
    return (
        _not_at_work(around)
        or _failure(what)
        or _silence(what, around)
        or _nothing_processed(what, around)
        or _last_answer(what)
        or _less_than_all(what, around)
        or _well(what)
    )


def _well(what: Happened) -> Verdict:
    state = _state(what)
    return Verdict('ok', state, state)


def _state(what: Happened) -> str:
    return 'streaming' if what.last else 'waiting'


def _not_at_work(around: Circumstances) -> Verdict | None:
    if not around.is_active:
        if around.node_problem:
            return Verdict('error', 'error', around.node_problem, is_told=True)
        return Verdict('ok', 'waiting', 'not active')
    if not around.is_enabled:
        return Verdict('ok', 'disabled', 'disabled: ~/enable with true goes on')
    if around.listening is not None and around.listening.is_idle:
        idle = 'idle: nobody subscribes to any output, and tf.mode is none'
        return Verdict('ok', 'waiting', idle)
    return None


def _failure(what: Happened) -> Verdict | None:
    return Verdict('error', 'error', what.failure, is_told=True) if what.failure else None


def _silence(what: Happened, around: Circumstances) -> Verdict | None:
    if around.listening is None or not around.listening.is_stale:
        return None
    sentences = [around.listening.describe()]
    if what.refusals_in_a_row:
        sentences.append(_refusals(what))
    if around.is_full:
        sentences.append(FULL)
    if around.node_problem:
        sentences.append(around.node_problem)
    return Verdict('stale', 'full' if around.is_full else 'waiting', '; '.join(sentences))


def _nothing_processed(what: Happened, around: Circumstances) -> Verdict | None:
    """Look for why images come and nothing goes out, beginning with the first image."""
    if around.is_full:
        return Verdict('warn', 'full', FULL, is_told=True)
    is_long = what.unprocessed_s > around.stale_after_s
    if what.refusals_in_a_row:
        is_error = is_long and what.refusals_in_a_row > 1
        return Verdict('error' if is_error else 'warn', 'waiting', _refusals(what), is_told=True)
    if what.under_way_s:
        return _busy(what, around)
    if not is_long or not what.received_unprocessed or around.gathered:
        return None
    count = what.received_unprocessed
    sentence = f'none of the last {count} images was processed'
    if around.is_shared:
        sentence += (
            f': they find no partners of the other cameras within sync_tolerance '
            f'{around.sync_tolerance_s:g} s'
        )
    return Verdict('warn', 'waiting', sentence)


def _busy(what: Happened, around: Circumstances) -> Verdict | None:
    """Wait for the network, for a first image longer than for others: it may compile."""
    usual_s = FIRST_IMAGE_S if what.last is None else 3 * what.last.latency_network
    if what.under_way_s <= max(around.stale_after_s, usual_s):
        return None
    sentence = f'the network has been busy with one image for {what.under_way_s:.0f} s'
    return Verdict('warn', _state(what), sentence)


def _last_answer(what: Happened) -> Verdict | None:
    last = what.last
    if last is None:
        return None
    if last.state == StreamStatus.STATE_ERROR:
        sentence = 'the network gave a pose that is not finite: call ~/reset'
        return Verdict('error', 'error', sentence)
    if last.state == StreamStatus.STATE_LOST:
        return Verdict('warn', 'lost', LOST)
    if last.scale_state == 'lost':
        sentence = 'scale lost: scale.source is silent or contradicts the scale in use'
        return Verdict('warn', 'streaming', sentence)
    if what.missing_place:
        return Verdict('warn', 'streaming', what.missing_place, is_told=True)
    return None


def _less_than_all(what: Happened, around: Circumstances) -> Verdict | None:
    """Look at what is amiss while images are processed."""
    state = _state(what)
    if what.refused_recently:
        sentence = (
            f'{what.refused_recently} of the {what.received_recently} images of the last '
            f'{RECENT_S:.0f} s were refused: {what.refusal}'
        )
        return Verdict('warn', state, sentence, is_told=True)
    if what.is_losing_many:
        sentence = f'in the last {RECENT_S:.0f} s {what.lost_before_recently} {LOST_ON_THE_WAY}'
        return Verdict('warn', state, sentence, is_told=True)
    if around.node_problem:
        return Verdict('warn', state, around.node_problem)
    problem = around.listening.problem if around.listening else ''
    return Verdict('warn', state, problem) if problem else None


def _refusals(what: Happened) -> str:
    if what.refusals_in_a_row == 1:
        return f'the last image was refused: {what.refusal}'
    return f'the last {what.refusals_in_a_row} images were refused: {what.refusal}'
