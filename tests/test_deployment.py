"""The container files say what the code reads: they are parsed, since nothing here runs them."""

import asyncio
import re
import socket
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import streamlit as st
import yaml
from streamlit.web import bootstrap
from streamlit.web.server.starlette import starlette_server

from tests.conftest import ROOT

COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
OURS = ("web1", "web2", "scheduler", "worker")
SOURCES = "\n".join(
    file.read_text(encoding="utf-8")
    for folder in ("core", "ui")
    for file in (ROOT / folder).rglob("*.py")
)


def service(name: str) -> Any:
    return COMPOSE["services"][name]


@pytest.mark.parametrize("name", OURS)
def test_every_service_of_ours_is_confined(name: str) -> None:
    found = service(name)
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["mem_limit"]
    assert found["cpus"]
    assert found["tmpfs"][0].startswith("/tmp:")
    assert found["volumes"] == ["store:/store"]
    assert found["build"]["dockerfile"] == "deploy/Containerfile"


def test_files_that_are_named_exist() -> None:
    for mounted in service("proxy")["volumes"]:
        assert (ROOT / "deploy" / mounted.partition(":")[0]).is_file()
    for copied in re.findall(r"^COPY (\S+) \S+$", CONTAINER, re.MULTILINE):
        assert (ROOT / copied).exists()


def test_every_setting_is_one_that_the_code_or_streamlit_reads() -> None:
    named = set(service("web1")["environment"]) | set(re.findall(r"(LAB_\w+)=", CONTAINER))
    for name in named:
        if name.startswith("LAB_"):
            assert f'"{name}"' in SOURCES, name
        else:
            section, _, option = name.removeprefix("STREAMLIT_").lower().partition("_")
            st.get_option(f"{section}.{camel(option)}")  # raises if there is none


def camel(option: str) -> str:
    first, *rest = option.split("_")
    return first + "".join(part.capitalize() for part in rest)


def test_the_scheduler_is_out_of_reach_and_where_the_others_look_for_it() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert service("scheduler")["networks"] == ["inside"]
    assert "ports" not in service("scheduler")
    port = service("scheduler")["command"][service("scheduler")["command"].index("--port") + 1]
    address = service("web1")["environment"]["LAB_SCHEDULER"]
    assert address == f"tcp://scheduler:{port}"
    assert address in service("worker")["command"]


def test_the_proxy_keeps_a_reader_with_a_healthy_replica() -> None:
    proxy = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    upstreams = re.search(r"reverse_proxy (.+) \{", proxy)
    assert upstreams
    assert upstreams[1].split() == ["web1:8501", "web2:8501"]
    assert "lb_policy cookie" in proxy
    assert "health_uri /_stcore/health" in proxy


def test_the_container_runs_as_nobody_in_particular_and_tells_its_health() -> None:
    assert re.search(r"^USER (?!root)", CONTAINER, re.MULTILINE)
    assert "/_stcore/health" in CONTAINER
    port = re.search(r"^EXPOSE (\d+)$", CONTAINER, re.MULTILINE)
    assert port
    assert f"--server.port={port[1]}" in CONTAINER


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run on Windows")
def test_what_the_server_sends_is_not_held_back() -> None:
    """Nagle's algorithm is off: with it each of a page's hundred files takes 40 ms.

    Streamlit opens its socket without naming TCP, and Python's own loop then leaves it on.
    """
    with ThreadPoolExecutor(1) as aside:  # in this thread a browser's loop may run
        assert aside.submit(run_as_streamlit_does, sends_at_once()).result()


def run_as_streamlit_does(asked: Coroutine[Any, Any, bool]) -> bool:
    with asyncio.Runner(loop_factory=bootstrap._get_uvloop_loop_factory()) as runner:
        return runner.run(asked)


async def sends_at_once() -> bool:
    """Whether a connection to a socket of Streamlit's has TCP_NODELAY."""
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    listening = starlette_server._bind_socket("127.0.0.1", 0, backlog=1)
    async with await asyncio.start_server(lambda _, it: accepted.set_result(it), sock=listening):
        _, caller = await asyncio.open_connection(*listening.getsockname())
        server = await accepted
        found = server.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for side in (caller, server):
            side.close()
            await side.wait_closed()
    return bool(found)
