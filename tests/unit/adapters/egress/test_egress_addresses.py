"""Where outgoing requests must not go, in every spelling, and what an operator may open."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from ogel.adapters.egress import AddressGuard, InvalidUrl, RefusedAddress
from ogel.adapters.egress.target import parse_url

HERE = Path(__file__).parent
FORBIDDEN = (HERE / "forbidden_hosts.txt").read_text(encoding="utf-8").split()

PUBLIC = (HERE / "public_hosts.txt").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("host", FORBIDDEN)
def test_forbidden_places_are_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(RefusedAddress) as refused:
        AddressGuard().check_url(f"https://{host}:8443/hook")
    assert refused.value.status == 422


@pytest.mark.parametrize("host", PUBLIC)
def test_public_places_are_not(host: str) -> None:
    AddressGuard().check_url(f"https://{host}/hook")


@pytest.mark.parametrize("host", [host for host in FORBIDDEN if "[" in host or host[0].isdigit()])
def test_the_same_addresses_are_refused_as_answers(host: str) -> None:
    address = parse_url(f"http://{host}/").address
    assert address is not None
    with pytest.raises(RefusedAddress):
        AddressGuard().vet(parse_url("http://example.com/"), [address])


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "10.0.0.1"],
        ["10.0.0.1", "93.184.216.34"],
        ["2606:4700::1111", "::ffff:10.0.0.1"],
        ["fe80::1%eth0"],
        ["2606:4700::1111%eth0"],
        ["not an address"],
        [],
    ],
)
def test_one_forbidden_answer_refuses_the_name(answers: list[str]) -> None:
    with pytest.raises(RefusedAddress) as refused:
        AddressGuard().vet(parse_url("http://example.com/"), answers)
    assert not any(answer in refused.value.message for answer in answers)


def test_all_public_answers_are_kept_in_order_and_unwrapped() -> None:
    answers = ["2606:4700::1111", "::ffff:8.8.8.8", "93.184.216.34"]
    vetted = AddressGuard().vet(parse_url("http://example.com/"), answers)
    assert vetted == ("2606:4700::1111", "8.8.8.8", "93.184.216.34")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost", "a.localhost"]
)
def test_an_allowed_network_is_open_in_every_spelling(host: str) -> None:
    guard = AddressGuard(allow=[ip_network("127.0.0.0/8")])
    target = guard.check_url(f"http://{host}:9000/hook")
    assert target.address in ("127.0.0.1", None)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "169.254.169.254", "[::1]", "[64:ff9b::127.0.0.1]", "[::127.0.0.1]"]
)
def test_an_allowed_network_opens_nothing_else(host: str) -> None:
    with pytest.raises(RefusedAddress):
        AddressGuard(allow=[ip_network("127.0.0.0/8")]).check_url(f"http://{host}/")


def test_localhost_goes_only_to_the_family_that_was_opened() -> None:
    guard = AddressGuard(allow=[ip_network("127.0.0.0/8")])
    target = guard.check_url("http://localhost:9000/")
    assert guard.vet(target, ["::1", "127.0.0.1"]) == ("127.0.0.1",)
    for answers in (["::1"], ["93.184.216.34"], []):
        with pytest.raises(RefusedAddress):
            guard.vet(target, answers)


def test_an_internal_name_needs_every_address_opened() -> None:
    guard = AddressGuard(allow=[ip_network("fd12::/16"), ip_network("10.0.0.0/8")])
    target = guard.check_url("http://receiver.railway.internal:8080/")
    assert guard.vet(target, ["fd12::1", "10.0.0.7"]) == ("fd12::1", "10.0.0.7")
    for answers in (["fd12::1", "fd13::1"], ["93.184.216.34"], ["10.0.0.7", "127.0.0.1"]):
        with pytest.raises(RefusedAddress):
            guard.vet(target, answers)


def test_networks_and_names_can_be_denied_as_well() -> None:
    guard = AddressGuard(denied=[ip_network("93.184.216.0/24")], denied_names=["Example.com."])
    for host in ("93.184.216.34", "example.com", "a.b.example.com"):
        with pytest.raises(RefusedAddress):
            guard.check_url(f"http://{host}/")
    guard.check_url("http://notexample.com/")


def test_a_wrong_url_is_told_from_a_refused_one() -> None:
    with pytest.raises(InvalidUrl):
        AddressGuard().check_url("http://user@127.0.0.1/")
