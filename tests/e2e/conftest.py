"""Fixtures of the end-to-end tests: the servers, each started once a module. A test that ends one starts it again.

A test that is a coroutine is run to its end.
"""
import asyncio
import collections
import inspect
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import servers  # noqa: E402  pylint: disable=wrong-import-position
from bridge import Bridge  # noqa: E402  pylint: disable=wrong-import-position

Place = collections.namedtuple("Place", "xmpp broker bridge")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames  # pylint: disable=protected-access
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def _started(server):
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="module")
def prosody():
    yield from _started(servers.Prosody())


@pytest.fixture(scope="module")
def ejabberd():
    yield from _started(servers.Ejabberd())


@pytest.fixture(scope="module")
def mosquitto():
    yield from _started(servers.Mosquitto())


@pytest.fixture(scope="module", params=["prosody", "ejabberd"])
def xmpp(request):
    """Each XMPP server in turn."""
    yield from _started(servers.KINDS[request.param]())


@pytest.fixture(scope="module")
def place(request, xmpp, mosquitto):
    """Server, broker and bridge, which ends in good order and clean. BRIDGE of the module: arguments for the bridge."""
    bridge = Bridge(xmpp, mosquitto, **getattr(request.module, "BRIDGE", {}))
    try:
        yield Place(xmpp, mosquitto, bridge.start())
        bridge.finish()
    finally:
        bridge.close()


@pytest.fixture
def all_run(request):
    """For tests that end servers: one's failure is not the next one's."""
    if "place" in request.fixturenames:
        for server in request.getfixturevalue("place"):
            if not server.running():
                server.process = None
                server.start()
