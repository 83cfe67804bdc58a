"""The files for other packages fit the node: parameters, topics, types, QoS and frames."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from interface import DISPLAYS, PUBLISHED, REMAPPED, SECTIONS, SUBSCRIBED, TRANSIENT_LOCAL

CONFIG = Path(__file__).parents[1] / 'config'
VIEWS = sorted(CONFIG.glob('*.rviz'))
WITH_OUR_SECTION = [
    path for path in sorted(CONFIG.glob('*.yaml')) if '/**/stream3r:' in path.read_text()
]
FRAMES = {
    'frames.odom': ('global_frame', 'odom_frame', 'world_frame'),
    'frames.base': (
        'robot_base_frame', 'base_link_frame', 'frame_id', 'map_clearing_frame_id'
    ),
    'frames.map': ('map_frame', 'map_frame_id'),
}  # fmt: skip


@pytest.fixture(scope='module')
def parameters():
    """Give the node's parameters by name."""
    pytest.importorskip('rclpy', reason='needs rclpy: . tools/activate.sh')
    from stream3r_ros.node.parameters import PARAMETERS

    return {parameter.name: parameter for parameter in PARAMETERS}


def flatten(tree: dict, prefix: str = '') -> dict:
    flat = {}
    for name, value in tree.items():
        inner = flatten(value, f'{prefix}{name}.') if isinstance(value, dict) else None
        flat |= {prefix + name: value} if inner is None else inner
    return flat


def section(file: str, name: str) -> dict:
    """Give a section's parameters with dotted names."""
    tree = yaml.safe_load((CONFIG / file).read_text())[name]
    return flatten(tree.get(name, tree)['ros__parameters'])


def displays(view: Path) -> list[dict]:
    return yaml.safe_load(view.read_text())['Visualization Manager']['Displays']


@pytest.mark.parametrize('path', WITH_OUR_SECTION, ids=lambda path: path.name)
def test_our_section_sets_parameters_that_exist_to_values_they_take(path, parameters):
    ours = section(path.name, '/**/stream3r')
    assert ours
    assert set(ours) <= set(parameters)
    problems = [parameters[name].problem(value) for name, value in ours.items()]
    assert not [problem for problem in problems if problem]


@pytest.mark.parametrize(('file', 'name', 'known'), SECTIONS, ids=lambda value: str(value)[:20])
def test_their_section_has_their_parameters_with_their_types(file, name, known):
    theirs = section(file, name)
    assert {name: type(value) for name, value in theirs.items()}.items() <= known.items()


def test_every_file_is_a_section_for_somebody():
    ours = {'stream3r.yaml', 'train_demo.yaml'}
    assert {path.name for path in CONFIG.glob('*.yaml')} == ours | {file for file, *_ in SECTIONS}


@pytest.mark.parametrize(('file', 'name', 'known'), SECTIONS, ids=lambda value: str(value)[:20])
def test_frames_are_the_ones_that_the_node_publishes(file, name, known, parameters):
    values = section(file, name)
    for ours, theirs in FRAMES.items():
        found = {values[name] for name in theirs if name in values}
        assert found <= {parameters[ours].default}


@pytest.mark.parametrize('file', ['nav2_voxel.yaml', 'nav2_stvl.yaml'])
def test_the_costmap_reads_a_cloud_of_ours_and_every_source_it_names(file):
    values = section(file, 'local_costmap')
    layer = values['plugins'][0]
    assert values['plugins'] == [layer, 'inflation_layer']
    sources = values[f'{layer}.observation_sources'].split()
    assert sources
    for source in sources:
        # Nav2's names are absolute: a relative one would lie in the costmap's own namespace.
        topic = values[f'{layer}.{source}.topic']
        assert topic.startswith('/') and PUBLISHED[topic[1:]] == 'sensor_msgs/PointCloud2'
        assert values[f'{layer}.{source}.data_type'] == 'PointCloud2'
        assert values[f'{layer}.{source}.sensor_frame'] == ''  # rays begin in the cloud's frame
    assert {name for name in values if name.endswith('.topic')} == {
        f'{layer}.{source}.topic' for source in sources
    }


def test_rays_to_the_floor_clear_and_do_not_mark():
    values = section('nav2_voxel.yaml', 'local_costmap')
    floor = values['voxel_layer.stream3r.min_obstacle_height']
    assert floor < 0 < values['voxel_layer.min_obstacle_height']
    assert values['voxel_layer.stream3r.clearing'] and values['voxel_layer.stream3r.marking']
    reach = values['voxel_layer.stream3r.raytrace_max_range']
    assert reach > values['voxel_layer.stream3r.obstacle_max_range']
    height = values['voxel_layer.z_voxels'] * values['voxel_layer.z_resolution']
    assert values['voxel_layer.z_voxels'] <= 16
    assert values['voxel_layer.origin_z'] + height >= values['voxel_layer.max_obstacle_height']


def test_the_filter_owns_odom_to_base_and_fuses_no_length():
    values = section('ekf.yaml', '/**/ekf_filter_node')
    assert values['publish_tf'] and values['world_frame'] == values['odom_frame']
    assert section('ekf.yaml', '/**/stream3r')['tf.mode'] == 'none'
    assert PUBLISHED[values['odom0']] == 'nav_msgs/Odometry'
    yaw_rate = 11
    assert len(values['odom0_config']) == 15
    assert [at for at, used in enumerate(values['odom0_config']) if used] == [yaw_rate]


def test_the_filter_answers_at_its_own_rate_and_takes_images_that_come_late():
    values = section('ekf.yaml', '/**/ekf_filter_node')
    assert values['predict_to_current_time'], 'else it publishes at the rate of the images'
    latency_s = 1.0
    assert values['smooth_lagged_data'] and values['history_length'] > latency_s


def test_rtabmap_pairs_equal_stamps_and_has_the_map_frame_to_itself():
    values, ours = section('rtabmap.yaml', '/**/rtabmap'), section('rtabmap.yaml', '/**/stream3r')
    assert not values['approx_sync'] and values['publish_tf']
    assert ours['tf.mode'] == 'odom_to_base' and ours['depth.resolution'] == 'camera'
    assert values['odom_frame_id'] == ''


@pytest.mark.parametrize('file', ['depthimage_to_laserscan.yaml', 'rtabmap.yaml', 'nvblox.yaml'])
def test_the_command_in_a_file_joins_topics_of_one_type(file):
    kinds = REMAPPED[file.removesuffix('.yaml')]
    pairs = re.findall(r'-r (\S+):=(\S+)', (CONFIG / file).read_text())
    assert {theirs for theirs, _ in pairs} == set(kinds)
    for theirs, ours in pairs:
        assert ours.startswith('/camera/') or PUBLISHED[ours] == kinds[theirs]


@pytest.mark.parametrize('view', VIEWS, ids=lambda path: path.name)
def test_a_view_asks_for_topics_as_they_are_published(view):
    ours = 0
    for display in displays(view):
        topic = display.get('Topic')
        if topic is None:
            continue
        name = topic['Value']
        assert not name.startswith('/'), 'relative, or a second robot is not seen'
        kind = DISPLAYS[display['Class'].removeprefix('rviz_default_plugins/')]
        latched = topic['Durability Policy'] == 'Transient Local'
        if name in PUBLISHED:
            ours += 1
            assert kind == PUBLISHED[name]
            assert latched == (name in TRANSIENT_LOCAL)
            assert topic['Reliability Policy'] == 'Reliable'
        elif name in SUBSCRIBED:
            given = SUBSCRIBED[name].replace('Compressed', '')  # RViz's own transport unpacks it
            assert kind == given
            assert topic['Reliability Policy'] == 'Best Effort'
        else:
            assert name.split('/')[0] in ('local_costmap', 'global_costmap', 'plan')
    assert ours


@pytest.mark.parametrize('view', VIEWS, ids=lambda path: path.name)
def test_a_view_stands_still_in_the_odom_frame(view, parameters):
    manager = yaml.safe_load(view.read_text())['Visualization Manager']
    assert manager['Global Options']['Fixed Frame'] == parameters['frames.odom'].default
    assert 'rviz_default_plugins/TF' in [display['Class'] for display in displays(view)]


def window(view: Path) -> dict:
    return yaml.safe_load(view.read_text())['Window Geometry']


def docks(view: Path) -> dict[str, bool]:
    """Give the docks of a window's saved state, with whether they are shown.

    Each is the byte 0xfb, the name's length and the name in UTF-16, and a byte for shown.
    """
    state = bytes.fromhex(window(view)['QMainWindow State'])
    found = {}
    for match in re.finditer(b'\xfb\x00\x00\x00(.)', state, re.DOTALL):
        end = match.end() + match[1][0]
        found[state[match.end() : end].decode('utf-16-be')] = bool(state[end])
    return found


@pytest.mark.parametrize('view', VIEWS, ids=lambda path: path.name)
def test_the_docks_of_a_view_are_its_panels_and_its_images_and_show_what_is_enabled(view):
    panels = yaml.safe_load(view.read_text())['Panels']
    expected = {panel['Name']: True for panel in panels} | {
        display['Name']: display['Enabled']
        for display in displays(view)
        if display['Class'] == 'rviz_default_plugins/Image'
    }
    assert docks(view) == expected
    # RViz reads these two from memory that nobody has set, where they are absent.
    assert not window(view)['Hide Left Dock'] and not window(view)['Hide Right Dock']


@pytest.mark.parametrize('view', VIEWS, ids=lambda path: path.name)
def test_a_path_is_a_band_and_a_pose_is_axes(view):
    by_kind = {display['Class'].split('/')[1]: display for display in displays(view)}
    assert by_kind['Path']['Line Style'] == 'Billboards' and by_kind['Path']['Line Width'] > 0
    for kind, nested in (('PoseWithCovariance', False), ('Odometry', True)):
        display = by_kind.get(kind)
        if display is None:
            continue
        shape = display['Shape'] if nested else display
        assert shape['Value' if nested else 'Shape'] == 'Axes'
        assert (shape['Axes Length'], shape['Axes Radius']) == (0.3, 0.03)


def test_the_view_for_compressed_images_differs_by_the_topic_of_the_camera_alone():
    def without_title(name):
        return (CONFIG / name).read_text().partition('\n')[2]

    raw, compressed = map(without_title, ('stream3r.rviz', 'stream3r_compressed.rviz'))
    assert compressed == raw.replace('Value: image\n', 'Value: image/compressed\n')
    assert compressed != raw


def test_shared_memory_has_room_for_the_largest_default_image():
    root = ElementTree.parse(CONFIG / 'fastdds_large_data.xml').getroot()
    sizes = {
        element.tag.rpartition('}')[2]: int(element.text)
        for element in root.iter()
        if element.tag.endswith(('segment_size', 'maxMessageSize'))
    }
    assert sizes['segment_size'] >= sizes['maxMessageSize'] >= 1920 * 1080 * 3
