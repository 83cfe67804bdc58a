"""Stand-ins for programs that only a full ROS has. Each writes down what it was asked."""

import stat
import sys
import textwrap

BAG = """
    import shutil, sys
    from pathlib import Path
    import rclpy
    from lifecycle_msgs.srv import GetState

    rclpy.init()
    node = rclpy.create_node('stand_in_for_ros2_bag')
    client = node.create_client(GetState, '/robot1/stream3r/get_state')
    client.wait_for_service(10)
    state = client.call_async(GetState.Request())
    rclpy.spin_until_future_complete(node, state, timeout_sec=10)
    here = Path(sys.argv[0]).parent
    shutil.copy(sys.argv[sys.argv.index('--qos-profile-overrides-path') + 1], here / 'qos.yaml')
    asked = here / 'asked.part'
    asked.write_text('\\n'.join([state.result().current_state.label, *sys.argv[1:]]))
    asked.rename(here / 'asked')
"""
MANAGER = """
    import rclpy
    from lifecycle_msgs.srv import ChangeState

    rclpy.init()
    node = rclpy.create_node('unnamed', automatically_declare_parameters_from_overrides=True)
    assert node.get_parameter('autostart').value is True
    assert node.get_parameter('bond_timeout').value == 0.0
    for name in node.get_parameter('node_names').value:
        client = node.create_client(ChangeState, f'{name}/change_state')
        client.wait_for_service(20)
        for transition in (1, 3):  # configure, activate
            request = ChangeState.Request()
            request.transition.id = transition
            done = client.call_async(request)
            rclpy.spin_until_future_complete(node, done, timeout_sec=20)
            assert done.result().success
    print(f'{node.get_fully_qualified_name()} has managed', flush=True)
"""
RVIZ = """
    import sys
    print('opens', *sys.argv[1:], file=sys.stderr, flush=True)
"""
STATIC_TRANSFORM = """
    import sys
    print('transform', *sys.argv[1:], file=sys.stderr, flush=True)
"""


def write_program(path, text: str) -> None:
    """Write a Python program that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!{sys.executable}\n{textwrap.dedent(text)}')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def write_package(prefix, package: str, executable: str, text: str) -> None:
    """Make an installed package of one program."""
    marker = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / package
    marker.parent.mkdir(parents=True)
    marker.touch()
    write_program(prefix / 'lib' / package / executable, text)
