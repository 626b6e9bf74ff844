"""The registry: eight posts, one slug each. A ninth topic is one row here plus its own files."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec


@dataclass(frozen=True)
class Paper:
    """A reference that a page links to."""

    citation: str  # authors and year, as the field cites it
    url: str


@dataclass(frozen=True)
class Topic:
    """One post. Its slug names its package, page, address, words and tests."""

    slug: str
    post: int  # number in the blog's archive
    date: str  # ISO day of the post
    papers: tuple[Paper, ...]
    equations: int | None = None  # how many the post numbers; demanded of a topic that is built

    @property
    def url(self) -> str:
        """The address of the post."""
        return f"https://kexue.fm/archives/{self.post}"


def _arxiv(citation: str, number: str) -> Paper:
    return Paper(citation, f"https://arxiv.org/abs/{number}")


TOPICS: tuple[Topic, ...] = (
    Topic(
        "gelu",
        7309,
        "2020-03-26",
        (
            _arxiv("Hendrycks & Gimpel 2016", "1606.08415"),
            Paper("Page 1977", "https://www.jstor.org/stable/2346872"),
            Paper("Bowling et al. 2009", "https://www.jiem.org/index.php/jiem/article/view/60"),
        ),
        equations=15,
    ),
    Topic(
        "initialization",
        7180,
        "2020-01-16",
        (
            Paper("kexue.fm 7076", "https://kexue.fm/archives/7076"),
            _arxiv("He et al. 2015", "1502.01852"),
            _arxiv("Poole et al. 2016", "1606.05340"),
        ),
        equations=15,  # 4, and 11 of post 7076
    ),
    Topic(
        "batchnorm",
        6992,
        "2019-10-11",
        (
            _arxiv("Ioffe & Szegedy 2015", "1502.03167"),
            _arxiv("Santurkar et al. 2018", "1805.11604"),
        ),
        equations=16,
    ),
    Topic(
        "attention",
        7546,
        "2020-07-04",
        (
            _arxiv("Katharopoulos et al. 2020", "2006.16236"),
            _arxiv("Shen et al. 2018", "1812.01243"),
            _arxiv("Wang et al. 2020", "2006.04768"),
        ),
        equations=10,
    ),
    Topic(
        "similarity",
        7388,
        "2020-05-13",
        (
            Paper("Kusner et al. 2015", "https://proceedings.mlr.press/v37/kusnerb15.html"),
            _arxiv("Yokoi et al. 2020", "2004.15003"),
        ),
        equations=8,
    ),
    Topic(
        "vae",
        7725,
        "2020-09-10",
        (
            Paper("kexue.fm 5253", "https://kexue.fm/archives/5253"),
            _arxiv("Kingma & Welling 2013", "1312.6114"),
            _arxiv("Burda et al. 2015", "1509.00519"),
        ),
        equations=5,
    ),
    Topic(
        "nvae",
        7574,
        "2020-07-10",
        (
            _arxiv("Vahdat & Kautz 2020", "2007.03898"),
            Paper("NVlabs/NVAE", "https://github.com/NVlabs/NVAE"),
        ),
        equations=6,
    ),
    Topic(
        "optimization",
        7521,
        "2020-06-23",
        (
            _arxiv("Welleck & Cho 2020", "2006.03158"),
            Paper("kexue.fm 7737", "https://kexue.fm/archives/7737"),
        ),
        equations=19,
    ),
)


@lru_cache
def built(slug: str) -> bool:
    """Whether the topic has its implementation; a topic without one is announced."""
    return find_spec(f"core.{slug}") is not None


def topic(slug: str) -> Topic:
    """The topic of that slug. Raises KeyError for an unknown one."""
    return {row.slug: row for row in TOPICS}[slug]
