#!/usr/bin/env python3
"""Inspects every capture of a folder, and measures time and memory of each.

usage: inspect-every-capture.py PUSHBENCH CAPTURES [SECONDS MIB]
Prints those that end in no result and no clear error, those over SECONDS (5) or MIB (300), and the
slowest and largest. Exits with 1 when there are such.
"""
import collections, os, subprocess, sys, tempfile, time

pushbench, folder = sys.argv[1:3]
seconds, mebibytes = (float(a) for a in (sys.argv[3:5] or ('5', '300')))

measured, bad, codes = [], [], collections.Counter()
for name in sorted(os.listdir(folder)):
    if name.endswith('.keylog'):
        continue
    path = os.path.join(folder, name)
    command = [pushbench, 'inspect', path]
    if os.path.exists(path + '.keylog'):
        command += ['--keylog', path + '.keylog']
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        child = subprocess.Popen(command, stdout=out, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        took = time.monotonic() - began
        out.seek(0), errors.seek(0)
        said, complaint = out.read(), errors.read()
    code = os.waitstatus_to_exitcode(status)
    codes[code] += 1
    measured.append((took, usage.ru_maxrss / 1024, name))
    if code not in (0, 1) and not (code in (65, 66) and complaint.startswith(b'pushbench: ')):
        bad.append(f'{name}: exit {code}, {complaint[:200]!r}')
    elif code in (0, 1) and not said:
        bad.append(f'{name}: exit {code} and not a word')
    if took > seconds or usage.ru_maxrss / 1024 > mebibytes:
        bad.append(f'{name}: {took:.1f} s, {usage.ru_maxrss / 1024:.0f} MiB')

for line in bad:
    print(line)
print(f'{len(measured)} captures, {len(measured) - len(bad)} with a result or a clear error; '
      + ', '.join(f'{count} exit {code}' for code, count in sorted(codes.items())))
print('slowest: ' + ', '.join(f'{t:.2f} s {n}' for t, _, n in sorted(measured)[::-1][:3]))
largest = sorted(measured, key=lambda m: -m[1])[:3]
print('largest: ' + ', '.join(f'{m:.0f} MiB {n}' for _, m, n in largest))
sys.exit(1 if bad else 0)
