"""The short table of a recording."""

from pathlib import Path

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.accounts import summary


def test_the_rate_is_that_of_the_frames_whatever_clock_the_last_status_has():
    frames = [
        StreamStatus(header=Header(stamp=Time(sec=100 + number // 2), frame_id='camera'))
        for number in range(9)
    ]
    # A status without a frame has the time of the system.
    last = StreamStatus(header=Header(stamp=Time(sec=1_700_000_000)), received=12, dropped=3)
    table = summary(frames, last, 7, Path('out'))
    assert 'frames per second' in table
    assert table.split('frames per second')[1].split()[0] == '2.0'
    assert table.split('images received')[1].split()[0] == '12'
