"""A relay of rust-nostr on loopback until standard input ends; with the argument `auth` it asks for NIP-42."""

import asyncio
import sys

from nostr_sdk import (
    LocalRelay,
    LocalRelayBuilder,
    LocalRelayBuilderNip42,
    LocalRelayBuilderNip42Mode,
    RateLimit,
)

# The default, 60 a minute, is below what one bot says to the many customers of the suite.
NOTES_PER_MINUTE = 10_000


async def main() -> None:
    limit = RateLimit(max_reqs=1_000, notes_per_minute=NOTES_PER_MINUTE)
    builder = LocalRelayBuilder().rate_limit(limit)
    if "auth" in sys.argv:
        mode = LocalRelayBuilderNip42Mode.BOTH
        builder = builder.nip42(LocalRelayBuilderNip42(mode=mode))
        builder = builder.auth_dm(True)
    relay = builder.build() if hasattr(builder, "build") else LocalRelay(builder)
    await relay.run()
    url = relay.url()
    print(await url if asyncio.iscoroutine(url) or hasattr(url, "__await__") else url, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    relay.shutdown()


asyncio.run(main())
