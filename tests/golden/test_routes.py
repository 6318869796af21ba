"""The routes in ARCHITECTURE.md are how the commands go through the rooms."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden.held import HERE
from tests.test_layers import FLOOR_OF, ROOT, room_of

PACKAGE = ROOT / "unlearnlog"


def written(command):
    """Return the lines of a route, each with the lines that it stands under."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (block,) = re.findall(
        rf"<!-- begin route {command} -->\n```text\n(.*?)```", text, re.DOTALL
    )
    above: list[str] = []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[:depth], line.strip()]
        yield tuple(above)


class Calls:
    """The first call of each of some functions, with those of them that it is under."""

    def __init__(self, named: set[str]) -> None:
        self.found: dict[tuple[str, ...], None] = {}
        self._named = {name.rpartition(".")[2] for name in named}
        self._stack: list[str] = []

    def __call__(self, frame, event, _):
        code = frame.f_code
        if event not in ("call", "return") or code.co_name not in self._named:
            return
        path = Path(code.co_filename)
        if PACKAGE not in path.parents:
            return
        if event == "return":
            del self._stack[-1:]
            return
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        self._stack.append(f"{module}.{code.co_qualname}")
        self.found.setdefault(tuple(self._stack))

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)


def is_within(route: tuple[str, ...], stack: tuple[str, ...]) -> bool:
    """Whether a stack ends with a route's last call and has the others in order."""
    rest: Iterator[str] = iter(stack)
    return stack[-1] == route[-1] and all(call in rest for call in route)


@pytest.fixture
def looking_closely(tmp_path):
    """A policy that keeps enough for an audit."""
    text = (HERE / "small.toml").read_text(encoding="utf-8")
    path = tmp_path / "closely.toml"
    path.write_text(text.replace("kept_share = 0.5", "kept_share = 1.0"))
    return str(path)


@pytest.mark.filterwarnings("ignore:this ledger recorded only:UserWarning")
@pytest.mark.parametrize("command", ["add", "audit"])
def test_a_command_goes_down_the_rooms_as_it_is_written(
    command, kept, typed, looking_closely, tmp_path
):
    rules = ("--ledger", str(kept), "--policy", looking_closely)
    words = ("--concepts", str(HERE / "concepts.toml"), *rules)
    made = str(tmp_path / "made")
    if command == "audit":
        assert typed("checkout", "HEAD", "-o", made, *rules[:2]).code == 0

    routes = [*written(command)]
    with Calls({call for route in routes for call in route}) as calls:
        about = "horse" if command == "add" else made
        done = typed(command, about, *words)

    assert done.code in (0, 3), done.err
    after = 0
    for route in routes:
        places = [i for i, s in enumerate(calls.found) if is_within(route, s)]
        later = [i for i in places if i >= after]
        assert later, f"{route[-1]} is {'too early' if places else 'not called'}"
        after = later[0]


@pytest.mark.parametrize("command", ["add", "audit"])
def test_a_route_leads_down_and_never_back_up(command):
    for *above, call in written(command):
        if above:
            before, room = (room_of(f"unlearnlog.{each}") for each in (above[-1], call))
            assert before == room or FLOOR_OF[before] > FLOOR_OF[room], call
