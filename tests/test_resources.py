import pytest

from unlearnlog.core.resources import policy_folder


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "unlearnlog"
    folder.mkdir()
    return folder


def _with_policies(folder):
    folder.mkdir()
    (folder / "default.toml").touch()
    return folder


def test_this_installation_finds_its_default_policy():
    assert (policy_folder() / "default.toml").is_file()


def test_a_source_tree_keeps_its_policies_beside_the_package(package):
    beside = _with_policies(package.parent / "policies")

    found = policy_folder(package)

    assert found == beside


def test_an_installed_package_prefers_the_policies_inside_it(package):
    _with_policies(package.parent / "policies")
    inside = _with_policies(package / "policies")

    found = policy_folder(package)

    assert found == inside


def test_an_installation_without_policies_says_where_it_looked(package):
    with pytest.raises(FileNotFoundError, match="install unlearnlog again") as error:
        policy_folder(package)

    assert str(package) in str(error.value)
