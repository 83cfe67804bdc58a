"""Arguments that several sub-commands share: which network, how frames are fed, what is kept."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream3r_ros.streaming import CachePolicy

# As stream3r_ros.streaming has them; that imports torch, for which --help does not wait.
POLICIES = ('causal', 'window', 'keyframes', 'budget')
DTYPES = ('auto', 'float32', 'bfloat16', 'float16')
QUANTISATIONS = ('none', 'int8', 'int8_dynamic')
CACHE_TYPES = ('compute', 'int8', 'float8')
FITS = ('crop', 'pad', 'stretch')
WEIGHTS_HELP = (
    'demo, a .safetensors file, a folder with config.json and weights, or a Hugging Face '
    'repository such as yslan/STream3R (default: demo)'
)
ATTENTIONS = ('auto', 'sdpa', 'flash_attn')
ATTENTION_HELP = (
    'what computes attention across frames: torch (sdpa) or the package flash_attn, on CUDA in '
    'half precision (default: auto, which is flash_attn where it is installed and serves)'
)
COMPILE_HELP = (
    'compile the step of a frame as one graph: faster frames, after one that waits minutes for '
    'the compiler; not in full mode'
)
UNITS = {'': 1, 'kB': 10**3, 'MB': 10**6, 'GB': 10**9}
OF_POLICY = {'recent_frames': 'keyframes', 'keyframes': 'keyframes', 'cache_budget': 'budget'}


@dataclass(frozen=True)
class CacheOptions:
    """What a person asked a stream to remember; None leaves a choice to --mode or the default."""

    policy: str | None
    recent_frames: int | None
    keyframes: int | None
    cache_budget: int | None  # bytes
    cache_dtype: str = 'compute'
    keep_special_tokens: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for an option that the policy does not read, or lacks."""
        for name, owner in OF_POLICY.items():
            if getattr(self, name) is not None and self.policy != owner:
                option = f'--{name.replace("_", "-")}'
                raise ValueError(
                    f'{option} is for --policy {owner}; found --policy {self.policy or "auto"}'
                )
        if self.policy == 'budget' and self.cache_budget is None:
            raise ValueError('--policy budget needs --cache-budget, such as --cache-budget 2GB')

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> CacheOptions:
        """Take the options out of a parsed command line; raises ValueError."""
        given = {name: getattr(arguments, name) for name in cls.__dataclass_fields__}
        return cls(**given | {'policy': None if given['policy'] == 'auto' else given['policy']})

    def cache_policy(self, window_size: int, max_frames: int) -> CachePolicy | None:
        """Give the policy; None where --mode is to decide."""
        from stream3r_ros.streaming import CachePolicy

        if self.policy is None:
            return None
        default = CachePolicy()
        return CachePolicy(
            self.policy,
            max_frames,
            window_size,
            recent_frames=self.recent_frames or default.recent_frames,
            keyframes=self.keyframes or default.keyframes,
            budget_bytes=self.cache_budget or 0,
        )


def add_weights_arguments(
    group: Any, weights_help: str = WEIGHTS_HELP, default: str | None = 'demo'
) -> None:
    """Say which weights, where and in which type they compute."""
    group.add_argument('--weights', metavar='SOURCE', default=default, help=weights_help)
    group.add_argument('--revision', help='branch, tag or commit of the repository')
    group.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    group.add_argument('--dtype', choices=DTYPES, default='auto', help='type of the computations')
    add_quantise(group)
    group.add_argument(
        '--camera-iterations',
        metavar='N',
        type=positive,
        help="refine each pose N times; fewer are faster (default: the weights' own, 4)",
    )


def add_quantise(group: Any) -> None:
    """Describe --quantise."""
    group.add_argument(
        '--quantise',
        choices=QUANTISATIONS,
        default='none',
        help='keep the weights of the trunk in one byte a number: int8 rounds them alone, '
        'int8_dynamic also what they are multiplied by (default: none)',
    )


def add_mode_arguments(
    group: Any, modes: tuple[str, ...], what: str, default: str = 'causal'
) -> None:
    """Say what a frame looks back on."""
    group.add_argument(
        '--mode', choices=modes, default=default, help=f'{what} (default: {default})'
    )
    add_window_size(group)
    add_policy_arguments(group)


def add_window_size(group: Any) -> None:
    """Say how long the window is."""
    group.add_argument(
        '--window-size',
        metavar='N',
        type=positive,
        default=5,
        help='frames in the window, with the present one (default: 5)',
    )


def add_policy_arguments(group: Any) -> None:
    """Say what the cache keeps, where that is not the mode's."""
    group.add_argument(
        '--policy',
        choices=('auto', *POLICIES),
        default='auto',
        help='what the cache keeps beside the first frame: all (causal), the last ones (window), '
        'the last and the most different ones (keyframes), or as many as fit (budget) '
        "(default: auto, --mode's own)",
    )
    group.add_argument(
        '--recent-frames',
        metavar='N',
        type=positive,
        help='last frames of --policy keyframes, with the present one (default: 4)',
    )
    group.add_argument(
        '--keyframes',
        metavar='N',
        type=positive,
        help='older frames that --policy keyframes keeps (default: 8)',
    )
    group.add_argument(
        '--cache-budget',
        metavar='SIZE',
        type=size_in_bytes,
        help='keys and values of --policy budget, in bytes or such as 500MB or 2GB (10^9 bytes)',
    )
    group.add_argument(
        '--keep-special-tokens',
        metavar='N',
        type=positive,
        default=0,
        help='frames, of those that were forgotten last, whose camera and register tokens still '
        'are seen (default: none)',
    )
    add_cache_dtype(group)


def add_cache_dtype(group: Any) -> None:
    """Describe --cache-dtype."""
    group.add_argument(
        '--cache-dtype',
        choices=CACHE_TYPES,
        default='compute',
        help="type in which keys and values are kept: the computations', or one byte a number "
        '(default: compute)',
    )


def add_attention(group: Any) -> None:
    """Describe --attention."""
    group.add_argument('--attention', choices=ATTENTIONS, default='auto', help=ATTENTION_HELP)


def add_compile(group: Any) -> None:
    """Describe --compile."""
    group.add_argument('--compile', action='store_true', help=COMPILE_HELP)


def add_image_arguments(group: Any) -> None:
    """Say how a camera image becomes the network's."""
    add_size(group)
    group.add_argument(
        '--fit',
        choices=FITS,
        default='crop',
        help='how an image is fitted to that size (default: crop)',
    )


def add_size(group: Any) -> None:
    """Say how wide the network's image is."""
    group.add_argument(
        '--size',
        metavar='PIXELS',
        type=positive,
        help="width of the network's image, a multiple of 14 (default: what the network was "
        'trained at)',
    )


def add_synthetic_size(group: Any) -> None:
    """Say how large the synthetic room's images are."""
    group.add_argument(
        '--synthetic-size',
        metavar='WxH',
        dest='synthetic_hw',
        type=width_by_height,
        default=(480, 640),
        help='size of synthetic images (default: 640x480)',
    )


def positive(text: str) -> int:
    """Read a whole number above 0."""
    if not re.fullmatch(r'0*[1-9][0-9]{0,9}', text):
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number above 0')
    return int(text)


def whole(text: str) -> int:
    """Read a whole number from 0."""
    if not re.fullmatch(r'[0-9]{1,10}', text):
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number from 0')
    return int(text)


def width_by_height(text: str) -> tuple[int, int]:
    """Read WxH as (height, width)."""
    match = re.fullmatch(r'([1-9][0-9]{0,4})x([1-9][0-9]{0,4})', text)
    if not match:
        raise argparse.ArgumentTypeError(f'{text!r} is no size such as 640x480')
    return int(match[2]), int(match[1])


def size_in_bytes(text: str) -> int:
    """Read a number of bytes, or of kB, MB or GB, which are powers of ten."""
    match = re.fullmatch(r'([0-9]{1,12}(?:\.[0-9]{1,9})?)(kB|MB|GB|)', text)
    size = round(float(match[1]) * UNITS[match[2]]) if match else 0
    if size < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is no size in bytes such as 500MB or 2GB')
    return size
