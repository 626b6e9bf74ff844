"""Readers without a browser: Streamlit's own websocket messages, sent as its page sends them.

A reader connects to `/_stcore/stream`, opens a page with a rerun request, learns from the answer
which controls stand in which fragment, and from then on moves one and waits until the run that
this started is finished. What the server draws unasked, such as the end of a training, is taken in
as it comes, and a fragment that runs by the clock is asked for by the clock.
"""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.http11 import USER_AGENT
from websockets.typing import Origin, Subprotocol

from benchmarks.server import Server

PATIENCE = 60.0  # seconds until an answer counts as lost
EARLIER = "earlier"  # no fragment's name
KEPT_RUNS = 2  # how long Streamlit's page keeps a large message for the server to refer back to

Value = float | str | bool


class LostSession(Exception):
    """The connection is gone, or a request was left without an answer."""


@dataclass
class Control:
    """A control of the page: what it can be set to, and the fragment that reruns when it moves."""

    id: str
    kind: str
    fragment: str
    values: Sequence[Value]
    value: Value

    @property
    def is_set(self) -> bool:
        """Whether a page in a browser would send it: a button only when it is pressed."""
        return self.kind not in ("button", "bidi_component") or bool(self.value)

    @property
    def key(self) -> str:
        """The application's name for it, such as `gelu.curves.reach`."""
        return self.id.split("-", maxsplit=2)[-1]

    def state(self) -> WidgetState:
        """The message that says where the control stands."""
        state = WidgetState(id=self.id)
        if self.kind == "slider":
            state.double_array_value.data.append(float(self.value))
        elif self.kind == "button":
            state.trigger_value = bool(self.value)
        elif self.kind == "bidi_component":
            state.json_value = json.dumps({"seen": self.value})
        elif self.kind == "button_group":
            state.string_array_value.data.append(str(self.value))
        elif self.kind in ("selectbox", "text_input", "text_area"):
            state.string_value = str(self.value)
        elif self.kind == "number_input":
            state.int_value = int(self.value)
        else:
            state.bool_value = bool(self.value)
        return state


@dataclass
class Answer:
    """What one run of the page, or of some of its fragments, has drawn."""

    fragments: Sequence[str] = ()  # that ran; none: the whole page
    seconds: float = 0.0  # from asking for it to the end of the run
    controls: dict[str, Control] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)  # controls that the server itself has moved
    exceptions: list[str] = field(default_factory=list)


class Reader:
    """One visitor: keeps what the page in a browser keeps, sends what it sends.

    `browser` as what it introduces itself: to a browser the pages draw a panel when it comes near.
    """

    def __init__(self, server: str, *, browser: bool = False) -> None:
        self._server = server
        self._agent = "Mozilla/5.0 (readers of a benchmark)" if browser else USER_AGENT
        self._page = ""
        self._page_hash = ""
        self._query = ""
        self._runs = 0
        self._kept: dict[str, int] = {}  # hash of a large message -> the run it last came in
        self._drawing = Answer()
        self._cut_short = False  # whether the page that was drawn last seems to have been
        self._clocks: dict[str, asyncio.Task[None]] = {}  # of the fragments that run by the clock
        self._wanted = ""  # the fragment that somebody waits for; "": the whole page
        self._answer: asyncio.Future[Answer] | None = None
        self._connection: ClientConnection
        self._listener: asyncio.Task[None]
        self.controls: dict[str, Control] = {}  # by Streamlit's id
        self.exceptions: list[str] = []  # of every run, asked for or not

    async def __aenter__(self) -> Self:
        self._connection = await connect(
            f"{self._server.replace('http', 'ws', 1)}/_stcore/stream",
            origin=Origin(self._server),
            subprotocols=[Subprotocol("streamlit")],
            compression=None,
            max_size=None,
            user_agent_header=self._agent,
        )
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_clocks(list(self._clocks))
        self._listener.cancel()
        await self._connection.close()

    async def open(self, page: str, query: str = "") -> Answer:
        """Go to a page of the dashboard, by its name in the address; `query` sets controls."""
        self._page, self._page_hash, self._query = page, "", query
        self._stop_clocks(list(self._clocks))
        return await self._ask(self.request())

    async def move(self, control: Control, value: Value) -> Answer:
        """Set a control, or press a button, and wait for its fragment."""
        control.value = value
        message = self.request(control.fragment)
        if control.kind == "button":
            control.value = False  # pressed once
        return await self._ask(message)

    def request(self, fragment: str = "", *, by_the_clock: bool = False) -> BackMsg:
        """The message that reruns the page, or one fragment, with the controls as they stand."""
        message = BackMsg()
        state = message.rerun_script
        state.query_string = f"lang=en&{self._query}".rstrip("&")
        state.page_script_hash = self._page_hash
        state.page_name = "" if self._page_hash else self._page
        state.fragment_id = fragment
        state.is_auto_rerun = by_the_clock
        state.cached_message_hashes.extend(self._kept)
        set_ones = [control for control in self.controls.values() if control.is_set]
        state.widget_states.widgets.extend(control.state() for control in set_ones)
        state.context_info.locale = "en-US"
        state.context_info.timezone = "UTC"
        state.context_info.url = f"{self._server}/{self._page}"
        return message

    async def _ask(self, message: BackMsg) -> Answer:
        """Send a request and take in the answer. Raises LostSession if there is none."""
        self._wanted = message.rerun_script.fragment_id
        self._answer, sent = asyncio.get_running_loop().create_future(), time.perf_counter()
        self._drawing = Answer(fragments=(EARLIER,))  # what began before is not the answer
        self._cut_short = False
        try:
            async with asyncio.timeout(PATIENCE):
                await self._connection.send(message.SerializeToString())
                answer = await self._answer
        except TimeoutError:
            raise LostSession(f"no answer within {PATIENCE:g} s on /{self._page}") from None
        except ConnectionClosed as closed:
            raise LostSession(f"connection closed: {closed}") from None
        answer.seconds = time.perf_counter() - sent
        return answer

    async def _listen(self) -> None:
        try:
            async for content in self._connection:
                self._hear(ForwardMsg.FromString(content))
        finally:
            if self._answer and not self._answer.done():
                self._answer.set_exception(LostSession("the server closed the connection"))

    def _hear(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self._runs += 1
                fragments = tuple(message.metadata.run.fragment_ids)
                if fragments and self._cut_short:  # a fragment never cuts a page short
                    self._finish(self._drawing)
                if not fragments:  # a browser, too, forgets them when the whole page is drawn
                    self._stop_clocks(list(self._clocks))
                self._drawing, self._cut_short = Answer(fragments=fragments), False
            case "navigation":
                self._page_hash = message.navigation.page_script_hash
            case "ref_hash":
                self._kept[message.ref_hash] = self._runs
            case "auto_rerun":
                self._start_clock(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                self._stop_clocks(message.stop_auto_rerun.fragment_ids)
            case "delta":
                self._keep(message)
                read(message.delta, self._drawing)
            case "script_finished":
                # What another run follows at once is said to have ended early, even if it had not.
                early = message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
                self._cut_short = early and not self._drawing.fragments
                if not self._cut_short:
                    self._finish(self._drawing)

    def _finish(self, answer: Answer) -> None:
        self._take_in(answer)
        waits = self._answer is not None and not self._answer.done()
        if waits and (not answer.fragments or self._wanted in answer.fragments):
            assert self._answer is not None
            self._answer.set_result(answer)

    def _keep(self, message: ForwardMsg) -> None:
        if message.metadata.cacheable:
            self._kept[message.hash] = self._runs

    def _take_in(self, answer: Answer) -> None:
        """Replace the controls of what has run, but leave them where this reader put them."""
        self.exceptions += [f"/{self._page}: {text}" for text in answer.exceptions]
        stood = {control.id: control.value for control in self.controls.values()}
        for control in answer.controls.values():
            if control.id not in answer.moved:
                control.value = stood.get(control.id, control.value)
        kept = {c.id: c for c in self.controls.values() if c.fragment not in answer.fragments}
        self.controls = (kept if answer.fragments else {}) | answer.controls
        self._kept = {k: run for k, run in self._kept.items() if self._runs - run < KEPT_RUNS}

    def _start_clock(self, fragment: str, interval: float) -> None:
        self._stop_clocks([fragment])
        self._clocks[fragment] = asyncio.create_task(self._tick(fragment, interval))

    def _stop_clocks(self, fragments: Sequence[str]) -> None:
        for fragment in fragments:
            if fragment in self._clocks:
                self._clocks.pop(fragment).cancel()

    async def _tick(self, fragment: str, interval: float) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(interval)
                message = self.request(fragment, by_the_clock=True)
                await self._connection.send(message.SerializeToString())


@dataclass(frozen=True)
class Crowd:
    """What many readers at once measured, all times in seconds."""

    openings: list[float]
    reruns: list[float]
    errors: list[str]
    cpu_seconds: float  # of the server, while the readers moved controls
    megabytes: float  # of the server at the end


async def crowd(
    server: Server, pages: Sequence[str], *, readers: int, seconds: float, seed: int = 0
) -> Crowd:
    """Readers spread over the pages, each moving a control every 1 to 3 seconds."""
    async with AsyncExitStack() as stack:
        visitors = [await stack.enter_async_context(Reader(server.url)) for _ in range(readers)]
        assigned = [pages[i % len(pages)] for i in range(readers)]
        opened = await asyncio.gather(*map(Reader.open, visitors, assigned))
        before = server.cpu_seconds()
        visits = [
            _visit(visitor, page, seconds, random.Random(f"{seed}.{i}"))
            for i, (visitor, page) in enumerate(zip(visitors, assigned, strict=True))
        ]
        answers, losses = _parted(await asyncio.gather(*visits))
        used, megabytes = server.cpu_seconds() - before, server.resident_megabytes()
    exceptions = [text for visitor in visitors for text in visitor.exceptions]
    return Crowd(
        openings=[answer.seconds for answer in opened],
        reruns=[answer.seconds for answer in answers],
        errors=exceptions + losses,
        cpu_seconds=used,
        megabytes=megabytes,
    )


async def _visit(
    reader: Reader, page: str, seconds: float, rng: random.Random
) -> tuple[list[Answer], str | None]:
    """Look, move a random control of a random panel, look again; and why it ended too early."""
    answers: list[Answer] = []
    end = time.monotonic() + seconds
    while True:
        await asyncio.sleep(rng.uniform(1, 3))
        if time.monotonic() > end:
            return answers, None
        control = any_control(reader, page, rng)
        try:
            answers.append(await reader.move(control, another(control, rng)))
        except LostSession as lost:
            return answers, str(lost)


def any_control(reader: Reader, page: str, rng: random.Random) -> Control:
    """A random control of a random panel; of a page that has none, one of the frame's."""
    controls = [control for control in reader.controls.values() if len(control.values) > 1]
    own = [control for control in controls if control.key.startswith(f"{page}.")]
    own = own or [control for control in controls if not control.key.startswith("_")]
    panel = rng.choice(sorted({control.fragment for control in own}))
    return rng.choice([control for control in own if control.fragment == panel])


def another(control: Control, rng: random.Random) -> Value:
    """A value that the control does not stand at."""
    return rng.choice([value for value in control.values if value != control.value])


def _parted(visits: Sequence[tuple[list[Answer], str | None]]) -> tuple[list[Answer], list[str]]:
    answers = [answer for visit, _ in visits for answer in visit]
    return answers, [lost for _, lost in visits if lost]


# ---- what the server says


def read(delta: Delta, answer: Answer) -> None:
    """Note the control or the exception that a message draws, if it draws one."""
    if delta.WhichOneof("type") != "new_element":
        return
    element = delta.new_element
    kind = element.WhichOneof("type")
    if kind == "exception":
        answer.exceptions.append(_error(element))
    elif kind in _DESCRIBED:
        values, value = _DESCRIBED[kind](element)
        described = getattr(element, kind)
        answer.controls[described.id] = Control(
            described.id, kind, delta.fragment_id, values, value
        )
        if getattr(described, "set_value", False):
            answer.moved.add(described.id)


def _error(element: Element) -> str:
    """What was raised, and where."""
    error = element.exception
    said = f"{error.type}: {error.message}"
    return " | ".join([said, *(line.strip() for line in error.stack_trace[-2:])])


def _slider(element: Element) -> tuple[Sequence[Value], Value]:
    slider = element.slider
    steps = round((slider.max - slider.min) / slider.step)
    stands = slider.value if slider.set_value else slider.default
    return [slider.min + i * slider.step for i in range(steps + 1)], stands[0]


def _buttons(element: Element) -> tuple[Sequence[Value], Value]:
    group = element.button_group
    options = [option.content for option in group.options]
    stands = group.raw_values if group.set_value else [options[i] for i in group.default]
    return options, (stands or options)[0]


def _list(element: Element) -> tuple[Sequence[Value], Value]:
    box = element.selectbox
    return list(box.options), box.raw_value if box.set_value else box.options[box.default]


def _switch(element: Element) -> tuple[Sequence[Value], Value]:
    checkbox = element.checkbox
    return [False, True], checkbox.value if checkbox.set_value else checkbox.default


def _text(element: Element) -> tuple[Sequence[Value], Value]:
    """What is typed is told to the server, but never changed by a reader."""
    box = getattr(element, str(element.WhichOneof("type")))
    stands = box.value if box.set_value else box.default
    return [stands], stands


def _button(element: Element) -> tuple[Sequence[Value], Value]:
    return [False, True], False


def _place(element: Element) -> tuple[Sequence[Value], Value]:
    """A component: only the places where panels are drawn late (`ui/seen.py`) are ever moved."""
    return [0, 1], 0


_DESCRIBED: dict[str, Callable[[Element], tuple[Sequence[Value], Value]]] = {
    "slider": _slider,
    "button_group": _buttons,
    "selectbox": _list,
    "checkbox": _switch,
    "text_input": _text,
    "text_area": _text,
    "number_input": _text,
    "button": _button,
    "bidi_component": _place,
}
