"""Recovery codes by /auth/v1/factors/recovery-codes, as auth-js' mfa.recoveryCodes asks for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.integration.api.test_factors import claims_of, execute, show, verified
from tests.support.factors import Person, somebody
from tests.support.world import World

CODES = "/factors/recovery-codes"


def with_codes(world: World) -> tuple[Person, list[str]]:
    ada = somebody(world)
    verified(ada)
    return ada, ada.ok("POST", CODES)["codes"]


def test_a_code_stands_in_for_the_app_once(api: World) -> None:
    ada, codes = with_codes(api)
    assert len(codes) == 10
    weak = ada.another()
    typed = codes[0].upper()
    session = weak.ok("POST", f"{CODES}/verify", {"code": f"{typed[:4]}-{typed[4:8]} {typed[8:]}"})
    claims = claims_of(session["access_token"])
    assert claims["aal"] == "aal2"
    assert [each["method"] for each in claims["amr"]] == ["mfa/recovery_code", "password"]
    left = weak.ok("GET", CODES)
    assert {name: left[name] for name in ("type", "total", "remaining")} == {
        "type": "recovery_code",
        "total": 10,
        "remaining": 9,
    }
    again = weak.another()
    assert again.refused("POST", f"{CODES}/verify", {"code": codes[0]}) == (422, "mfa_verification_failed")


def test_of_fifty_at_once_one_uses_it(api: World) -> None:
    ada, codes = with_codes(api)
    weak = ada.another()
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda _: weak("POST", f"{CODES}/verify", {"code": codes[0]}).status, range(50))
        assert list(answers).count(200) == 1


def test_only_who_has_shown_another_factor_gets_codes(api: World) -> None:
    ada = somebody(api)
    assert ada.refused("POST", CODES) == (403, "insufficient_aal")
    assert ada.refused("GET", CODES) == (404, "mfa_factor_not_found")
    id, _ = verified(ada)
    made = ada.ok("POST", CODES, {"friendly_name": "drawer"})
    assert (made["type"], made["friendly_name"], made["total"]) == ("recovery_code", "drawer", 10)
    assert ada.refused("POST", CODES) == (422, "mfa_verified_factor_exists")
    weak = ada.another()
    assert weak.refused("POST", f"{CODES}/regenerate") == (403, "insufficient_aal")
    assert weak.refused("DELETE", CODES) == (403, "insufficient_aal")
    assert weak.refused("DELETE", f"/factors/{made['id']}") == (400, "validation_failed")
    assert weak.refused("POST", f"/factors/{made['id']}/challenge") == (400, "validation_failed")
    factors = {each["id"]: each["factor_type"] for each in weak.ok("GET", "/user")["factors"]}
    assert factors == {id: "totp", made["id"]: "recovery_code"}


def test_new_codes_take_the_place_of_old_ones(api: World) -> None:
    ada, old = with_codes(api)
    new = ada.ok("POST", f"{CODES}/regenerate")["codes"]
    assert not set(new) & set(old)
    weak = ada.another()
    assert weak.refused("POST", f"{CODES}/verify", {"code": old[0]}) == (422, "mfa_verification_failed")
    weak.ok("POST", f"{CODES}/verify", {"code": new[0]})


def test_wrong_ones_lock_codes_and_not_the_app(api: World, suite_servers: dict[str, str]) -> None:
    ada = somebody(api)
    id, app = verified(ada)
    codes = ada.ok("POST", CODES)["codes"]
    weak = ada.another()
    for _ in range(5):
        assert weak.refused("POST", f"{CODES}/verify", {"code": "x"}) == (422, "mfa_verification_failed")
    locked = weak("POST", f"{CODES}/verify", {"code": codes[0]})
    assert (locked.status, locked.json["error_code"]) == (429, "mfa_recovery_codes_locked")
    assert "retry-after" in locked.headers
    show(weak, id, app)
    # Who has the app after all gets new ones, which are not locked.
    new = weak.ok("POST", f"{CODES}/regenerate")["codes"]
    ada.another().ok("POST", f"{CODES}/verify", {"code": new[0]})
    [(kept,)] = execute(
        suite_servers, "SELECT count(*) FROM mfa_recovery_codes WHERE hash = %s", new[1].encode()
    )
    assert kept == 0  # the database has hashes alone


def test_codes_go_with_the_last_factor_that_they_stand_in_for(api: World) -> None:
    ada = somebody(api)
    id, _ = verified(ada)
    codes = ada.ok("POST", CODES)["codes"]
    weak = ada.another()
    weak.goes_on(weak.ok("POST", f"{CODES}/verify", {"code": codes[0]}))
    # Somebody whose phone is gone removes it, and begins anew.
    weak.ok("DELETE", f"/factors/{id}")
    assert "factors" not in weak.ok("GET", "/user")
    assert weak.refused("POST", f"{CODES}/verify", {"code": codes[1]}) == (422, "mfa_verification_failed")
    verified(weak)


def test_codes_can_be_removed(api: World) -> None:
    ada, codes = with_codes(api)
    ada.ok("DELETE", CODES)
    assert ada.refused("GET", CODES) == (404, "mfa_factor_not_found")
    assert ada.refused("POST", f"{CODES}/verify", {"code": codes[0]}) == (422, "mfa_verification_failed")
    assert ada.refused("POST", f"{CODES}/verify", {"code": " - "}) == (400, "validation_failed")
