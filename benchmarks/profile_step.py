"""Where the time of one frame goes: kinds of operators, and how fast the products among them are.

Steps until the window is full, then profiles one frame, once for each of the types given. The
operations of the products are counted from the sizes of the network, so that a rate is what a
processor did for the frame and not what an operator says of itself.
"""

import argparse
from collections import Counter

import torch
from against_published import IMAGE_HW, WINDOW
from published_session import PublishedSession
from torch.profiler import ProfilerActivity, profile

from stream3r_ros.cli.random_weights import open_network
from stream3r_ros.network import OUTPUTS, NetworkConfig
from stream3r_ros.network.arithmetic import KINDS, frame_products, frames_seen
from stream3r_ros.streaming import StreamSession

KIND_OF = {
    'aten::addmm': 'linear',
    'aten::mm': 'linear',
    'aten::_int_mm': 'linear',
    'aten::mkldnn_linear': 'linear',
    'mkldnn::_linear_pointwise': 'linear',
    'aten::_scaled_dot_product_flash_attention_for_cpu': 'attention',
    'aten::mkldnn_convolution': 'convolution',
    'aten::_convolution': 'convolution',
}
COPIES = ('aten::copy_', 'aten::cat', 'aten::index_copy_', 'aten::clone')
REST = ('copies', 'others')


def measure(session: StreamSession | PublishedSession, image_hw: tuple[int, int]) -> Counter[str]:
    """Give the seconds of each kind of operator in the frame after the window is full."""
    images = torch.Generator().manual_seed(0)
    for _ in range(WINDOW + 1):
        session.step(torch.rand(3, *image_hw, generator=images))
    image = torch.rand(3, *image_hw, generator=images)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        session.step(image)
    seconds: Counter[str] = Counter()
    for operator in profiled.key_averages():
        kind = KIND_OF.get(operator.key, REST[operator.key not in COPIES])
        seconds[kind] += operator.self_cpu_time_total / 1e6
    return seconds


def print_profile(
    title: str, seconds: Counter[str], config: NetworkConfig, options: argparse.Namespace
) -> None:
    """Print a line for each kind: seconds, share of the frame, operations and their rate."""
    outputs = OUTPUTS if options.published else tuple(options.outputs.split(','))
    seen = frames_seen(WINDOW + 2, 'window', WINDOW)
    products = frame_products(config, tuple(options.size), seen, outputs)
    print(f'{title}: {seconds.total():.2f} s')
    for kind in (*KINDS, *REST):
        line = f'  {kind:12} {seconds[kind]:6.2f} s {100 * seconds[kind] / seconds.total():4.0f} %'
        gflop = sum(p.count * p.flops for p in products if p.kind == kind) / 1e9
        if gflop:
            line += f'  {gflop:5.0f} GFLOP, {gflop / seconds[kind]:5.0f} a second'
        print(line, flush=True)


def main() -> None:
    """Profile a frame in each type."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('dtypes', nargs='*', default=['float32', 'bfloat16'], metavar='TYPE')
    parser.add_argument('--published', action='store_true', help='the published session instead')
    parser.add_argument('--outputs', default=','.join(OUTPUTS), help='of ours, with commas')
    parser.add_argument('--quantise', default='none')
    parser.add_argument('--weights', default='random:official')
    parser.add_argument('--size', type=int, nargs=2, default=IMAGE_HW, metavar=('H', 'W'))
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for dtype in options.dtypes:
        network = open_network(options.weights, 'cpu', dtype, None, options.quantise)
        session: StreamSession | PublishedSession
        if options.published:
            session = PublishedSession(network, WINDOW)
        else:
            outputs = options.outputs.split(',')
            session = StreamSession(network, 'window', WINDOW, outputs=outputs)
        name = 'published session' if options.published else options.outputs
        title = f'{options.weights}, {dtype}, {name}, {options.threads} threads'
        print_profile(title, measure(session, tuple(options.size)), network.config, options)


if __name__ == '__main__':
    main()
