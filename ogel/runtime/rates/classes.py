"""What a request costs Ogel, roughly: the class of each route and stream, by which its rate is limited."""

from __future__ import annotations

from typing import Literal

# none     never limited: health, metrics, what a load balancer asks.
# read     answers from rows; changes nothing.
# write    one transaction.
# publish  events, messages and mails: what clients send in numbers.
# stream   the beginning of a stream; what it carries is not counted.
# sign_in  tries a secret that people chose, or costs a slow hash: few are enough, and many are an attack.
RateClass = Literal["none", "read", "write", "publish", "stream", "sign_in"]
