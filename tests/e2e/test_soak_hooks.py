"""scripts/soak webhooks in short: the bridge, the server and the link are ended while posts come in, and every 2xx is in the room. The seed is of the day; it is in what a failure shows."""
import time

import pytest
import soak_hooks


@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
async def test_every_2xx_is_in_the_room(kind):
    seed = int(time.time()) // 86400
    print(f"scripts/soak webhooks --short --seed {seed}")
    outcomes = await soak_hooks.run(soak_hooks.SHORT, [kind], seed, report=False)
    print(soak_hooks.HEAD)
    for out in outcomes:
        print(out.row())
    wrong = [f"{out.phase} on {out.server}: {claim}: {out.notes}" for out in outcomes for claim, true in out.claims.items() if not true]
    assert not wrong, "\n".join(wrong)
    assert len(outcomes) == sum(ends > 0 for ends in soak_hooks.SHORT.values())
