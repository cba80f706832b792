"""How many requests a minute one caller may send: whoever shows a key by that key, everybody else by address."""

from __future__ import annotations

import math
from ipaddress import AddressValueError, IPv6Address

from throttled import RateLimiterType, Throttled, rate_limiter, store

PER_MINUTE = 600
"""Where the settings name no other number."""

# Callers that are remembered; past them the one that was quiet for longest begins anew.
_CALLERS = 10_000
# What one customer of a provider gets of the newer addresses, all of which are its own.
_NETWORK = 64


class RateLimit:
    """So many requests a minute for each caller, all at once or one by one (GCRA). For any thread."""

    def __init__(self, per_minute: int) -> None:
        self._limit = Throttled(
            using=RateLimiterType.GCRA.value,
            quota=rate_limiter.per_min(per_minute, burst=per_minute),
            store=store.MemoryStore(options={"MAX_SIZE": _CALLERS}),
        )

    def wait(self, caller: str) -> int:
        """Count a request of a caller; return the seconds to wait before another try, 0 if it is let through."""
        result = self._limit.limit(caller)
        return max(1, math.ceil(result.state.retry_after)) if result.limited else 0


def address_of(client: tuple[str, int] | None) -> str:
    """Return what an address is counted as: itself, or its network where one machine has a whole one."""
    if client is None:
        return "local"
    host = client[0].partition("%")[0]
    try:
        long = IPv6Address(host)
    except AddressValueError:
        return host
    if long.ipv4_mapped is not None:
        return str(long.ipv4_mapped)
    return str(IPv6Address(int(long) >> _NETWORK << _NETWORK))
