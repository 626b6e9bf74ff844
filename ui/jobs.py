"""Trainings as a reader sees them: the offer, the progress, the same list on every page."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from itertools import islice

import streamlit as st

from core import engine, jobs, library
from core.jobs import Job, Status
from core.knobs import Config
from core.training import Task
from ui import cards, seen, wake
from ui.fold import folded
from ui.i18n import has, t
from ui.numbers import pretty

EVERY = 0.5  # seconds between two looks at the running jobs, at least
EVERY_CURVE = 1.0  # the same where a curve is drawn, which takes a browser a tenth of a second
LOOKS = 5  # of all pages that watch the same, a second at most
FEW = 4  # jobs of one kind that are told one by one
METRICS = 3  # of a training that are said beside its progress; a task names the telling ones first
_RUNNING = "_running"  # keys of the jobs that ran when the list was drawn

Curve = Sequence[Mapping[str, float]]  # a training's metrics, snapshot by snapshot
Live = Callable[[Sequence[Curve]], None]


def ready(task: Task, config: Config) -> bool:
    """Whether the model is there. If not, draw the offer to train it, or how far that is."""
    return ready_all(task, [config])


def ready_all(
    task: Task, configs: Sequence[Config], draw: Live | None = None, *, place: str = "page"
) -> bool:
    """The same of several models that one picture needs: one offer, trained beside each other.

    While they train, `draw` shows their curves together, one a config, as far as they are. A second
    panel of a page that offers models of the same task needs a `place` of its own.
    """
    missing = [config for config in configs if not library.has(task.key(config))]
    wake.on(f"{task.name}.{place}", [task.key(config) for config in missing])
    if not missing:
        return True
    found = [jobs.find(task, config) for config in missing]
    running = [job for job in found if job and job.active]
    with st.container(border=True):
        if running:
            st.markdown(_say(task, "trains"))
            grow = partial(_train_together, task, configs, running, draw, place)
            _watch(grow, {job.key for job in running}, EVERY_CURVE)
        else:
            _offer(task, missing, found[0], place)
    return False


def runs(task: Task, config: Config) -> bool:
    """Whether a job makes the model now."""
    job = jobs.find(task, config)
    return bool(job and job.active)


@st.fragment
def follow(draw: Callable[[], None]) -> None:
    """Draw something, and again whenever a job starts or ends."""
    wake.on("jobs", [wake.ALL])
    draw()


def sidebar() -> None:
    """The jobs that run, on every page, and a word about those that have ended meanwhile."""
    running = {job.key for job in jobs.every() if job.active}
    _say_what_ended(st.session_state.get(_RUNNING, set()) - running)
    st.session_state[_RUNNING] = running
    if running:
        _watch(_list, {wake.ALL})


def listing() -> None:
    """Every job of this server since it started: how far it is, or how it ended."""
    found = jobs.every()
    if not found:
        st.markdown(t("models.no_jobs"))
    for group in _by_task(found):
        if len(group) > FEW:
            _group(group)
        else:
            _each(group)


def _by_task(every: Iterable[Job]) -> Iterable[Sequence[Job]]:
    """Jobs together that make models of one kind, such as all of a map."""
    groups: dict[str, list[Job]] = {}
    for job in every:
        groups.setdefault(job.task.name, []).append(job)
    return groups.values()


def _group(group: Sequence[Job]) -> None:
    """Many jobs of a kind: how far they are on the whole, and one by one behind a line."""
    name = group[0].task.name
    with st.container(border=True):
        st.markdown(cards.title(name, {}))
        running = [job for job in group if job.active]
        if running:
            _watch(partial(_sum_up, running, "listing"), {job.key for job in running})
        label = partial(t, "models.one_by_one", count=len(group))
        folded(label, f"_jobs.{name}", partial(_each, group))


def _each(group: Iterable[Job]) -> None:
    for job in group:
        with st.container(border=True):
            st.markdown(cards.title(job.task.name, job.settings))
            if job.active:
                _watch(partial(_progress, job, "listing", with_curve=True), {job.key}, EVERY_CURVE)
            else:
                st.markdown(_ending(job))


def _train_together(
    task: Task, configs: Sequence[Config], running: Sequence[Job], draw: Live | None, place: str
) -> None:
    """Each job's progress; the curves together if there is a way, else that of a job alone."""
    if draw:
        draw([_curve(task, config) for config in configs])
    if len(running) > FEW:
        _sum_up(running, place)
        return
    for job in running:
        if len(running) > 1:
            st.caption(cards.title(job.task.name, job.settings))
        _progress(job, place, with_curve=draw is None and len(running) == 1)


def _sum_up(running: Sequence[Job], place: str) -> None:
    """Many jobs as one: how far they are on the whole, and a way to stop them all."""
    begun = sum(job.report is not None for job in running)
    share = sum(job.progress for job in running) / len(running)
    st.progress(share, text=t("models.many", count=len(running), begun=begun))
    st.button(
        t("models.cancel_all"),
        icon=":material/stop:",
        type="tertiary",
        key=f"_cancel_all.{place}.{running[0].task.name}",
        disabled=all(job.stopping for job in running),
        on_click=_cancel_all,
        args=(running,),
    )


def _cancel_all(running: Sequence[Job]) -> None:
    for job in running:
        job.cancel()


def _curve(task: Task, config: Config) -> Curve:
    """Of a training that runs, or of one that is done."""
    job = jobs.find(task, config)
    if job and job.active:
        return job.curve
    kept = library.find(task.key(config))
    return kept.meta["curve"] if kept else []


def _offer(task: Task, configs: Sequence[Config], last: Job | None, place: str) -> None:
    if not jobs.limit():
        st.markdown(t("models.off"))
        return
    if seen.in_a_browser():
        engine.warm()
    st.markdown(_ending(last) if last else _say(task, "untrained"))
    made = library.cards(task.topic)
    times = [row.meta["seconds"] for row in made if row.meta.get("task") == task.name]
    if times:
        low, high = cards.duration(min(times)), cards.duration(max(times))
        st.caption(_say(task, "took", low=low, high=high))
    st.button(
        _say(task, "go_on" if last else "train"),
        icon=":material/model_training:",
        key=f"_train.{task.name}" if place == "page" else f"_train.{task.name}.{place}",
        on_click=_start_all,
        args=(task, configs),
    )


def _start_all(task: Task, configs: Sequence[Config]) -> None:
    for config in configs:
        start(task, config)


def _say(task: Task, name: str, **values: str) -> str:
    """The task's own words, or those of a training."""
    own = cards.key(task.name, name)
    return t(own if has(own) else f"models.{name}", **values)


def start(task: Task, config: Config) -> None:
    """Begin a job that a reader asked for, as the button of the offer does."""
    jobs.submit(task, config)


def _watch(draw: Callable[[], None], keys: Set[str], every: float = EVERY) -> None:
    """Draw something again and again, without the rest of the page; seldom if many watch it."""

    @st.fragment(run_every=max(every, wake.readers(keys) / LOOKS))
    def watched() -> None:
        draw()

    watched()


def _list() -> None:
    running = [job for job in jobs.every() if job.active]
    st.caption(t("models.running"))
    for group in _by_task(running):
        if len(group) > FEW:
            st.markdown(cards.title(group[0].task.name, {}))
            _sum_up(group, "sidebar")
            continue
        for job in group:
            st.markdown(cards.title(job.task.name, job.settings))
            _progress(job, "sidebar")


def _progress(job: Job, place: str, *, with_curve: bool = False) -> None:
    st.progress(job.progress, text=_how_far(job))
    if with_curve and len(job.curve) > 1:
        cards.curve(job.task.name, job.curve)
    st.button(
        t("models.cancel"),
        icon=":material/stop:",
        type="tertiary",
        key=f"_cancel.{place}.{job.key}",
        disabled=job.stopping,
        on_click=job.cancel,
    )


def _how_far(job: Job) -> str:
    report = job.report
    if job.stopping:
        return t("models.stopping")
    if report is None:
        return t(f"models.status.{job.status}")
    unit = cards.metric(job.task.name, "step")
    parts = [t("models.steps", unit=unit, done=report.done, total=report.total)]
    parts += [
        f"{cards.metric(job.task.name, name)} {pretty(value, 3)}"
        for name, value in islice(report.metrics.items(), METRICS)
    ]
    if report.left is not None:
        parts.append(t("models.left", time=cards.duration(report.left)))
    return " · ".join(parts)


def _ending(job: Job) -> str:
    """How a job ended, in a sentence."""
    if job.trouble:
        detail = job.trouble.detail[:300].replace("`", "'").replace("\n", " ")
        return t(f"models.trouble.{job.trouble.code}", detail=f"`{detail}`")
    if job.status is Status.DONE and not job.in_memory_only:
        return _say(job.task, "status.done")
    ending = "memory" if job.in_memory_only else job.status
    return t(f"models.status.{ending}", share=f"{100 * job.progress:.0f}")


def _say_what_ended(keys: set[str]) -> None:
    for job in jobs.every():
        if job.key in keys and not job.active:
            st.toast(f"{cards.title(job.task.name, job.settings)}: {_ending(job)}")


jobs.listen(lambda job: wake.up(job.key))
