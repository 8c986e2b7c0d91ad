"""Adversarial sets on disk: found again, checked, shared, bounded, and done without."""

import concurrent.futures
import errno
import json
import os
import threading

import numpy as np
import pytest
from small_network import tiny

from reno_tf import attacks
from reno_tf.attacks import PGD, Budget, Disruption, Rule, TargetDistance, cache, craft_once, crafting
from reno_tf.attacks.cache import store


class Counted:
    """Brightens by its parameter, and counts its calls."""

    def __init__(self, change=0.25):
        self.parameters, self.calls = {"change": change}, 0

    def __call__(self, images, indices):
        self.calls += 1
        return images + np.float32(self.parameters["change"])

    def trace(self, images):
        self.calls += 1
        return [2.0, float(np.mean(images))]


class Lazy:
    """A set of images that is never whole in memory: what it is asked for is at most a batch."""

    def __init__(self, images):
        self._images, self.shape, self.largest = images, images.shape, 0

    def __len__(self):
        return len(self._images)

    def __getitem__(self, chosen):
        part = self._images[chosen]
        self.largest = max(self.largest, len(part))
        return part


def _once(folder, images, attack=None, teacher="a", **options):
    attack = attack or Counted()
    return craft_once(attack, images, teacher=teacher, folder=folder, batch_size=4, **options), attack.calls


def test_a_set_is_made_once_and_mapped(tmp_path, images):
    first, calls = _once(tmp_path, images)
    assert calls == 2
    again, calls = _once(tmp_path, images)
    assert calls == 0 and isinstance(again, np.memmap) and not again.flags.writeable
    for crafted in (first, again):
        np.testing.assert_array_equal(crafted, images + np.float32(0.25))
        assert crafted.dtype == np.float32
    np.testing.assert_array_equal(np.load(next(tmp_path.glob("*.npy"))), first)  # A plain .npy for others.


def test_whatever_it_depends_on_misses(tmp_path, images):
    other = images.copy()
    other[5, 3, 3, 1] += np.float32(1e-6)
    _once(tmp_path, images)
    assert _once(tmp_path, images, teacher="b")[1] == 2
    assert _once(tmp_path, images, attack=Counted(0.125))[1] == 2
    assert _once(tmp_path, other)[1] == 2
    assert _once(tmp_path, images[:5])[1] == 2
    assert _once(tmp_path, images, content="said")[1] == 2
    assert len(list(tmp_path.glob("*.npy"))) == 6
    assert _once(tmp_path, images)[1] == 0


def test_every_parameter_of_an_attack_is_in_its_key():
    teacher, float32 = tiny(), {"precision": "float32"}
    plain, found = PGD().on(teacher, **float32).parameters, []
    for fields in (
        *({"start": "zero"}, {"rule": Rule(momentum=1.0)}, {"rule": Rule(diversity=0.5)}, {"ball": "l2"}),
        *({"rule": Rule(smoothing=1.0)}, {"restarts": 2}, {"unit": "normalized"}, {"objective": Disruption()}),
        *({"objective": TargetDistance(neuron=1)}, {"objective": TargetDistance(target_scale=10.0)}),
    ):
        found.append(PGD(**fields).on(teacher, **float32).parameters)
    for budget in ({"epsilon": 0.2}, {"step_size": 0.02}, {"steps": 7}):
        found.append(PGD().on(teacher, Budget(**budget), **float32).parameters)
    for option in ({"seed": 1}, {"precision": "bfloat16"}, {"others": np.zeros([2, 4, 4, 3], np.float32)}):
        found.append(PGD().on(teacher, **float32 | option).parameters)
    assert all(parameters != plain for parameters in found)
    assert len({json.dumps(parameters, sort_keys=True) for parameters in found}) == len(found)


@pytest.mark.parametrize("damage", ["cut", "flipped pixel", "flipped header", "flipped checksum", "empty", "longer"])
def test_damage_is_found_and_mended(tmp_path, images, damage, caplog):
    whole = np.array(_once(tmp_path, images)[0])
    path = next(tmp_path.glob("*.npy"))
    content = bytearray(path.read_bytes())
    if damage.startswith("flipped"):
        content[{"pixel": 5000, "header": 70, "checksum": -1}[damage.split()[1]]] ^= 1
    path.write_bytes({"cut": content[:5000], "empty": b"", "longer": content + b"x"}.get(damage, content))
    mended, calls = _once(tmp_path, images)
    assert calls == 2
    np.testing.assert_array_equal(mended, whole)
    assert _once(tmp_path, images)[1] == 0


def test_images_need_not_fit_into_memory(tmp_path, images, monkeypatch):
    lazy = Lazy(images)
    crafted, _ = _once(tmp_path, lazy, content="lazy")
    assert lazy.largest == 4
    np.testing.assert_array_equal(crafted, images + np.float32(0.25))
    monkeypatch.setattr(crafting, "_LARGE", 1000)
    crafted = crafting.craft(Counted(), lazy, batch_size=4)
    assert isinstance(crafted, np.memmap) and lazy.largest == 4
    np.testing.assert_array_equal(crafted, images + np.float32(0.25))
    assert cache.content_hash(lazy) == cache.content_hash(images)


def test_noise_is_made_when_it_is_looked_at(images):
    attack = attacks.penultimate_pgd(tiny())
    noisy = attacks.Noisy(attack, images)
    np.testing.assert_array_equal(noisy[2:5], attack.noise(images)[2:5])
    assert len(noisy) == 6 and noisy.shape == images.shape


_SIZE = 6 * 16 * 16 * 3 * 4 + 4096


def test_the_folder_is_bounded_and_the_oldest_goes(tmp_path, images):
    for name in "abc":
        _once(tmp_path, images, teacher=name)
    paths = {
        name: tmp_path / f"{cache._key(Counted(), images.shape, name, cache.content_hash(images))}.npy"
        for name in "abcd"
    }
    for age, name in enumerate("cab"):
        os.utime(paths[name], (1000 + age, 1000 + age))
    _once(tmp_path, images, teacher="c")  # Used now, so it is no more the oldest.
    _once(tmp_path, images, teacher="d", limit=3 * _SIZE)
    assert {name for name, path in paths.items() if path.exists()} == set("bcd")


def test_what_is_open_stays_and_what_is_larger_than_all_is_kept(tmp_path, images):
    opened, _ = _once(tmp_path, images, teacher="a")
    _once(tmp_path, images, teacher="b")
    newest, _ = _once(tmp_path, images, teacher="c", limit=0)
    left = len(list(tmp_path.glob("*.npy")))
    np.testing.assert_array_equal(opened, newest)
    assert left == 2  # b was closed
    assert _once(tmp_path, images, teacher="a")[1] == 0


def _left(folder):
    """All that lies there but locks and the marker."""
    return [path for path in folder.iterdir() if path.suffix != ".lock" and path.name != ".reno_tf-cache"]


@pytest.fixture
def users(tmp_path):
    """{a file of the user's in the folder cache: its content}; one bears a set's name, one is a link to another."""
    folder, content = tmp_path / "cache", bytes(10**6)
    (tmp_path / "photos.npy").write_bytes(content)
    own = {folder / name: content for name in ("features_2019.npy", "new.part", f"{'A' * 64}.npy", f"{'a' * 64}.npy")}
    for path in own:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1000, 1000))
    (folder / f"{'b' * 64}.npy").symlink_to(tmp_path / "photos.npy")
    return own | {folder / f"{'b' * 64}.npy": content, tmp_path / "photos.npy": content}


def test_only_sets_of_the_cache_are_counted_and_deleted(tmp_path, images, users, warnings):
    folder = tmp_path / "cache"
    for name in "abc":
        _once(folder, images, teacher=name, limit=3 * _SIZE)
    assert len(_left(folder)) == len(users) - 1 + 3  # What others have there does not count.
    (folder / f"{'c' * 64}.npy").symlink_to(tmp_path / "photos.npy")
    users |= {folder / f"{'c' * 64}.npy": bytes(10**6)}
    _once(folder, images, teacher="d", limit=0)
    assert len(_left(folder)) == len(users) - 1 + 1
    assert {path: path.read_bytes() for path in users} == users
    assert len(warnings) == 1 and warnings[0].endswith("never deleted, nor counted: 2")


def test_without_its_marker_the_cache_has_no_files(tmp_path, images):
    _once(tmp_path, images)
    assert len(store.own_files(tmp_path)) == 1
    for content in ("{", "[]", "{}", '{"others": 1}'):
        (tmp_path / ".reno_tf-cache").write_text(content)
        assert store.own_files(tmp_path) == []
    (tmp_path / ".reno_tf-cache").unlink()
    assert store.own_files(tmp_path) == []


def test_what_a_killed_process_left_goes_too(tmp_path, images):
    store.mark_as_cache(tmp_path)
    (tmp_path / f"{'0' * 64}.part").write_bytes(bytes(10**6))
    _once(tmp_path, images, limit=2 * _SIZE)
    assert not list(tmp_path.glob("*.part"))


def test_of_two_that_want_the_same_set_one_makes_it(tmp_path, images, monkeypatch):
    both_are_there, arrived = threading.Event(), []

    def lock(path, _lock=store.lock):
        arrived.append(path)
        if len(arrived) == 2:
            both_are_there.set()
        return _lock(path)

    class Slow(Counted):
        def __call__(self, batch, indices):
            assert both_are_there.wait(60)
            return super().__call__(batch, indices)

    monkeypatch.setattr(store, "lock", lock)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # A file lock parts threads as it parts processes.
        tasks = [pool.submit(_once, tmp_path, images, attack=Slow()) for _ in range(2)]
        (first, calls), (second, other_calls) = (task.result() for task in tasks)
    assert sorted((calls, other_calls)) == [0, 2]
    np.testing.assert_array_equal(first, second)


def test_a_broken_attack_leaves_nothing(tmp_path, images):
    def broken(batch, indices):
        raise RuntimeError("halfway")

    broken.parameters = {}
    with pytest.raises(RuntimeError, match="halfway"):
        craft_once(broken, images, teacher="a", folder=tmp_path)
    assert not _left(tmp_path)


@pytest.fixture
def warnings(monkeypatch):
    told = []
    monkeypatch.setattr(cache.logging, "warning", lambda message, *values: told.append(message % values))
    cache._warn_once.cache_clear()
    return told


def test_a_full_disk_is_done_without(tmp_path, images, monkeypatch, warnings):
    def full(file, size):
        file.write(bytes(100))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "reserve", full)
    for _ in range(2):
        crafted, calls = _once(tmp_path, images)
        np.testing.assert_array_equal(crafted, images + np.float32(0.25))
        assert calls == 2
    assert len(warnings) == 1 and "No space left on device; adversarial sets are not kept" in warnings[0]
    assert not _left(tmp_path)


def test_a_disk_that_fills_up_in_the_middle_is_done_without(tmp_path, images, monkeypatch, warnings):
    def full(file, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "finish", full)
    np.testing.assert_array_equal(_once(tmp_path, images)[0], images + np.float32(0.25))
    assert len(warnings) == 1 and "No space left on device; adversarial sets are not kept" in warnings[0]
    assert not _left(tmp_path)


def test_a_folder_that_cannot_be_written_is_done_without(images, warnings):
    for _ in range(2):
        assert _once("/proc/adversarial", images)[1] == 2
        assert attacks.trace_once(Counted(), images, teacher="a", folder="/proc/adversarial")[0] == 2.0
    assert len(warnings) == 1 and warnings[0].startswith("/proc/adversarial: ")


def test_a_trace_is_kept_too(tmp_path, images):
    attack = Counted()
    traces = [attacks.trace_once(attack, images, teacher="a", folder=tmp_path) for _ in range(2)]
    assert attack.calls == 1 and traces[0] == traces[1]
    next(tmp_path.glob("*.json")).write_text("{")
    assert attacks.trace_once(attack, images, teacher="a", folder=tmp_path) == traces[0] and attack.calls == 2
    attacks.trace_once(attack, images, teacher="b", folder=tmp_path)
    assert attack.calls == 3
    assert attacks.trace_once(attack, images, teacher="a", folder="") == traces[0] and attack.calls == 4


def test_nothing_is_kept_without_a_folder(images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _once("", images)[1] == 2 and _once(None, images[:0])[1] == 0
    assert not list(tmp_path.iterdir())
