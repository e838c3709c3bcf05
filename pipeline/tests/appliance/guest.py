"""The machine under test: QEMU's, with the program installed from its package."""

import base64
import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import time

from harness import PATIENCE, SETTLE, until

BOOT = 600.0
"""Seconds that a busy machine may take to boot an emulated one."""
FIRST_SLOT = 0x10

# a processor that gets no time in the right moment misses a timer: one that ticks has the next one
TICKS = "nohz=off highres=off no_timer_check tsc=reliable"
KERNEL = f"root=/dev/vda rw console=ttyS0 quiet panic=-1 intel_iommu=on iommu=pt mitigations=off random.trust_cpu=on audit=0 {TICKS}"
# no hardware virtualization: it is not to be had everywhere, and not needed. Each card is behind a port of its own, which gives it an
# IOMMU group of its own and lets it be unplugged; no file of firmware is needed to boot from them.
# One thread for both processors: with one each, the second's timer stood still after some boots on a busy machine.
MACHINE = "-accel tcg,thread=single -cpu max -M q35 -m 1G -smp 2 -nodefaults -no-reboot -display none -device intel-iommu,intremap=on,caching-mode=on"
# virtio honours an IOMMU only where it is told to
BEHIND_IOMMU = {"virtio-net-pci": {"iommu_platform": True, "disable-legacy": "on"}}


class Guest:
    """A machine with a disk of its own, the image's at first: what is written stays over a power-off."""

    def __init__(self, image, folder, cables, models):
        self.image, self.folder, self.cables, self.models = image, folder, cables, models
        self.disk, self.console = folder / "disk", folder / "console"
        shutil.copyfile(image / "disk", self.disk)
        self.serial, self.process = itertools.count(), None

    # ---- power

    def power_on(self):
        """When, by this machine's clock."""
        # it does not outlive the tests, however they end
        arguments = ["setpriv", "--pdeathsig", "kill", "qemu-system-x86_64", *MACHINE.split()]
        arguments += ["-kernel", self.image / "vmlinuz", "-initrd", self.image / "initrd"]
        arguments += ["-append", KERNEL, "-serial", f"file:{self.console}", "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        arguments += ["-drive", f"file={self.disk},format=raw,if=none,id=disk,cache=unsafe", "-device", "virtio-blk-pci,drive=disk"]
        arguments += ["-chardev", f"socket,id=control,path={self.folder}/control,server=on,wait=off"]
        arguments += ["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=control,name=control"]
        for slot, card in enumerate(self.models, start=FIRST_SLOT):
            cable = self.cables[card]
            ends = f"local.type=unix,local.path={cable.there},remote.type=unix,remote.path={cable.here}"
            arguments += ["-device", f"pcie-root-port,id=slot-{card},chassis={slot},slot={slot},addr=0x{slot:x}"]
            arguments += ["-netdev", f"dgram,id=cable-{card},{ends}", "-device", json.dumps(self.device(card))]
        began = time.monotonic()
        with open(self.folder / "qemu", "wb") as said:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        self.control = Lines(self.folder / "control")
        self.monitor, self.messages = Lines(self.folder / "qmp"), []
        self.manage("qmp_capabilities")
        return began

    def device(self, card):
        """A card in its slot, as `-device` and `device_add` take it."""
        model, number = self.models[card], list(self.models).index(card)
        where = {"id": card, "bus": f"slot-{card}", "netdev": f"cable-{card}", "mac": f"52:54:00:00:00:{number:02x}", "romfile": ""}
        return {"driver": model, **where, **BEHIND_IOMMU.get(model, {})}

    def power_off(self, how="poweroff"):
        """As its operator does, from inside."""
        # which may be gone before the shell answers; what counts is that it goes
        self.attempt(f"systemctl --no-block {how}")
        assert self.process.wait(BOOT) == 0, self

    def reboot(self):
        """When it began anew. QEMU ends at a reboot and is started again: after a warm reset its second processor may get no
        timer interrupts (the kernel tells of RCU stalls)."""
        self.power_off("reboot")
        return self.power_on()

    def pull_out(self, card):
        """Takes a card out of its slot, as with the attention button (pciehp), and waits until the machine has let it go."""
        self.manage("device_del", id=card)
        self.message(lambda message: message.get("event") == "DEVICE_DELETED" and message["data"].get("device") == card, 4 * PATIENCE)

    def put_in(self, card):
        self.manage("device_add", **self.device(card))

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # ---- the machine around it

    def manage(self, order, **arguments):
        """Tells QEMU something."""
        self.monitor.send(json.dumps({"execute": order, "arguments": arguments}))
        answer = self.message(lambda message: "return" in message or "error" in message)
        assert "return" in answer, (order, arguments, answer)

    def message(self, wanted, patience=PATIENCE):
        """The first wanted one of QEMU's messages that nobody has asked for yet."""

        def look():
            self.messages += map(json.loads, self.monitor.receive(SETTLE))
            return next(filter(wanted, self.messages), None)

        found = until(look, lambda: f"a message of QEMU's, beside {self.messages}", patience)
        self.messages.remove(found)
        return found

    # ---- a root shell in it

    def wait_for_shell(self):
        """Until it takes commands."""
        until(lambda: "ready" in self.control.receive(SETTLE), lambda: f"a shell\n{self}", BOOT)

    def attempt(self, command, patience=PATIENCE):
        """A shell command's status and all that it said; status None where nothing came back, as from a machine that is off."""
        this = str(next(self.serial))
        self.control.send(f"{this} {patience:.0f} {base64.b64encode(command.encode()).decode()}")
        deadline = time.monotonic() + patience + 2
        while (left := deadline - time.monotonic()) > 0:
            for line in self.control.receive(left):
                number, *status_and_said = line.split()
                if number == this:
                    status, *said = status_and_said
                    return int(status), base64.b64decode("".join(said)).decode(errors="replace").strip()
        return None, ""

    def run(self, command, patience=PATIENCE):
        """What a command says; it must succeed."""
        status, said = self.attempt(command, patience)
        assert status == 0, f"{command}: exit {status}\n{said}\n{self.journal('-b -n 40')}\n{self}"
        return said

    def write(self, path, text):
        encoded = base64.b64encode(text.encode()).decode()
        self.run(f"mkdir -p $(dirname {path}) && base64 -d <<<{encoded} >{path}")

    def show(self, question):
        """What `sluice show` shows."""
        return json.loads(self.run(f"sluice show {question} --json"))

    def address(self, card):
        """The PCI address of a card."""
        slot = list(self.models).index(card) + FIRST_SLOT
        return self.run(f"basename /sys/bus/pci/devices/0000:00:{slot:02x}.0/0000:??:00.0")

    def journal(self, *options):
        return self.attempt(f"journalctl --no-pager -o short-monotonic {' '.join(options)}")[1]

    def __str__(self):
        said = (self.folder / "qemu").read_text(errors="replace")
        return f"--- QEMU\n{said}\n--- console\n{self.console.read_text(errors='replace')[-4000:]}"


class Lines:
    """Lines both ways over a Unix socket of QEMU's."""

    def __init__(self, path):
        self.socket, self.rest = socket.socket(socket.AF_UNIX), b""
        until(lambda: not self.socket.connect_ex(str(path)), f"QEMU at {path}")

    def send(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def receive(self, patience):
        """Lines that are there, or the first that comes."""
        self.socket.settimeout(max(patience, 0.001))
        with contextlib.suppress(TimeoutError):
            self.rest += self.socket.recv(1 << 16)
        *lines, self.rest = self.rest.split(b"\n")
        return [line.decode() for line in lines if line]
