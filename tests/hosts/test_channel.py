"""Records between two processes come whole and in order, whoever sends them."""

from __future__ import annotations

import socket
import threading
from itertools import groupby

from corridor_cli.hosts.channel import Channel

NUM_RECORDS = 300
RECORD_BYTES = 100_000  # more than a socket pair takes at once: it is sent in pieces


def test_records_that_two_threads_send_are_not_mixed() -> None:
    """A worker sends scenes while the thread that decodes ahead gives signs of life."""
    ours, theirs = (Channel(end.detach()) for end in socket.socketpair())

    def send(name: int, num_bytes: int) -> None:
        for number in range(NUM_RECORDS):
            theirs.send((name, number, bytes(num_bytes)))

    senders = [
        threading.Thread(target=send, args=each, daemon=True) for each in ((0, RECORD_BYTES), (1, 100))
    ]
    for sender in senders:
        sender.start()
    received = sorted(ours.receive()[:2] for _ in range(2 * NUM_RECORDS))
    for name, records in groupby(received, key=lambda record: record[0]):
        assert [number for _, number in records] == list(range(NUM_RECORDS)), name
    for sender in senders:
        sender.join()
    ours.close()
    theirs.close()
