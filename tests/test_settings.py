"""What counts where somebody says nothing, and what is refused when it is chosen."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tests.ledger.making import new_ledger, next_entry, some_delta
from unlearnlog import Ledger, cli
from unlearnlog.commands.configuration import Config
from unlearnlog.commands.defaults import Settings, in_force, rules
from unlearnlog.errors import ConceptError, PolicyError, UsageError
from unlearnlog.policy import Policy

MINE = 'name = "mine"\n[eraser]\nname = "ridge"\n[sampling]\nsteps = 30\n'
WORLD = '[concepts.Banksy]\nkind = "style"\n'
THEN = Policy.of(
    {
        "name": "then",
        "eraser": {"name": "ridge"},
        "sampling": {"steps": 25},
        "judge": "base",
    },
    "then",
)


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.delenv("UNLEARNLOG_DEVICE", raising=False)
    monkeypatch.delenv("UNLEARNLOG_DTYPE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(MINE)
    (tmp_path / "world.toml").write_text(WORLD)


@pytest.fixture
def empty(tmp_path):
    return new_ledger(tmp_path / "it")


@pytest.fixture
def used(empty):
    """A ledger whose entry was judged by a policy of somebody's own."""
    delta = some_delta(1)
    said = {"policy": THEN.name, "rules": THEN.rules}
    empty.append(next_entry(empty, delta, **said), delta)
    return empty


def choose(ledger, **chosen):
    config = Config(lambda: ledger)
    for key, value in chosen.items():
        config[key] = value
    return config


def test_a_command_about_a_revision_looks_as_its_entry_was_judged(used):
    """`paint`, `export`, `audit`, `attack`, `revert` took the policy that ships, so a
    model of one's own was painted and judged at 10 steps whatever its entries used."""
    found = rules("", used, about="HEAD")

    assert found == THEN
    assert rules("", used, about="base").name == "default"
    assert rules("", used).name == "default"


def test_the_configuration_counts_more_than_the_entry_and_less_than_a_word(used):
    choose(used, policy="mine.toml")

    assert rules("", used, about="HEAD").sampling.steps == 30
    assert rules("", used).name == "mine"
    assert rules("fast", used, about="HEAD").name == "fast"
    assert rules(THEN, used, about="HEAD") == THEN


def test_an_entry_that_keeps_no_rules_is_passed_over(used):
    delta = some_delta(2)
    used.append(next_entry(used, delta, policy="none"), delta)

    assert rules("", used, about="HEAD") == THEN


def test_an_old_entry_is_taken_at_its_policy_s_name(empty):
    delta = some_delta(1)
    empty.append(next_entry(empty, delta, policy="strict"), delta)

    found = in_force([entry for _, entry in empty.history(empty.head)])

    assert found == Policy.load("strict")


def test_what_an_entry_was_judged_by_is_read_though_it_would_be_refused_today():
    """A limit on an unknown reading is refused in a file; an old entry has it still."""
    limits = [{"reading": "uaa", "at_least": 90.0}]

    assert Policy.in_force("old", {**THEN.rules, "limits": limits}) is not None
    with pytest.raises(PolicyError, match="uaa"):
        Policy.of({**THEN.rules, "name": "new", "limits": limits}, "new")


def test_a_judge_of_the_configuration_stands_in_for_one_that_nobody_named(used):
    choose(used, judge="none")

    assert rules("", used, about="HEAD").judge == "none"
    assert rules("fast", used).judge == "none"
    assert rules("fast", used, judge="base").judge == "base"
    assert rules("fast", used, judge="auto").judge == "auto"
    assert rules(THEN, used).judge == "base"


def test_a_policy_that_names_its_judge_is_believed(used, tmp_path):
    (tmp_path / "own.toml").write_text('judge = "base"\n' + MINE)
    choose(used, judge="none")

    assert rules("own.toml", used).judge == "base"


def test_word_environment_configuration_and_what_ships_in_this_order(
    empty, monkeypatch
):
    assert Settings().settled(empty) == Settings("cpu", "float32", workers="none")

    choose(empty, dtype="bfloat16")
    assert Settings().settled(empty).dtype == "bfloat16"

    monkeypatch.setenv("UNLEARNLOG_DTYPE", "float16")
    assert Settings().settled(empty).dtype == "float16"
    assert Settings(dtype="fp16").settled(empty).dtype == "fp16"


def test_a_device_of_the_environment_that_is_not_there_is_named_with_it(
    empty, monkeypatch
):
    monkeypatch.setenv("UNLEARNLOG_DEVICE", "cudua")

    with pytest.raises(UsageError) as caught:
        Settings().settled(empty)

    assert "unknown device 'cudua'" in caught.value.message
    assert "as the environment has it (UNLEARNLOG_DEVICE)" in caught.value.message
    assert Settings(device="cpu").settled(empty).device == "cpu"


def test_a_relative_path_stays_relative_to_the_ledger_wherever_one_works(
    used, tmp_path, monkeypatch
):
    """A path that counted from the working directory would be another file in the
    next folder; an absolute one would not survive that the folders are moved."""
    config = choose(used, policy="mine.toml", concepts="world.toml")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert config["policy"] == "../mine.toml"
    assert rules("", used).name == "mine"
    assert Settings().settled(used).concepts == tmp_path / "world.toml"


def test_a_configured_file_that_is_gone_is_named_with_how_to_be_rid_of_it(used):
    choose(used, policy="mine.toml", concepts="world.toml")
    Path("mine.toml").unlink()
    Path("world.toml").unlink()

    with pytest.raises(PolicyError, match="config unset policy"):
        rules("", used)
    with pytest.raises(ConceptError, match="config unset concepts"):
        Settings().settled(used)
    assert rules("fast", used).name == "fast"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("polcy", "fast", "did you mean 'policy'?"),
        ("policy", "fats", "did you mean 'fast'?"),
        ("policy", "none.toml", "there is no policy 'none.toml'"),
        ("device", "cudua", "did you mean 'cuda'?"),
        ("dtype", "float61", "did you mean 'float16'?"),
        ("judge", "clip", "there is no judge 'clip'"),
        ("concepts", "none.toml", "cannot be read"),
        ("base", "none", "there is no model in 'none'"),
        ("author.email", "Ada <ada@example.org>", "set them separately"),
        ("author.name", " ", "author.name cannot be"),
        ("author.name", "a\nb", "author.name cannot be"),
    ],
)
def test_a_value_of_no_use_is_refused_when_it_is_chosen(empty, key, value, message):
    with pytest.raises(UsageError) as caught:
        choose(empty, **{key: value})

    assert message in str(caught.value)
    assert empty.config == {}


def test_the_configuration_is_a_mapping(empty):
    config = choose(empty, device="cpu")
    config["author.name"] = "Ada"

    assert dict(config) == {"device": "cpu", "author.name": "Ada"}
    del config["device"]
    assert (len(config), config.get("device")) == (1, None)
    with pytest.raises(KeyError):
        del config["device"]
    with pytest.raises(UsageError, match="polcy"):
        config["polcy"]


def test_no_method_and_no_command_has_a_policy_a_device_or_a_dtype_of_its_own():
    """Each command had `--policy default`, `--device cpu` and `--dtype float32` of its
    own, so nothing else could count where nobody typed them."""
    names = ("policy", "judge", "device", "dtype", "concepts")
    methods = [getattr(Ledger, name) for name in dir(Ledger) if name[0] != "_"]
    commands = [each.callback for each in cli.app.registered_commands]
    defaults = [
        (each.__name__, name, said.default)
        for each in filter(callable, [*methods, *commands])
        for name, said in inspect.signature(each).parameters.items()
        if name in names and said.default is not inspect.Parameter.empty
    ]

    assert len(defaults) > 40
    assert [each for each in defaults if each[2] not in ("", None, ())] == []


def test_config_lists_gets_sets_and_unsets(typed, empty):
    at = ("--ledger", str(empty.folder))

    assert typed("config", "set", "policy", "mine.toml", *at).code == 0
    assert typed("config", "get", "policy", *at).out == "../mine.toml\n"
    assert typed("config", *at, "get", "policy").out == "../mine.toml\n"
    assert typed("config", *at, "--json").json() == {
        "config": {"policy": "../mine.toml"}
    }
    assert "not set: where to compute" in typed("config", *at).out
    assert typed("config", "unset", "policy", *at).code == 0
    assert typed("config", "get", "policy", *at).code == 2
    assert typed("config", "unset", "policy", *at).code == 2


def test_concepts_are_those_of_the_ledger_at_hand(typed, empty):
    """`unlearnlog concepts` listed the bundled model's, and was offered as advice on
    models that know nothing of them."""
    at = ("--ledger", str(empty.folder), "--json")

    general = [row["name"] for row in typed("concepts", *at).json()]
    said = [
        r["name"] for r in typed("concepts", "--concepts", "world.toml", *at).json()
    ]
    choose(empty, concepts="world.toml")
    chosen = [row["name"] for row in typed("concepts", *at).json()]

    assert "Banksy" not in general
    assert "Van Gogh" in general
    assert said == chosen == ["Banksy"]
    assert "Banksy" in typed("concepts", *at[:2]).out
