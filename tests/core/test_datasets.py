"""The data sets are what they say, damaged files are refused, toys lie where they should."""

import gzip
import hashlib
import json
import lzma
import math
import shutil
import struct
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.datasets import load_digits
from torch import Tensor

from core import datasets, glyphs, idx, toys

LARGEST_DOWNLOAD = 8_000_000  # bytes of glyphs in the repository
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def train() -> datasets.ImageSet:
    return datasets.load("glyphs")


@pytest.fixture(scope="module")
def test() -> datasets.ImageSet:
    return datasets.load("glyphs", "test")


@pytest.fixture
def shipped_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the glyphs to damage."""
    shutil.copytree(glyphs.FOLDER, tmp_path / "glyphs")
    monkeypatch.setattr(glyphs, "FOLDER", tmp_path / "glyphs")
    return tmp_path / "glyphs"


# What there is


def test_names_are_those_of_the_interface() -> None:
    assert datasets.names() == ["glyphs", "digits", "mnist", "fashion-mnist"]


@pytest.mark.parametrize(
    ("name", "split", "argument"),
    [("cifar", "train", "name"), ("", "train", "name"), ("digits", "validation", "split")],
)
def test_an_unknown_name_or_split_is_refused(name: str, split: str, argument: str) -> None:
    with pytest.raises(ValueError, match=f"^{argument} is '.*', but must be one of"):
        datasets.load(name, split)


def test_what_ships_is_available_and_an_unknown_name_is_a_mistake() -> None:
    assert datasets.available("glyphs")
    assert datasets.available("digits")
    with pytest.raises(ValueError, match=r"^name is 'cifar'"):
        datasets.available("cifar")


# Glyphs


def test_the_characters_are_level_1_of_gb_2312() -> None:
    characters = glyphs.characters()
    codes = [character.encode("gb2312") for character in characters]
    assert (len(characters), characters[0], characters[-1]) == (3755, "啊", "座")
    assert all(earlier < later for earlier, later in pairwise(codes))
    assert all("一" <= character <= "鿿" for character in characters)


def test_train_and_test_share_no_character_and_leave_none_out(
    train: datasets.ImageSet, test: datasets.ImageSet
) -> None:
    characters, unseen = set(train.labels.tolist()), set(test.labels.tolist())
    assert not characters & unseen
    assert characters | unseen == set(range(3755))
    assert len(unseen) == 376


def test_only_what_the_card_names_is_left_out() -> None:
    found = glyphs.read(glyphs.FOLDER)
    card = json.loads((glyphs.FOLDER / "meta.json").read_text(encoding="utf-8"))
    left_out = {row["style"]: row["left_out"] for row in card["fonts"]}
    assert sum(map(len, left_out.values())) < 20
    for style, weights in zip(found.styles, found.weights, strict=True):
        blank = {glyphs.characters()[k] for k in np.flatnonzero(weights == 0)}
        assert blank == set(left_out[style])


def test_there_are_eight_styles_and_more_in_eight_megabytes(train: datasets.ImageSet) -> None:
    assert train.style is not None
    assert len(train.styles) >= 8
    assert train.style.unique().tolist() == list(range(len(train.styles)))
    assert sum(path.stat().st_size for path in glyphs.FOLDER.iterdir()) <= LARGEST_DOWNLOAD


def test_glyphs_are_sixteen_grays_from_ground_to_full_ink(train: datasets.ImageSet) -> None:
    assert train.images.shape[1:] == (1, 32, 32)
    assert train.images.dtype == torch.float32
    torch.testing.assert_close(train.images[::97].unique(), torch.arange(16) / 15)


def test_every_glyph_has_ink_and_none_stands_for_another_character() -> None:
    """A font shows the same box, or nothing, for all characters that it lacks."""
    found = glyphs.read(glyphs.FOLDER)
    for images, weights in zip(found.images, found.weights, strict=True):
        kept = images[weights > 0]
        assert kept.any(axis=(1, 2)).all()
        assert len({image.tobytes() for image in kept}) == len(kept)


def test_glyphs_of_every_style_are_centred_and_of_like_size() -> None:
    """On average: one scale and one offset serve a whole font."""
    for variant in glyphs.read(glyphs.FOLDER).images:
        kept = variant[variant.any(axis=(1, 2))]
        for inked in (kept.any(axis=1), kept.any(axis=2)):
            first, last = inked.argmax(axis=1), 31 - inked[:, ::-1].argmax(axis=1)
            assert ((first + last) / 2).mean() == pytest.approx(15.5, abs=0.5)
            assert 19 < (last - first + 1).mean() < 30


def test_a_character_is_more_like_itself_in_another_font_than_like_another_character() -> None:
    """By correlation of 8 x 8 averages; glyphs with their labels mixed up would give a half."""
    found = glyphs.read(glyphs.FOLDER)
    reference = _standardized(found.images[found.styles.index("wenkai"), ::10])
    for variant in found.images:
        similarity = _standardized(variant[::10]) @ reference.T
        own = similarity.diagonal()[:, None]
        assert (own > similarity).mean() > 0.8


def test_the_heavier_of_two_weights_has_more_ink() -> None:
    found = glyphs.read(glyphs.FOLDER)
    for style in ("noto-sans-sc", "noto-serif-sc"):
        rows = [k for k, name in enumerate(found.styles) if name == style]
        ink = found.images[rows].mean(axis=(2, 3))
        assert (np.diff(found.weights[rows].astype(int), axis=0) >= 0).all()
        assert (np.diff(ink, axis=0) >= 0).mean() > 0.99


def test_weight_is_a_continuous_factor_that_explains_the_ink(train: datasets.ImageSet) -> None:
    assert train.style is not None
    assert train.weight is not None
    for style, low in (("noto-sans-sc", 100), ("noto-serif-sc", 200)):
        chosen = train.style == train.styles.index(style)
        weight, ink = train.weight[chosen], train.images[chosen].mean(dim=(1, 2, 3))
        assert (weight.min(), weight.max()) == (low, 900)
        assert len(weight.unique()) > 600
        assert stats.spearmanr(weight.numpy(), ink.numpy()).statistic > 0.8


def test_factors_and_labels_follow_the_images(test: datasets.ImageSet) -> None:
    found = glyphs.read(glyphs.FOLDER)
    images = found.images
    assert test.style is not None
    assert test.weight is not None
    pairs = [(c, v) for c in range(0, 3755, 10) for v, w in enumerate(found.weights[:, c]) if w]
    assert len(pairs) == len(test.images)
    for at, (label, variant) in enumerate(pairs):
        assert test.labels[at] == label
        assert test.weight[at] == found.weights[variant, label]
        assert test.styles[int(test.style[at])] == found.styles[variant]
        assert torch.equal(test.grays[at, 0], torch.tensor(images[variant, label]))


def test_the_card_names_every_font_its_version_and_an_open_licence() -> None:
    card = json.loads((glyphs.FOLDER / "meta.json").read_text(encoding="utf-8"))
    assert {row["style"] for row in card["fonts"]} == set(card["variants"])
    assert {row["licence"] for row in card["fonts"]} == {"OFL-1.1"}
    assert all(row["package"] and row["version"] for row in card["fonts"])


def test_the_digest_of_the_glyphs_is_that_of_their_file(train: datasets.ImageSet) -> None:
    content = (glyphs.FOLDER / "images.xz").read_bytes()
    assert train.digest == hashlib.sha256(content).hexdigest()


def test_a_loaded_set_may_be_changed_without_changing_the_next() -> None:
    datasets.load("glyphs", "test").images.zero_()
    assert datasets.load("glyphs", "test").images.any()


@pytest.mark.parametrize("keep", [0, 1000, -1])
def test_a_truncated_file_of_glyphs_is_refused(shipped_copy: Path, keep: int) -> None:
    content = (shipped_copy / "images.xz").read_bytes()
    (shipped_copy / "images.xz").write_bytes(content[:keep])
    with pytest.raises(ValueError, match=r"glyphs/images\.xz is damaged"):
        datasets.load("glyphs")


def test_a_missing_file_of_glyphs_is_named(shipped_copy: Path) -> None:
    (shipped_copy / "images.xz").unlink()
    assert not datasets.available("glyphs")
    with pytest.raises(ValueError, match=r"glyphs/images\.xz is missing"):
        datasets.load("glyphs")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_card_of_glyphs_is_refused(shipped_copy: Path, content: str) -> None:
    (shipped_copy / "meta.json").write_text(content)
    with pytest.raises(ValueError, match=r"meta\.json is damaged"):
        datasets.load("glyphs")


def test_what_the_script_writes_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glyphs, "_FILTERS", [{"id": lzma.FILTER_LZMA2, "preset": 0}])  # quick
    generator = np.random.default_rng(0)
    images = generator.integers(0, 16, (2, 3755, 32, 32), dtype=np.uint8)
    weights = generator.integers(100, 901, (2, 3755), dtype=np.uint16)
    glyphs.write(tmp_path, images, weights, {"variants": ["a", "b"]})
    found = glyphs.read(tmp_path)
    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_array_equal(found.weights, weights)
    assert found.styles == ("a", "b")


def _standardized(images: np.ndarray) -> np.ndarray:
    """One row an image: averages of 4 x 4 pixels, less the mean image, of norm 1."""
    blurred = images.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(len(images), -1)
    centred = blurred - blurred.mean(axis=0)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True))


# Digits


def test_digits_are_those_of_scikit_learn_every_fifth_for_testing() -> None:
    data = load_digits()
    train, test = datasets.load("digits"), datasets.load("digits", "test")
    assert (len(train.images), len(test.images)) == (1437, 360)
    np.testing.assert_allclose(test.images[:, 0].numpy() * 16, data.images[::5])
    np.testing.assert_array_equal(test.labels.numpy(), data.target[::5])
    assert train.labels[:4].tolist() == data.target[1:5].tolist()
    np.testing.assert_allclose(train.images[4, 0].numpy() * 16, data.images[6])


def test_digits_have_no_factors_and_one_digest() -> None:
    train, test = datasets.load("digits"), datasets.load("digits", "test")
    assert (train.style, train.weight, train.styles) == (None, None, ())
    assert train.digest == test.digest
    assert len(train.digest) == 64


# MNIST files


def idx_bytes(values: np.ndarray, *, magic: bytes | None = None) -> bytes:
    """An IDX file by hand."""
    head = magic or bytes([0, 0, 8, values.ndim])
    return head + b"".join(struct.pack(">I", n) for n in values.shape) + values.tobytes()


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content))
    return path


@pytest.fixture(params=["mnist", "fashion-mnist"])
def small(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in LAB_DATA with three images to train on and two to test on."""
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    folder = tmp_path / str(request.param)
    generator = np.random.default_rng(0)
    for prefix, labels in (("train", [3, 0, 9]), ("t10k", [1, 2])):
        images = generator.integers(0, 256, (len(labels), 28, 28), dtype=np.uint8)
        put(folder / f"{prefix}-images-idx3-ubyte.gz", idx_bytes(images))
        put(folder / f"{prefix}-labels-idx1-ubyte.gz", idx_bytes(np.array(labels, np.uint8)))
    return folder


@settings(max_examples=40)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(0, 99))
def test_an_idx_file_gives_back_its_array(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    path = put(tmp_path_factory.mktemp("idx") / "a.gz", idx_bytes(values))
    np.testing.assert_array_equal(idx.read(path, axes=len(shape)), values)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "begins with"),
        (b"\0\0\x08", "begins with"),
        (b"\0\0\x08\x01\0\0", "header is cut off"),
        (idx_bytes(np.zeros(3, np.uint8), magic=b"\0\0\x0d\x01"), "begins with 00000d01"),
        (idx_bytes(np.zeros((3, 1), np.uint8)), "begins with 00000802, not with 00000801"),
        (idx_bytes(np.zeros(3, np.uint8))[:-1], "less than the 3 bytes"),
        (idx_bytes(np.zeros(3, np.uint8)) + b"\0", "more than the 3 bytes"),
        (b"\0\0\x08\x01\xff\xff\xff\xff", "declares 4294967295 bytes"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = put(tmp_path / "a.gz", content)
    with pytest.raises(ValueError, match=f"a.gz is damaged: .*{problem}"):
        idx.read(path, axes=1)


@pytest.mark.parametrize("keep", [5, 20, -4])
def test_a_broken_gzip_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = put(tmp_path / "a.gz", idx_bytes(np.arange(200, dtype=np.uint8)))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"a\.gz is damaged"):
        idx.read(path, axes=1)


def test_no_more_is_unpacked_than_the_header_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a few kilobytes that would unpack to much more."""
    path = put(tmp_path / "a.gz", idx_bytes(np.zeros(3, np.uint8)) + bytes(1 << 22))
    unpacked: list[int] = []
    original = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        content = original(self, size)
        unpacked.append(len(content))
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(ValueError, match="more than the 3 bytes"):
        idx.read(path, axes=1)
    assert sum(unpacked) == 8 + 3 + 1


def test_mnist_files_become_images_and_labels(small: Path) -> None:
    found = datasets.load(small.name)
    raw = idx.read(small / IMAGES, axes=3)
    assert found.images.shape == (3, 1, 28, 28)
    np.testing.assert_array_equal((found.images[:, 0] * 255).round().numpy(), raw)
    assert found.labels.tolist() == [3, 0, 9]
    assert found.labels.dtype == torch.int64
    assert datasets.load(small.name, "test").labels.tolist() == [1, 2]


def test_the_names_of_the_labels_are_figures_and_garments(small: Path) -> None:
    expected = {"mnist": ("0", "3", "9"), "fashion-mnist": ("T-shirt/top", "Dress", "Ankle boot")}
    names = datasets.load(small.name).names
    assert (names[0], names[3], names[9]) == expected[small.name]
    assert len(names) == 10


def test_the_digest_changes_with_any_pixel(small: Path) -> None:
    before = datasets.load(small.name).digest
    images = idx.read(small / IMAGES, axes=3).copy()
    assert datasets.load(small.name).digest == before
    images[2, 27, 27] ^= 1
    put(small / IMAGES, idx_bytes(images))
    assert datasets.load(small.name).digest != before


def test_without_lab_data_the_sentence_says_what_to_set(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert datasets.available(small.name)
    monkeypatch.delenv("LAB_DATA")
    assert not datasets.available(small.name)
    with pytest.raises(
        ValueError,
        match=rf"^\$LAB_DATA/{small.name}/{IMAGES} is missing: set LAB_DATA to the folder",
    ):
        datasets.load(small.name)


@pytest.mark.parametrize("file", [IMAGES, LABELS])
def test_a_missing_mnist_file_is_named(small: Path, file: str) -> None:
    (small / file).unlink()
    assert not datasets.available(small.name)
    with pytest.raises(ValueError, match=f"{small.name}/{file} is missing: set LAB_DATA"):
        datasets.load(small.name)


@pytest.mark.parametrize(
    ("shape", "labels"), [((3, 28, 28), [1, 2]), ((3, 27, 28), [1, 2, 3]), ((1, 28, 28), [10])]
)
def test_images_and_labels_that_disagree_are_refused(
    small: Path, shape: tuple[int, ...], labels: list[int]
) -> None:
    put(small / IMAGES, idx_bytes(np.zeros(shape, np.uint8)))
    put(small / LABELS, idx_bytes(np.array(labels, np.uint8)))
    with pytest.raises(ValueError, match=f"{small.name} is damaged"):
        datasets.load(small.name)


# Toys


@pytest.mark.parametrize("name", list(datasets.TOYS))
def test_toys_lie_in_the_square_and_reach_far_into_it(name: str) -> None:
    points = datasets.toy(name, 2000, generator=rng())
    assert points.shape == (2000, 2)
    assert points.dtype == torch.float32
    assert points.abs().max() <= 1 + 1e-6
    assert points.abs().max() > 0.9


def test_the_ring_has_radius_1_and_is_uniform_in_angle() -> None:
    x, y = datasets.toy("ring", 4000, generator=rng()).double().unbind(dim=1)
    torch.testing.assert_close(torch.hypot(x, y), torch.ones(4000).double(), atol=1e-6, rtol=0)
    assert uniform(torch.atan2(y, x) / math.tau + 0.5)


def test_the_disc_is_uniform_by_area() -> None:
    x, y = datasets.toy("disc", 4000, generator=rng()).unbind(dim=1)
    assert uniform(x**2 + y**2)
    assert uniform(torch.atan2(y, x) / math.tau + 0.5)


def test_the_line_is_straight_and_uniform() -> None:
    x, y = datasets.toy("line", 4000, generator=rng()).unbind(dim=1)
    torch.testing.assert_close(y, x / 2)
    assert uniform((x + 1) / 2)


def test_the_irregular_region_has_a_hole_is_not_convex_and_is_filled_evenly() -> None:
    points = datasets.toy("irregular", 20000, generator=rng())
    assert toys.in_irregular(points).all()
    hole_and_bay = torch.tensor([[0.5, 0.0], [-0.6, 0.0]])
    assert not toys.in_irregular(hole_and_bay).any()
    x = torch.linspace(-1, 1, 401)
    grid = torch.cartesian_prod(x, x)
    inside = grid[toys.in_irregular(grid)]
    for axis in (0, 1):
        expected = inside[:, axis].sort().values
        ranks = torch.searchsorted(expected, points[:, axis].contiguous()) / len(expected)
        assert stats.kstest(ranks.numpy(), "uniform").statistic < 0.02


def test_the_moons_are_two_half_circles_that_interleave() -> None:
    points = datasets.toy("moons", 4000, generator=rng())
    upper, lower = (
        torch.linalg.vector_norm(points - torch.tensor(centre), dim=1)
        for centre in ((-1 / 3, -1 / 6), (1 / 3, 1 / 6))
    )
    on_upper = (upper - 2 / 3).abs() < 1e-5
    on_lower = (lower - 2 / 3).abs() < 1e-5
    assert (on_upper | on_lower).all()
    assert on_upper.double().mean() == pytest.approx(0.5, abs=0.03)
    assert (points[on_upper, 1] >= -1 / 6 - 1e-6).all()
    assert (points[on_lower, 1] <= 1 / 6 + 1e-6).all()
    turn = torch.acos(((points[on_upper, 0] + 1 / 3) * 1.5).clamp(-1, 1)) / math.pi
    assert uniform(turn)


def test_the_swiss_roll_is_a_spiral_nearly_uniform_by_length() -> None:
    x, y = datasets.toy("swiss-roll", 4000, generator=rng()).double().unbind(dim=1)
    angle = torch.hypot(x, y) * 4.5 * math.pi
    torch.testing.assert_close(angle * angle.cos() / (4.5 * math.pi), x, atol=1e-5, rtol=0)
    length = (angle * torch.sqrt(1 + angle**2) + torch.asinh(angle)) / 2
    first, last = (
        (a * math.sqrt(1 + a * a) + math.asinh(a)) / 2 for a in (1.5 * math.pi, 4.5 * math.pi)
    )
    assert uniform((length - first) / (last - first))


@pytest.mark.parametrize("name", list(datasets.TOYS))
def test_noise_adds_its_variance_in_both_directions(name: str) -> None:
    clean = datasets.toy(name, 5000, generator=rng())
    noisy = datasets.toy(name, 5000, generator=rng(), noise=0.3)
    added = (noisy - clean).double()
    covariance = torch.cov(added.T)
    expected = 0.09 * torch.eye(2).double()
    torch.testing.assert_close(covariance, expected, atol=0.006, rtol=0)
    assert added.mean(dim=0).abs().max() < 0.02


@pytest.mark.parametrize("name", list(datasets.TOYS))
def test_a_seed_decides_the_points_from_threads_too(name: str) -> None:
    found: list[Tensor] = []

    def sample() -> None:
        for _ in range(20):
            found.append(datasets.toy(name, 50, generator=rng(3), noise=0.1))

    threads = [threading.Thread(target=sample) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80
    assert all(torch.equal(found[0], other) for other in found)
    assert not torch.equal(found[0], datasets.toy(name, 50, generator=rng(4), noise=0.1))


@settings(max_examples=40)
@given(st.sampled_from(list(datasets.TOYS)), st.integers(1, 60), st.floats(0, 2))
def test_toys_have_the_asked_for_number_of_finite_points(
    name: str, count: int, noise: float
) -> None:
    points = datasets.toy(name, count, generator=rng(), noise=noise)
    assert points.shape == (count, 2)
    assert points.isfinite().all()


@pytest.mark.parametrize(
    ("name", "count", "noise", "argument"),
    [
        ("torus", 5, 0.0, "name"), ("ring", 0, 0.0, "count"), ("ring", -3, 0.0, "count"),
        ("ring", 5, -0.1, "noise"), ("ring", 5, math.nan, "noise"), ("ring", 5, math.inf, "noise"),
    ],
)  # fmt: skip
def test_an_impossible_toy_is_refused(name: str, count: int, noise: float, argument: str) -> None:
    with pytest.raises(ValueError, match=f"^{argument} is .*, but must be"):
        datasets.toy(name, count, generator=rng(), noise=noise)


def uniform(values: Tensor) -> bool:
    """Whether values in [0, 1] pass for uniform: Kolmogorov and Smirnov's test at 1 percent."""
    return bool(stats.kstest(values.double().numpy(), "uniform").pvalue > 0.01)
