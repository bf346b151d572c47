#!/usr/bin/env python3
"""Decrypts captures with `pushbench extract --streams`, and compares with a table of truth.

usage: compare-public-tls.py PUSHBENCH FOLDER
FOLDER has captures/NAME (and NAME.keylog), and truth/NAME.tls.tsv with the sha256 of what another
program decrypted of each connection. Prints what differs, what could not be decrypted by reason,
and how many are equal.
"""
import collections, csv, glob, json, os, subprocess, sys, tempfile

pushbench, folder = sys.argv[1:3]
equal, more, joined, different, captures = 0, 0, 0, [], 0
reasons = collections.Counter()


def problems(command):
    """Why each connection that stays closed does, as inspect says."""
    said = subprocess.run(command, capture_output=True, text=True).stdout
    return {row['connection']: row['problem'] for row in json.loads(said)['connections']}


for path in sorted(glob.glob(os.path.join(folder, 'truth', '*.tls.tsv'))):
    name = os.path.basename(path)[:-len('.tls.tsv')]
    capture = os.path.join(folder, 'captures', name)
    with tempfile.TemporaryDirectory() as scratch:
        keys = ['--keylog', capture + '.keylog'] if os.path.exists(capture + '.keylog') else []
        command = [pushbench, 'extract', capture, '--streams', scratch, *keys]
        said = subprocess.run(command + ['--format', 'json'], capture_output=True, text=True).stdout
        ours = collections.defaultdict(dict)
        for row in json.loads(said)['streams']:
            if row['content'] == 'decrypted' and row['file']:
                ours[row['connection']]['decryptedT' + row['direction'][1:]] = row
    captures += 1
    closed = None
    truth = {int(row['stream']): row for row in csv.DictReader(open(path), delimiter='\t')}
    for stream in sorted(set(truth) | set(ours)):
        row, mine = truth.get(stream, {}), ours.get(stream, {})
        want = [row.get('decrypted_sha256_' + side) or '-' for side in ('c2s', 's2c')]
        want = [digest if len(digest) == 64 else '' for digest in want]
        flows = [mine.get('decryptedTo' + side) or {} for side in ('Server', 'Client')]
        have = [flow.get('sha256', '') for flow in flows]
        if not any(want):
            more += any(have)
        elif all(h == w for h, w in zip(have, want) if w):
            equal += 1
        elif not any(have):
            if closed is None:
                closed = problems([pushbench, 'inspect', '--format', 'json', capture, *keys])
            reasons[closed.get(stream) or 'not known to be in TLS'] += 1
        elif not want[0] and str(sum(f['bytes'] for f in flows)) == row['decrypted_bytes_s2c']:
            joined += 1  # The table has both directions as one.
        else:
            lengths = [(f.get('bytes'), f.get('gapCount')) for f in flows]
            different.append(f'{name} {stream} {row["server"]}: bytes and gaps {lengths} here, '
                             f'{row["decrypted_bytes_c2s"]} and {row["decrypted_bytes_s2c"]} there')
for line in different:
    print(line)
for reason, count in reasons.most_common():
    print(f'not decrypted here: {count} × {reason}')
total = equal + joined + len(different) + sum(reasons.values())
print(f'{equal} of {total} connections decrypt to the same bytes, in {captures} captures; {joined} '
      f'to as many, where the table has both directions as one; {more} are decrypted here only')
