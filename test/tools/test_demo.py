"""The demo's settings, and what it says when it runs."""

import os
import subprocess
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / 'tools' / 'demo'


def run(**settings: str) -> subprocess.CompletedProcess:
    return subprocess.run([DEMO], env=os.environ | settings, capture_output=True, text=True)


@pytest.mark.parametrize(
    ('name', 'value', 'expected'),
    [
        *(
            ('DEMO_FRAMES', value, '1 to 999999999')
            for value in ('', '0', '00', '-3', '1.5', 'true', '99999999999999999999')
        ),
        *(('DEMO_PORT', value, '0 to 65535') for value in ('', '-1', '65536', 'any')),
        ('DEMO_DOMAIN_ID', '233', '0 to 232'),
    ],
)
def test_a_setting_that_is_no_number_in_its_range_is_one_sentence(name, value, expected):
    done = run(**{name: value})
    sentence = f"demo: {name} must be a whole number from {expected}, found '{value}'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, '', sentence)


@pytest.mark.timeout(120)
def test_the_demo_says_nothing_of_a_base_and_a_folder_may_have_any_name(tmp_path):
    pytest.importorskip('rclpy', reason='needs rclpy: . tools/activate.sh')
    out = tmp_path / "it's"
    done = run(DEMO_FRAMES='03', DEMO_OUT=str(out))
    assert done.returncode == 0, done.stderr
    assert (out / 'picture.png').is_file()
    warnings = [line for line in done.stderr.splitlines() if '[WARN]' in line]
    assert [line for line in warnings if 'base' in line or 'TF' in line or 'QoS' in line] == []
