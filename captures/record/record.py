"""Runs recording scenarios; see record.sh for how to call it."""

import argparse
import pathlib
import sys
import time

import describe
import evidence
import lab
import scenarios


def main() -> int:
    parser = argparse.ArgumentParser(description="Records captures from real programs.")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("recorded"))
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--table", action="store_true",
                        help="print what the truth files in --output say, as a table for README.md")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()

    known = scenarios.all_scenarios()
    if arguments.list:
        for entry in known.values():
            print(f"{entry.folder + '/' + entry.file_name:52} {entry.summary}")
        return 0
    if arguments.table:
        print(describe.table(known.values(), arguments.output))
        return 0
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        print(f"No such scenario: {', '.join(unknown)} (see --list)", file=sys.stderr)
        return 64

    failed = []
    for name in arguments.names or known:
        entry = known[name]
        started = time.monotonic()
        try:
            truth = lab.record(entry, arguments.output)
            doubts = evidence.check(truth, arguments.output / entry.folder / entry.file_name)
        except lab.RecordingFailed as failure:
            doubts = [str(failure)]
        if doubts:
            failed.append(name)
        verdict = "; ".join(doubts) if doubts else "as expected"
        print(f"{name:44} {time.monotonic() - started:5.1f} s  {verdict}", flush=True)
    if failed:
        print(f"{len(failed)} of the recordings are not as expected: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
