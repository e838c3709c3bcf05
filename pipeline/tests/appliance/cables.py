"""What is on the guest's cables: frames as they are, hosts that are real, and numbered frames that show an outage."""

import contextlib
import fcntl
import itertools
import os
import select
import socket
import struct
import threading
import time

from frames import A, A4, B, B4, tagged, udp
from harness import PATIENCE, Host, until


class Cable:
    """A network card's cable. QEMU's `dgram` carries each frame in a datagram, bit for bit."""

    def __init__(self, folder, name):
        self.card, self.here, self.there = name, folder / f"{name}.here", folder / f"{name}.card"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.here))
        self.socket.setblocking(False)
        self.ears = []
        """Each is called with every frame that leaves the card."""

    def send(self, frame, patience=0.0):
        """Whether the card took it. A card whose guest is slow has room again soon; one that is off, never."""
        deadline = time.monotonic() + patience
        while True:
            try:
                self.socket.sendto(frame, str(self.there))
                return True
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.001)
            except (FileNotFoundError, ConnectionRefusedError):
                return False

    @contextlib.contextmanager
    def heard(self):
        """The frames that leave the card meanwhile."""
        frames = []
        self.ears.append(frames.append)
        try:
            yield frames
        finally:
            self.ears.remove(frames.append)


class Cables(threading.Thread):
    """Hands over what leaves the cards and the hosts."""

    def __init__(self, folder, cards):
        super().__init__(daemon=True)
        self.by_card = {card: Cable(folder, card) for card in cards}
        self.sources = {cable.socket.fileno(): self.from_card(cable) for cable in self.by_card.values()}
        self.poll = select.epoll()
        for source in self.sources:
            self.poll.register(source, select.EPOLLIN)
        self.start()

    def __getitem__(self, card):
        return self.by_card[card]

    def from_card(self, cable):
        def hand_over():
            frame = cable.socket.recv(1 << 16)
            for ear in list(cable.ears):
                ear(frame)

        return hand_over

    @contextlib.contextmanager
    def patched(self, card, other):
        """One cable between two cards meanwhile. A card that is too slow loses frames."""
        one, two = self[card], self[other]
        ways = (one, lambda frame: two.send(frame, patience=0.05)), (two, lambda frame: one.send(frame, patience=0.05))
        for cable, ear in ways:
            cable.ears.append(ear)
        try:
            yield
        finally:
            for cable, ear in ways:
                cable.ears.remove(ear)

    def plug(self, source, hand_over):
        self.sources[source] = hand_over
        self.poll.register(source, select.EPOLLIN)

    def unplug(self, source):
        self.poll.unregister(source)
        del self.sources[source]

    def run(self):
        while True:
            for source, _ in self.poll.poll():
                with contextlib.suppress(OSError, KeyError):  # a host that has just been unplugged
                    self.sources[source]()


class TaggedHost(Host):
    """A real Linux host on a cable, in a VLAN. It knows of no tag: that is put on and taken off on the way (the kernel on which the
    tests run may have no 802.1Q)."""

    TUNSETIFF, TAP_WITHOUT_HEADER = 0x400454CA, 0x1002

    def plug_in(self, cables, cable, vid, mac, addresses, mtu):
        with self.entered():
            self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.tap, self.TUNSETIFF, struct.pack("16sH22x", b"eth0", self.TAP_WITHOUT_HEADER))
        tag = struct.pack("!HH", 0x8100, vid)

        def to_host(frame):
            if frame[12:16] == tag:
                with contextlib.suppress(OSError):  # a host whose interface is down
                    os.write(self.tap, frame[:12] + frame[16:])

        def to_card():
            cable.send(tagged(os.read(self.tap, 1 << 16), vid).ljust(60, b"\0"), patience=0.02)

        cables.plug(self.tap, to_card)
        cable.ears.append(to_host)
        self.pull_out = lambda: (cable.ears.remove(to_host), cables.unplug(self.tap), os.close(self.tap))
        self.configure("eth0", mac, addresses)
        self.run("ip", "link", "set", "eth0", "mtu", str(mtu))


class Stream:
    """Numbered frames both ways through a bridge, one way each `every` seconds, from before `start` to `stop`."""

    serial = itertools.count()

    def __init__(self, cables, bridge, every=0.005):
        self.every, self.done, self.sent, self.came = every, threading.Event(), ([], []), ({}, {})
        mine = b"stream %06d" % next(self.serial)
        ways = ((A, A4), (B, B4), bridge.mud, bridge.wix), ((B, B4), (A, A4), bridge.wix, bridge.mud)
        self.heads, self.ears, self.out = [], [], []
        for way, (source, to, (card, vid), (far, far_vid)) in enumerate(ways):
            frame = udp(source, to, size=80)[:-24] + mine
            self.heads.append(tagged(frame, vid))
            self.out.append(cables[card])
            self.ears.append((cables[far], self.ear(way, tagged(frame, far_vid))))
        for cable, ear in self.ears:
            cable.ears.append(ear)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def ear(self, way, head):
        length = len(head)

        def hear(frame):
            if frame[:length] == head:
                self.came[way].setdefault(struct.unpack("!Q", frame[length : length + 8])[0], time.monotonic())

        return hear

    def run(self):
        due = time.monotonic()
        while not self.done.is_set():
            for way, (cable, head) in enumerate(zip(self.out, self.heads)):
                number = len(self.sent[way])
                self.sent[way].append(time.monotonic())
                cable.send(head + struct.pack("!Q", number) + bytes(3))
            due = max(due + self.every, time.monotonic())
            time.sleep(due - time.monotonic() if due > time.monotonic() else 0)

    def first(self):
        """When frames had come both ways; None before."""
        return max(min(came.values()) for came in self.came) if all(self.came) else None

    def wait(self):
        """Until frames that are sent from now on come, both ways."""
        mark = [len(sent) for sent in self.sent]
        until(lambda: all(came and max(came) > start for came, start in zip(self.came, mark)), "frames that pass", 4 * PATIENCE)

    def stop(self):
        self.done.set()
        self.thread.join()
        for cable, ear in self.ears:
            cable.ears.remove(ear)

    def outage(self):
        """Seconds of the longest time in which nothing that was sent came, on the worse way."""
        longest = 0.0
        for sent, came in zip(self.sent, self.came):
            times = [sent[number] for number in sorted(came)]
            longest = max([longest, *(after - before for before, after in itertools.pairwise(times))])
        return longest

    def lost(self):
        return sum(len(sent) - len(came) for sent, came in zip(self.sent, self.came))
