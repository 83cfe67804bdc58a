"""Launch arguments are text: what is read as what, and what is refused with which words."""

import subprocess
import sys

import pytest
import yaml

from stream3r_ros.node.launch_arguments import (
    existing,
    file_in_memory,
    frame,
    full_name,
    image_topics,
    log_level,
    misspelt,
    names,
    namespace,
    number,
    numbers,
    of_parameter,
    one_of,
    parameter_file,
    parameter_rules,
    pattern,
    read_all,
    required,
    source,
    topic,
    truth,
    weights,
    whole,
)

READ = (
    *((truth, text, True) for text in ('true', 'True', 'TRUE', '1', 'yes', 'Yes', 'on', ' true ')),
    *((truth, text, False) for text in ('false', 'False', '0', 'no', 'off', 'OFF')),
    (number(0), '1e-3', 0.001),
    (number(0, 10), '10', 10.0),
    (whole(0, 10), ' 7 ', 7),
    (whole(-5, 10), '-5', -5),
    (one_of('a', 'b'), 'b', 'b'),
    (log_level, 'WARN', 'WARN'),
    (log_level, 'stream3r:=debug', 'stream3r:=debug'),
    (names, 'front,left', ['front', 'left']),
    (names, "[front, 'left']", ['front', 'left']),
    (names, '', ['']),
    *((namespace, text, text) for text in ('', '/', 'robot1', '/a/b', 'robot1/')),
    *((topic, text, text) for text in ('image', '/a/b', '~/points', '{camera}/image', 'c_{node}')),
    (frame, 'robot1/odom', 'robot1/odom'),
    (numbers('x y'), '1, -2e3', ['1', '-2e3']),
    (numbers('x y'), '', []),
    (source, 'synthetic:7', 'synthetic:7'),
    (source, 'synthetic:7/1000000', 'synthetic:7/1000000'),
    (weights, 'demo', 'demo'),
    (weights, 'yslan/STream3R', 'yslan/STream3R'),
    (pattern, '^/tf$', '^/tf$'),
    (of_parameter('mode'), 'causal', 'causal'),
    (of_parameter('mode'), '', None),
    (of_parameter('two_d_mode'), 'Yes', True),
    (of_parameter('window_size'), '3', 3),
    (of_parameter('cameras'), 'front,left', ['front', 'left']),
    (of_parameter('frames.base', frame), 'chassis', 'chassis'),
)
REFUSED = (
    *((truth, text) for text in ('maybe', '', '2', 'truee', 'none')),
    *((number(0), text) for text in ('-1', 'nan', 'inf', '', 'ten', '1,5')),
    (number(0, 10), '10.1'),
    *((whole(0, 10), text) for text in ('11', '1.0', 'x', '', '-1')),
    (one_of('a', 'b'), 'c'),
    *((log_level, text) for text in ('loud', '', 'stream3r:=loud')),
    *((namespace, text) for text in ('9th', 'a b', 'a//b', '~/a')),
    *((topic, text) for text in ('', '/', 'a b', 'a//b', '9', 'image/', '{kamera}/image')),
    *((frame, text) for text in ('/odom', 'my frame')),
    *((numbers('x y'), text) for text in ('1', '1 2 3', '1 x', '1 nan')),
    *(
        (source, text)
        for text in ('/no/folder', 'synthetic:', 'synthetic:x', 'synthetic:1/2/3', '')
    ),
    *((weights, text) for text in ('/no/file', './mine', '~/no/weights', 'mine.safetensors')),
    (existing('a file'), '/no/file'),
    (existing('a file'), ''),
    (pattern, '(tf'),
    (of_parameter('mode'), 'windw'),
    (of_parameter('two_d_mode'), 'maybe'),
    (of_parameter('window_size'), '0'),
    (of_parameter('cameras'), 'front,front'),
    (of_parameter('cameras'), 'a b'),
)


@pytest.mark.parametrize(('reader', 'text', 'expected'), READ)
def test_an_argument_is_read(reader, text, expected):
    value = reader(text)
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(('reader', 'text'), REFUSED)
def test_an_argument_is_refused_with_what_is_expected(reader, text):
    with pytest.raises(ValueError, match=r'\w'):
        reader(text)


def test_every_wrong_argument_is_named_with_its_value_and_what_is_expected():
    table = (('loop', '', '', truth), ('port', '', '', whole(0, 9)), ('mode', '', '', names))
    with pytest.raises(ValueError) as error:
        read_all(table, {'loop': 'maybe', 'port': '10', 'mode': 'x'})
    assert str(error.value) == (
        "loop must be true or false (1, 0, yes, no, on, off); found 'maybe'. "
        "port must be a whole number from 0 to 9; found '10'"
    )


def test_a_parameter_file_has_to_be_one(tmp_path):
    good, bad, binary = (tmp_path / name for name in ('good', 'bad', 'binary'))
    good.write_text('/**: {ros__parameters: {mode: full}}')
    bad.write_text('a: [1')
    binary.write_bytes(b'\xff\xfe\x00')
    assert parameter_file(str(good)) == str(good)
    for path in (bad, binary, tmp_path, tmp_path / 'none'):
        with pytest.raises(ValueError, match='a YAML file with parameters'):
            parameter_file(str(path))


def test_the_images_of_all_cameras_have_full_names():
    value = {
        'image': 'image', 'image_compressed': '{camera}/jpeg', 'image_transport': None,
        'cameras': None,
    }  # fmt: skip
    assert image_topics(value, '') == ['/image']
    assert image_topics({**value, 'image': '/eye'}, '/robot1') == ['/eye']
    both = {**value, 'cameras': ['front', 'left']}
    assert image_topics(both, '/r') == ['/r/front/image', '/r/left/image']
    both['image_transport'] = 'compressed'
    assert image_topics(both, '/r') == ['/r/front/jpeg', '/r/left/jpeg']
    assert full_name('~/image', '/r') == '/r/stream3r/image'


def test_parameters_on_a_command_line_keep_their_types():
    given = {'a': "it's 123", 'b': '123', 'c': 1.0, 'd': True, 'e': ['x', '1'], 'f': ''}
    option, *words = parameter_rules(given)
    rules = dict(word.split(':=', 1) for word in words[1::2])
    assert option == '--ros-args' and set(words[::2]) == {'-p'}
    assert {name: yaml.safe_load(text) for name, text in rules.items()} == given


def test_a_file_in_memory_is_there_for_others_and_goes_with_its_process():
    program = (
        'import subprocess, sys\n'
        'from stream3r_ros.node.launch_arguments import file_in_memory\n'
        'path = file_in_memory("a.yaml", {"a": 1})\n'
        'subprocess.run(["cat", path], check=True)\n'
        'print(path)'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    *content, path = done.stdout.splitlines()
    assert content == ['a: 1']
    with pytest.raises(OSError):
        open(path)
    assert yaml.safe_load(open(file_in_memory('b.yaml', {'b': [True]}))) == {'b': [True]}


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        ('playr:=true', ['there is no argument playr, did you mean player?']),
        ('rviz_confg:=x', ['there is no argument rviz_confg, did you mean rviz_config?']),
        ('player:=true', []),
        ('use_namespace:=true', []),  # of a file that includes ours
        ('rviz_config_file:=x', []),
        ('slam:=true', []),
        ('playr', []),
    ],
)
def test_a_misspelt_argument_is_said(given, said):
    assert misspelt([given], ('player', 'rviz_config', 'namespace')) == said


def test_a_program_that_is_not_installed_is_missed_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    with pytest.raises(
        ValueError, match='rviz:=true needs the package rviz2: it is not installed'
    ):
        required('rviz2', 'rviz2', 'rviz:=true')
    marker = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages' / 'rviz2'
    marker.parent.mkdir(parents=True)
    marker.touch()
    with pytest.raises(ValueError, match='needs rviz2 of the package rviz2'):
        required('rviz2', 'rviz2', 'rviz:=true')
    (tmp_path / 'lib' / 'rviz2').mkdir(parents=True)
    (tmp_path / 'lib' / 'rviz2' / 'rviz2').touch()
    required('rviz2', 'rviz2', 'rviz:=true')
