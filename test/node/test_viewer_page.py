"""The viewer's page in a real browser, with the real node behind it."""

import io
import re
from functools import partial

import node_harness
import numpy as np
import pytest
from browser import open_browser
from node_harness import DEFAULTS, NodeProcess, Participant, picture
from PIL import Image as PillowImage
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import GetParameters

pytest.importorskip('viser', reason='needs viser')

exceptions = pytest.importorskip('selenium.common.exceptions', reason='needs selenium')

pytestmark = pytest.mark.timeout(300)
PATIENCE_S = 120.0  # the machine may be busy
wait_until = partial(node_harness.wait_until, timeout_s=PATIENCE_S)
KEYS = {'right': '\ue014', 'end': '\ue010', 'enter': '\ue007'}


@pytest.fixture(scope='module')
def browser():
    """Start Chromium once; skipped, visibly, where there is none."""
    driver = open_browser()
    yield driver
    driver.quit()


@pytest.fixture(scope='module')
def viewer(browser, domain):
    """Run a viewer that draws little, for browsers without a graphics card."""
    parameters = {'port': 0, 'max_points': 3000, 'max_cloud_points': 1000, 'max_cameras': 2}
    with NodeProcess('stream3r_viewer', domain, **parameters) as process:
        yield process


def address_of(viewer):
    output = viewer.wait_for_output('viewer: http://', PATIENCE_S)
    return re.search(r'viewer: (http://\S+)', output)[1]


@pytest.fixture
def page(browser, viewer, robot):
    """Open the page, with a map on it."""
    browser.get(address_of(viewer))
    wait_until(lambda: slider_value(browser, 'window_size') == 5, 'the page knows the node')

    def shows_numbers():
        robot.publish_and_wait(picture())
        return 'frames/s' in browser.find_element('tag name', 'body').text

    wait_until(shows_numbers, 'numbers')
    return browser


def slider(browser, label):
    """Find the thumb of a labelled slider; None while it is not there."""
    row = f"//label[normalize-space()='{label}']/ancestor::*[.//*[@role='slider']][1]"
    found = browser.find_elements('xpath', f"{row}//*[@role='slider']")
    return found[0] if found else None


def slider_value(browser, label):
    try:
        thumb = slider(browser, label)
        return thumb and float(thumb.get_attribute('aria-valuenow'))
    except exceptions.StaleElementReferenceException:  # the page was just drawn anew
        return None


def press(browser, label, key):
    """Press a key on a slider, as soon as the page lets one."""

    def is_pressed():
        try:
            slider(browser, label).send_keys(KEYS[key])
        except (
            exceptions.ElementNotInteractableException,
            exceptions.StaleElementReferenceException,
        ):
            return False
        return True

    wait_until(is_pressed, f'a slider {label} that can be used')


def parameter(robot, name):
    """Ask the node's own service."""
    client = robot.node.create_client(GetParameters, '/stream3r/get_parameters')
    values = robot.call(client, GetParameters.Request(names=[name])).values
    robot.node.destroy_client(client)
    return values[0].integer_value


def canvas_colours(browser):
    """Count the distinct colours of the middle of the canvas, as they are on the screen."""
    canvases = browser.find_elements('tag name', 'canvas')
    if not canvases:
        return 0
    canvas = max(canvases, key=lambda c: c.size['width'])
    with PillowImage.open(io.BytesIO(canvas.screenshot_as_png)) as shot:
        pixels = np.asarray(shot.convert('RGB'))
    height, width = pixels.shape[:2]
    middle = pixels[height // 4 : -height // 4, width // 4 : -width // 4]
    return len(np.unique(middle.reshape(-1, 3), axis=0))


class NarrowNode(Participant):
    """A node of the same name with a smaller range: another version, or another make."""

    def __init__(self, domain):
        super().__init__(domain, name='stream3r')
        for name, value in DEFAULTS.items():
            self.node.declare_parameter(name.replace('__', '.'), value)
        self.node.add_on_set_parameters_callback(self._check)

    @staticmethod
    def _check(changes):
        narrow = all(change.name != 'window_size' or change.value <= 8 for change in changes)
        reason = '' if narrow else 'window_size can be at most 8 on this machine'
        return SetParametersResult(successful=narrow, reason=reason)


def test_the_page_loads_and_its_canvas_shows_the_map(page):
    assert 'STream3R' in page.page_source
    wait_until(lambda: canvas_colours(page) > 200, 'a canvas with many colours')


def test_moving_a_slider_changes_the_nodes_parameter(page, robot):
    assert parameter(robot, 'window_size') == 5
    for value in (6, 7, 8):
        press(page, 'window_size', 'right')
        wait_until(lambda: parameter(robot, 'window_size') == value, "the node's parameter")  # noqa: B023
    assert slider_value(page, 'window_size') == 8


def test_a_refused_value_leaves_the_sliders_truth(browser, own_domain):
    with (
        NarrowNode(own_domain),
        NodeProcess('stream3r_viewer', own_domain, port=0) as viewer,
    ):
        browser.get(address_of(viewer))
        wait_until(lambda: slider_value(browser, 'window_size') == 5, 'the page knows the node')
        press(browser, 'window_size', 'end')
        body = browser.find_element('tag name', 'body')
        wait_until(lambda: 'at most 8 on this machine' in body.text, 'the sentence')
        wait_until(lambda: slider_value(browser, 'window_size') == 5, 'the truth')
