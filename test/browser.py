"""The machine's Chromium without a screen, for tests of pages."""

import shutil

import pytest

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
DRIVER = shutil.which('chromedriver')
FLAGS = (
    '--headless',
    '--no-sandbox',  # a container's root has no other choice
    '--disable-dev-shm-usage',
    '--use-angle=swiftshader',  # WebGL without a graphics card
    '--enable-unsafe-swiftshader',
    '--no-first-run',
    '--disable-quic',
    '--disable-sync',
    '--disable-background-networking',
    '--disable-component-update',
    '--window-size=1000,700',
)


def open_browser(*flags):
    """Start Chromium; skip the test where there is none."""
    webdriver = pytest.importorskip('selenium.webdriver', reason='needs selenium')
    if not CHROMIUM or not DRIVER:
        pytest.skip('needs chromium and chromedriver (Debian: apt install chromium-driver)')
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, *flags):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
