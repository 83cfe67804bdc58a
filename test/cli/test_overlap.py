"""Stages work at the same time; order, errors and results are those of one after the other."""

import threading
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from stream3r_ros.cli import reconstruct
from stream3r_ros.cli.main import main
from stream3r_ros.cli.overlap import Overlap
from stream3r_ros.export import DepthFolder
from stream3r_ros.sources.folder import ImageFolder

LONG_S = 20  # bounds a test that hangs; nothing waits for so long


@pytest.fixture(autouse=True)
def threads():
    """See that no thread outlives its test."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(LONG_S)
    assert not any(thread.is_alive() for thread in left)


class OneAfterTheOther:
    """Do what Overlap does without any thread."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def ahead(self, items):
        return iter(items)

    def behind(self, work):
        return work


def failing(numbers, error):
    yield from numbers
    raise error


@pytest.mark.parametrize('depth', [1, 4])
def test_items_keep_their_order_through_all_stages(depth):
    written = []
    with Overlap(depth) as overlap:
        write = overlap.behind(written.append)
        for number in overlap.ahead(one * 10 for one in overlap.ahead(range(50))):
            write(number + 1)
    assert written == [10 * number + 1 for number in range(50)]


def test_reading_computing_and_writing_happen_at_the_same_time():
    # Three stages meet while each holds another item: in turns, they would wait for ever.
    meeting = threading.Barrier(3, timeout=LONG_S)

    def read():
        for number in range(3):
            if number == 2:
                meeting.wait()
            yield number

    def write_first(number):
        if number == 0:
            meeting.wait()

    with Overlap() as overlap:
        write = overlap.behind(write_first)
        for number in overlap.ahead(read()):
            if number == 1:
                meeting.wait()
            write(number)
    assert not meeting.broken


def test_no_more_than_depth_items_wait_between_two_stages():
    taken, may_read = [], threading.Semaphore(0)

    def read():
        for number in range(100):
            taken.append(number)
            may_read.release()
            yield number

    with pytest.raises(KeyboardInterrupt), Overlap(3) as overlap:
        next(overlap.ahead(read()))
        for _ in range(5):  # the one given out, three that wait, one in the reader's hand
            assert may_read.acquire(timeout=LONG_S)
        assert not may_read.acquire(timeout=0.3)
        raise KeyboardInterrupt
    assert taken == [0, 1, 2, 3, 4]


def test_an_error_comes_where_its_item_would_have_come():
    got = []
    with pytest.raises(ValueError, match='no fourth'), Overlap() as overlap:
        numbers = overlap.ahead(failing(range(3), ValueError('no fourth')))
        for number in overlap.ahead(2 * one for one in numbers):
            got.append(number)
    assert got == [0, 2, 4]


def test_an_error_of_the_writer_ends_the_run_even_at_the_last_item():
    def write(number):
        raise OSError(28, 'No space left on device', f'{number}.png')

    with pytest.raises(OSError, match='0.png'), Overlap(1) as overlap:
        submit = overlap.behind(write)
        for number in range(100):
            submit(number)
    with pytest.raises(OSError, match='7.png'), Overlap() as overlap:
        overlap.behind(write)(7)


def test_an_error_of_the_writer_comes_before_that_of_a_later_frame():
    def write(number):
        raise OSError(f'frame {number} cannot be written')

    with pytest.raises(OSError, match='frame 0 cannot be written'), Overlap() as overlap:
        submit = overlap.behind(write)
        submit(0)
        raise ValueError('frame 1 cannot be read')


def test_what_is_behind_is_finished_before_an_error_goes_on_and_dropped_at_ctrl_c():
    for error, expected in ((ValueError, [0, 1, 2]), (KeyboardInterrupt, [0])):
        written, begun, go_on = [], threading.Event(), threading.Event()

        def write(number, written=written, begun=begun, go_on=go_on):
            begun.set()
            assert go_on.wait(LONG_S)
            written.append(number)

        with pytest.raises(error), Overlap() as overlap:
            submit = overlap.behind(write)
            for number in range(3):
                submit(number)
            assert begun.wait(LONG_S)
            if error is KeyboardInterrupt:
                threading.Thread(target=set_after, args=(overlap._stopped, go_on)).start()
            else:
                go_on.set()
            raise error
        assert written == expected


def set_after(first, second):
    assert first.wait(LONG_S)
    second.set()


def test_an_endless_source_ends_at_ctrl_c():
    def endless():
        while True:
            yield 1

    with pytest.raises(KeyboardInterrupt), Overlap() as overlap:
        for _ in overlap.ahead(overlap.ahead(endless())):
            raise KeyboardInterrupt


@pytest.fixture()
def images(tmp_path):
    """Write a folder of images, more than wait between two stages."""
    folder = tmp_path / 'images'
    folder.mkdir()
    for number in range(14):
        noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(noise).resize((80, 60)).save(folder / f'{number}.png')
    return folder


def run(folder, out, *options):
    return main(['run', str(folder), '--out', str(out), '--dtype', 'float32', *options])


def files_of(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob('*')
        # Seconds differ from run to run.
        if path.is_file() and path.name not in ('summary.json', 'frames.jsonl')
    }


@pytest.mark.parametrize('mode', ['causal', 'window', 'full'])
def test_results_are_byte_for_byte_those_of_one_stage_after_the_other(
    images, tmp_path, monkeypatch, mode
):
    assert run(images, tmp_path / 'overlapped', '--mode', mode) == 0
    monkeypatch.setattr(reconstruct, 'Overlap', OneAfterTheOther)
    assert run(images, tmp_path / 'in_turn', '--mode', mode) == 0
    found = files_of(tmp_path / 'overlapped')
    assert len(found) == 14 + 4
    assert found == files_of(tmp_path / 'in_turn')


@contextmanager
def damaged(file):
    data = file.read_bytes()
    file.write_bytes(b'damaged')
    yield
    file.write_bytes(data)


@pytest.mark.parametrize('mode', ['window', 'full'])
def test_sentences_are_those_of_one_stage_after_the_other(
    images, tmp_path, monkeypatch, capsys, mode
):
    def sentences():
        with damaged(images / '9.png'):
            assert run(images, tmp_path / 'out', '--mode', mode, '--strict', '--overwrite') == 2
        Image.new('RGB', (80, 50)).save(images / '1.png')
        assert run(images, tmp_path / 'out', '--mode', mode, '--strict', '--overwrite') == 2
        return capsys.readouterr().err

    overlapped = sentences()
    monkeypatch.setattr(reconstruct, 'Overlap', OneAfterTheOther)
    Image.new('RGB', (80, 60)).save(images / '1.png')
    assert overlapped == sentences()
    assert '9.png cannot be read as an image' in overlapped
    assert '1.png: image is 50 x 80 (height x width) but ' in overlapped


def test_a_disk_that_is_full_is_one_sentence_and_leaves_nothing(
    images, tmp_path, monkeypatch, capsys
):
    def write(self, name, depth):
        raise OSError(28, 'No space left on device', f'{name}.png')

    monkeypatch.setattr(DepthFolder, 'write', write)
    assert run(images, tmp_path / 'out') == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == 'stream3r: 000000.png: No space left on device'
    assert not (tmp_path / 'out').exists()


def test_a_run_reads_in_another_thread_than_it_computes_in(images, tmp_path, monkeypatch):
    threads, frames = set(), ImageFolder.__iter__

    def watched(self):
        for frame in frames(self):
            threads.add(threading.current_thread())
            yield frame

    monkeypatch.setattr(ImageFolder, '__iter__', watched)
    assert run(images, tmp_path / 'out', '--frames', '3') == 0
    assert len(threads) == 1
    assert threading.main_thread() not in threads
