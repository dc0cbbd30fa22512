"""The token for Railway's API: whether Railway knows it."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.runtime.railway import RailwayError

_ADVICE = {
    "bad_token": "make another one (railway.com/account/tokens, or the project's settings), or take it away",
    "forbidden": "make one that may read its workspace, or take it away",
    "limited": "wait: until then nothing is known of costs and deployments",
    "away": "check OGEL_RAILWAY_API and OGEL_EGRESS_PROXY: until then nothing is known of costs and deployments",
}
_OTHERWISE = "check OGEL_RAILWAY_API; if it is Railway's own, this version is too old for it"


async def token(patient: Patient) -> Sequence[Finding]:
    settings = patient.settings
    if not (settings.railway_token or settings.railway_api_token):
        return []
    from ogel.platform.railway import railway

    try:
        async with railway(settings) as asked:
            scope = await asked.scope()
    except RailwayError as error:
        return [ill("railway", error.message, _ADVICE.get(error.cause, _OTHERWISE))]
    if scope.kind == "project":
        return [well("railway", "RAILWAY_TOKEN is known, for one environment; bills are not told to it")]
    return [well("railway", "RAILWAY_API_TOKEN is known")]
