"""A database in which a byte is another: whatever it is, the bridge starts and knows nothing that it did not know, or does not start and says what to do.

A row that is not there any more, as the page that held it says so, is the one thing that nobody notices; `missing` counts such starts.
"""
import re

from bridge import Bridge
from ledger import ACCESS


def known(bridge):
    """What it knows, as people see it."""
    mappings = {" ".join((m["address"], m["name"], m["adapter"], m["key"])) for m in bridge.ctl_json("mappings")["mappings"]}
    return mappings | set(map(str, bridge.ctl_json("subscriptions")["subscriptions"]))


class Damage:
    """`state`: the state directory of a bridge that has ended; `room`: an empty directory."""

    def __init__(self, xmpp, state, room):
        self._sound = {file.name: file.read_bytes() for file in state.glob("spandrel.db*")}
        self._bridge = Bridge(xmpp, None, access=ACCESS, directory=room)
        self._known = None
        self.refused = {}  # what was said, without the path -> how often
        self.served = self.missing = 0
        self.invented = []  # what it had not known before

    def _lay(self, damaged):
        self._bridge.state.mkdir(exist_ok=True, mode=0o700)
        for name, data in {**self._sound, **damaged}.items():
            (self._bridge.state / name).write_bytes(data)

    def serve(self, damaged):
        """One start with these files in place of the sound ones: what it knows, None when it does not start."""
        self._lay(damaged)
        since = self._bridge.mark() if self._known else 0
        try:
            self._bridge.start_only()
        except RuntimeError:
            text = self._bridge.output(since)
            self._bridge.check_clean()
            assert "spandrel.db" in text and "msg=fatal" not in text, f"it does not say why:\n{text}"
            text = re.sub(r"/\S*/", "", text.splitlines()[0])
            self.refused[text] = self.refused.get(text, 0) + 1
            return None
        try:
            return known(self._bridge)
        finally:
            self._bridge.stop()
            self._bridge.check_clean()

    def flip(self, rng):
        """One byte of one file."""
        name = rng.choice(sorted(self._sound))
        data = bytearray(self._sound[name])
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        return {name: data}

    def run(self, count, rng):
        self._known = self.serve({})
        assert self._known, "a sound database is not served"
        for _ in range(count):
            now = self.serve(self.flip(rng))
            if now is None:
                continue
            self.served += 1
            self.missing += now < self._known
            self.invented += sorted(now - self._known)
        self._bridge.close()
        return self
