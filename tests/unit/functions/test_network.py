"""Unit tests of this folder can't open network connections."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import boto3
import pytest


def test_no_connection_leaves_a_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="network"):
        socket.create_connection(("127.0.0.1", 9))


def test_no_name_is_looked_up() -> None:
    with pytest.raises(pytest.fail.Exception, match="network"):
        urllib.request.urlopen("https://example.invalid")


def test_no_call_reaches_a_real_account() -> None:
    with pytest.raises(pytest.fail.Exception, match="network"):
        boto3.client("sts").get_caller_identity()
