"""Readers without a browser: Streamlit's own websocket messages, sent as its page sends them.

A reader connects to `/_stcore/stream`, opens a page with a rerun request, learns from the answer
which controls stand in which fragment, and from then on moves one and waits until the run that
this started is finished.
"""

import asyncio
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
from websockets.typing import Origin, Subprotocol

from benchmarks.server import Server

PATIENCE = 60.0  # seconds until an answer counts as lost
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
    def key(self) -> str:
        """The application's name for it, such as `gelu.curves.reach`."""
        return self.id.split("-", maxsplit=2)[-1]

    def state(self) -> WidgetState:
        """The message that says where the control stands."""
        state = WidgetState(id=self.id)
        if self.kind == "slider":
            state.double_array_value.data.append(float(self.value))
        elif self.kind == "button_group":
            state.string_array_value.data.append(str(self.value))
        elif self.kind == "selectbox":
            state.string_value = str(self.value)
        else:
            state.bool_value = bool(self.value)
        return state


@dataclass
class Answer:
    """What came back for one request."""

    seconds: float = 0.0  # from sending it to the end of its run
    controls: dict[str, Control] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)  # controls that the server itself has moved
    exceptions: list[str] = field(default_factory=list)


class Reader:
    """One visitor: keeps what the page in a browser keeps, sends what it sends."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._page = ""
        self._page_hash = ""
        self._runs = 0
        self._kept: dict[str, int] = {}  # hash of a large message -> the run it last came in
        self._connection: ClientConnection
        self.controls: dict[str, Control] = {}  # by Streamlit's id

    async def __aenter__(self) -> Self:
        self._connection = await connect(
            f"{self._server.replace('http', 'ws', 1)}/_stcore/stream",
            origin=Origin(self._server),
            subprotocols=[Subprotocol("streamlit")],
            compression=None,
            max_size=None,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.close()

    async def open(self, page: str) -> Answer:
        """Go to a page of the dashboard, by its name in the address."""
        self._page, self._page_hash = page, ""
        return await self._ask(self.request())

    async def move(self, control: Control, value: Value) -> Answer:
        """Set a control and wait for its fragment."""
        control.value = value
        return await self._ask(self.request(control.fragment))

    def request(self, fragment: str = "") -> BackMsg:
        """The message that reruns the page, or one fragment, with the controls as they stand."""
        message = BackMsg()
        state = message.rerun_script
        state.query_string = "lang=en"
        state.page_script_hash = self._page_hash
        state.page_name = "" if self._page_hash else self._page
        state.fragment_id = fragment
        state.cached_message_hashes.extend(self._kept)
        state.widget_states.widgets.extend(control.state() for control in self.controls.values())
        state.context_info.locale = "en-US"
        state.context_info.timezone = "UTC"
        state.context_info.url = f"{self._server}/{self._page}"
        return message

    async def _ask(self, message: BackMsg) -> Answer:
        """Send a request and take in the answer. Raises LostSession if there is none."""
        self._runs += 1
        sent = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._connection.send(message.SerializeToString())
                answer = await self._receive()
        except TimeoutError:
            raise LostSession(f"no answer within {PATIENCE:g} s") from None
        except ConnectionClosed as closed:
            raise LostSession(f"connection closed: {closed}") from None
        answer.seconds = time.perf_counter() - sent
        self._take_in(answer, message.rerun_script.fragment_id)
        return answer

    async def _receive(self) -> Answer:
        """Read up to the end of the run that the request started."""
        answer, run = Answer(), None
        while True:
            message = ForwardMsg.FromString(await self._connection.recv(decode=False))
            match message.WhichOneof("type"):
                case "new_session":
                    run = message.metadata.run.script_run_id
                case "navigation":
                    self._page_hash = message.navigation.page_script_hash
                case "ref_hash":
                    self._kept[message.ref_hash] = self._runs
                case "delta":
                    self._keep(message)
                    read(message.delta, answer)
                case "script_finished" if message.metadata.run.script_run_id == run:
                    if message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                        return answer

    def _keep(self, message: ForwardMsg) -> None:
        if message.metadata.cacheable:
            self._kept[message.hash] = self._runs

    def _take_in(self, answer: Answer, fragment: str) -> None:
        """Replace the controls of what has run, but leave them where this reader put them."""
        stood = {control.id: control.value for control in self.controls.values()}
        for control in answer.controls.values():
            if control.id not in answer.moved:
                control.value = stood.get(control.id, control.value)
        others = [control for control in self.controls.values() if control.fragment != fragment]
        kept = {control.id: control for control in others if fragment}
        self.controls = kept | answer.controls
        self._kept = {k: run for k, run in self._kept.items() if self._runs - run < KEPT_RUNS}


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
    exceptions = [text for answer in [*opened, *answers] for text in answer.exceptions]
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
        control = _any_control(reader, page, rng)
        elsewhere = [value for value in control.values if value != control.value]
        try:
            answers.append(await reader.move(control, rng.choice(elsewhere)))
        except LostSession as lost:
            return answers, str(lost)


def _any_control(reader: Reader, page: str, rng: random.Random) -> Control:
    own = [control for control in reader.controls.values() if control.key.startswith(f"{page}.")]
    panel = rng.choice(sorted({control.fragment for control in own}))
    return rng.choice([control for control in own if control.fragment == panel])


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
        answer.exceptions.append(f"{element.exception.type}: {element.exception.message}")
    elif kind in _DESCRIBED:
        values, value = _DESCRIBED[kind](element)
        described = getattr(element, kind)
        answer.controls[described.id] = Control(
            described.id, kind, delta.fragment_id, values, value
        )
        if described.set_value:
            answer.moved.add(described.id)


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


_DESCRIBED: dict[str, Callable[[Element], tuple[Sequence[Value], Value]]] = {
    "slider": _slider,
    "button_group": _buttons,
    "selectbox": _list,
    "checkbox": _switch,
}
