"""The words of ogel.runtime.egress, under the name this package uses."""

from ogel.runtime.egress import EgressError, InvalidUrl, Reason, RefusedAddress, Timings

__all__ = ["EgressError", "InvalidUrl", "Reason", "RefusedAddress", "Timings"]
