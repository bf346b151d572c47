#!/usr/bin/env python3
"""Compares what PublicCapturesTests wrote with the table of truth beside the public captures.

usage: compare-public-streams.py STREAMS TRUTH
Each TRUTH/<capture>.streams.tsv has a row per TCP stream: endpoints, length and sha256 of both
directions, and whether independent tools agree that it is complete.
"""
import collections, csv, glob, hashlib, ipaddress, os, sys

streams, truth = sys.argv[1:3]


def endpoint(text):
    host, port = text.rsplit(':', 1)
    return ipaddress.ip_address(host.strip('[]')), int(port)


def sha(data):
    return hashlib.sha256(data).hexdigest() if data else '-'


def ours(name):
    """{unordered endpoints: [(client, c2s, s2c, gaps, events)]} in the order of the capture."""
    found, at = collections.defaultdict(list), 0
    path = os.path.join(streams, name)
    if not os.path.exists(path + '.tsv'):
        return found
    data = open(path + '.streams', 'rb').read()
    for line in open(path + '.tsv', errors='replace').read().split('\n'):
        columns = line.split('\t')
        if len(columns) < 7:
            continue
        client, server = endpoint(columns[0]), endpoint(columns[1])
        up, down = int(columns[3]), int(columns[4])
        found[frozenset((client, server))].append(
            (client, data[at:at + up], data[at + up:at + up + down], int(columns[5]), columns[6]))
        at += up + down
    return found


totals, equal, exceptions = collections.Counter(), collections.Counter(), []
for path in sorted(glob.glob(os.path.join(truth, '*.streams.tsv'))):
    name = os.path.basename(path)[:-len('.streams.tsv')]
    mine = ours(name)
    used = collections.Counter()
    for row in csv.DictReader((l for l in open(path) if not l.startswith('#')), delimiter='\t'):
        kind = row['complete']
        totals[kind] += 1
        try:
            client, server = endpoint(row['client']), endpoint(row['server'])
        except ValueError:
            exceptions.append(
                (kind, name, row['stream'], f'endpoints {row["client"]} {row["server"]}'))
            continue
        key = frozenset((client, server))
        candidates = mine.get(key, [])
        at = used[key]
        used[key] += 1
        if kind in ('nodata', 'not-followed'):
            continue
        want = (row['sha256_c2s'], row['sha256_s2c'])
        if at >= len(candidates):
            exceptions.append(
                (kind, name, row['stream'], f'{row["client"]} {row["server"]}: not found'))
            continue
        who, up, down, gaps, events = candidates[at]
        if who != client:
            up, down = down, up
        if (sha(up), sha(down)) == want:
            equal[kind] += 1
        else:
            exceptions.append((kind, name, row['stream'],
                f'{row["client"]} {row["server"]}: {len(up)}/{len(down)} bytes, {gaps} gaps; '
                f'truth {row["bytes_c2s"]}/{row["bytes_s2c"]}; {events[:300]}'))
for kind in totals:
    print(f'{kind}: {equal[kind]} of {totals[kind]} equal')
for exception in exceptions:
    if exception[0] == 'yes' or '-v' in sys.argv:
        print('\t'.join(exception))
