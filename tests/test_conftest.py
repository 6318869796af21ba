import os
import socket

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.org"])
def test_a_test_cannot_reach_the_network(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET

    with socket.socket(family) as caller, pytest.raises(RuntimeError, match="network"):
        caller.connect((host, 80))


def test_a_test_may_talk_to_its_own_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), timeout=5) as caller:
            caller.sendall(b"hello")
        answer, _ = server.accept()
        with answer:
            heard = answer.recv(5)

    assert heard == b"hello"


def test_the_hub_is_told_to_stay_offline():
    assert os.environ["HF_HUB_OFFLINE"] == "1"
