"""scripts/soak in short: the bridge and the server are ended under load both ways, and nothing acknowledged is lost. The seed is of the day; it is in what a failure shows."""
import time

import pytest
import soak


@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
async def test_ends_of_all_kinds(kind):
    seed = int(time.time()) // 86400
    print(f"scripts/soak --short --seed {seed}")
    outcomes = await soak.run(soak.SHORT, [kind], seed, report=False)
    print(soak.HEAD)
    for out in outcomes:
        print(out.row())
    wrong = [f"{out.phase} on {out.server}: {claim}: {out.notes}" for out in outcomes for claim, true in out.claims.items() if not true]
    assert not wrong, "\n".join(wrong)
    assert len(outcomes) == len(soak.SHORT)
