"""Results: rows, how they are summed up, and how they are shown (JSON, Markdown, PNG). One schema for all of perf/.

A document is {"schema", "command", "commit", "date", "machine", "versions", "rows", "skipped"}; a row is one device under test
in one case. The part of a case before its first comma (its frame size, say) decides which table it stands in."""

import datetime
import json
import statistics
import sys
from pathlib import Path

from . import host

SCHEMA = 1
KINDS = {
    "memif": "memif, a second core sends and verifies",
    "net_pcap": "net_pcap, one process",
    "kernel": "in the kernel, its own source on the same core, no network card",
}


def summary(runs):
    """Runs, their median, and their spread: (largest - smallest) / median; None where the median is 0 and they differ."""
    median, width = statistics.median(runs), max(runs) - min(runs)
    return {"runs": list(runs), "median": median, "spread": width / median if median else None if width else 0.0}


def row(harness, dut, case, runs, *, unit="Mpps", tsc_ghz=None, against=None, cpu=None, disturbed=0, notes=(), **more):
    """A device in a case. `runs`: one value a round; `tsc_ghz`: also TSC cycles a frame (unit Mpps only); `against`: (name,
    runs of the same rounds) for the ratio; `cpu`: share of its core that it had; `disturbed`: how many runs were; `more`: kept."""
    found = {"harness": harness, "dut": dut, "case": case, "unit": unit, **summary(runs)}
    if tsc_ghz and unit == "Mpps" and found["median"]:
        found["cycles"] = tsc_ghz * 1e3 / found["median"]
    if against:
        name, theirs = against
        found["ratio"] = {"to": name, **summary([ours / other for ours, other in zip(runs, theirs, strict=True)])}
    return found | {"cpu": cpu, "disturbed": disturbed, "notes": list(notes)} | more


def document(rows, skipped, *, memory=None):
    """What was measured, and on what. `skipped`: [{"dut": ..., "why": ...}]; `memory`: "huge pages" or "ordinary pages"."""
    return {
        "schema": SCHEMA,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "commit": host.commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": host.machine() | ({"memory": memory} if memory else {}),
        "versions": host.versions(),
        "rows": rows,
        "skipped": skipped,
    }


def tables(rows):
    """The rows by table: {(harness, first part of the case, unit): {device: {rest of the case: row}}}, in their order."""
    found = {}
    for each in rows:
        size, _, rest = each["case"].partition(", ")
        devices = found.setdefault((each["harness"], size if rest else "", each["unit"]), {})
        devices.setdefault(each["dut"], {})[rest or size] = each
    return found


def columns(devices):
    """The cases of a table, in their order."""
    return list(dict.fromkeys(case for row in devices.values() for case in row))


def digits(value):
    """Three significant digits, without an exponent."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cell(found):
    """A row as the text of one cell."""
    text = f"**{digits(found['median'])}**"
    if "cycles" in found:
        text += f", {found['cycles']:.0f} cycles"
    if "ratio" in found:
        text += f", {found['ratio']['median']:.1%}"
    if found["spread"] is not None and len(found["runs"]) > 1:
        text += f" ({found['spread']:.1%})"
    return text + "*" * bool(found["disturbed"])


def heading(shown):
    """The line that says where and from what the numbers are."""
    on = shown["machine"]
    parts = [f"{on['cpu']}, {on['cores']} cores", f"TSC {on['tsc_ghz']:.2f} GHz" if on["tsc_ghz"] else "", f"Linux {on['kernel']}",
             on.get("memory", ""), *(f"{name} {version}" for name, version in shown["versions"].items()), f"sluice {shown['commit']}"]
    return ", ".join(filter(None, parts)) + f"; {shown['date'][:10]}"


def markdown(shown):
    """A document for people: a table a harness and size, a row a device, a column a case."""
    lines = [heading(shown), f"`{' '.join(shown['command'])}`", ""]
    for (harness, size, unit), devices in tables(shown["rows"]).items():
        cases = columns(devices)
        rows = [row for cells in devices.values() for row in cells.values()]
        count = len(rows[0]["runs"])
        legend = f"{unit}: median of {count}" if count > 1 else f"{unit} of one run"
        legend += ", TSC cycles a frame" * any("cycles" in row for row in rows)
        legend += "".join(f", ratio to {to}" for to in dict.fromkeys(row["ratio"]["to"] for row in rows if "ratio" in row))
        lines += [f"### {', '.join(filter(None, (KINDS.get(harness, harness), size)))}", "", legend + " (spread)" * (count > 1), ""]
        lines += ["| | " + " | ".join(cases) + " |", "|---" * (len(cases) + 1) + "|"]
        for name, cells in devices.items():
            lines.append(f"| {name} | " + " | ".join(cell(cells[case]) if case in cells else "" for case in cases) + " |")
        lines.append("")
    if any(row["disturbed"] for row in shown["rows"]):
        lines += ["\\* some of its runs were disturbed, again and again: see `disturbed` in the JSON", ""]
    lines += [f"- {row['harness']}, {row['dut']}, {row['case']}: {note}" for row in shown["rows"] for note in row["notes"]]
    lines += [f"- skipped: {each['dut']}: {each['why'].partition(chr(10))[0]}" for each in shown["skipped"]]
    return "\n".join(lines).rstrip() + "\n"


def plot(shown, path):
    """The medians as bars, a picture a table, with lines from the smallest to the largest run."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        host.say("no plot: matplotlib is not installed (Debian: apt-get install python3-matplotlib)")
        return
    found = tables(shown["rows"])
    figure = Figure(figsize=(11, 3.6 * len(found)), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, ((harness, size, unit), devices) in zip(figure.subplots(len(found), squeeze=False).flat, found.items()):
        cases = columns(devices)
        width = 0.8 / len(devices)
        for place, (name, cells) in enumerate(devices.items()):
            rows = [(at, cells[case]) for at, case in enumerate(cases) if case in cells]
            middle = [row["median"] for _, row in rows]
            reach = [[row["median"] - min(row["runs"]) for _, row in rows], [max(row["runs"]) - row["median"] for _, row in rows]]
            left = [at + (place + 0.5) * width - 0.4 for at, _ in rows]
            axes.bar(left, middle, width * 0.92, yerr=reach, label=name, color=f"C{place}", error_kw={"elinewidth": 1, "capsize": 2})
        axes.set_xticks(range(len(cases)), cases, fontsize="small")
        axes.set_ylabel(unit)
        axes.set_title(", ".join(filter(None, (KINDS.get(harness, harness), size))), fontsize="medium")
        axes.legend(fontsize="x-small", ncols=2)
    figure.suptitle(heading(shown), fontsize="x-small")
    figure.savefig(path, dpi=120)


def options(parser):
    """The options of every command that measures: where its results go."""
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write results.json, results.md and results.png there")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of Markdown")


def publish(shown, chosen):
    """Shows a document as `options` asked for."""
    print(json.dumps(shown, indent=1) if chosen.json else markdown(shown), flush=True)
    if chosen.out and shown["rows"]:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "results.json").write_text(json.dumps(shown, indent=1) + "\n")
        (chosen.out / "results.md").write_text(markdown(shown))
        plot(shown, chosen.out / "results.png")
