"""The faulty server in a thread of the test."""

import asyncio
import contextlib
import threading

from faulty_server import Faulty


async def _end(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def serving(reply, **told):
    """`with serving(reply, faults=0.2) as (server, url):`"""
    faulty = Faulty(reply, **told)
    loop = asyncio.new_event_loop()
    started = threading.Event()
    address = []

    async def work():
        server, url = await faulty.start()
        address.append(url)
        started.set()
        async with server:
            await server.serve_forever()

    def run():
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.run_until_complete(_end(asyncio.all_tasks(loop)))
        loop.close()

    task = loop.create_task(work())
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield faulty, address[0]
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
