#!/usr/bin/env python3
"""Compares what PublicCapturesTests wrote with the table of truth beside the public captures.

usage: compare-public-streams.py STREAMS TRUTH
Each TRUTH/<capture>.streams.tsv has a row per TCP stream: endpoints, length and sha256 of both
directions, and whether independent tools agree that it is complete.
"""
import collections, csv, glob, hashlib, ipaddress, os, sys

streams, truth = sys.argv[1:3]

# Rows in which the truth is wrong, with what a second look at the packets showed.
#
# {(capture, stream): (which of our connections of these endpoints, from 0; its client; sha256 of
# what it sent to the server, and to the client; why)}
EXPLAINED = {
    ('suricata-verify__bug-1450-04__tls_DER-incomplete-header.pcap', '0'): (
        0, '127.0.0.1:50802', '16b57fd6667aebd27bbbe9aa4ca0b73efe46ee42aa00fff4571f859ec1d39877',
        '673d09985ae59df8af3fe95e123bf73a0b1255771810f00eb49dd42c21988c56',
        'The truth ends early. The header of record 7 (at byte 5,035 of the file) claims 4,325,376 '
        'bytes; tshark, tcpdump and tcpflow stop there. We go on at the next good header, 80 bytes '
        'later (5,115), and six more good records follow it up to the end of the file (5,696). The '
        'first of them, our frame 7, carries 7 bytes to the server, right behind the 295 of frame '
        '4 (sequence number 3,915,134,158 = 3,915,133,863 + 295): 15 03 03 00 02 02 2a, a TLS '
        'alert bad_certificate. The 295 bytes before, and all 4,208 to the client (frame 6), are '
        'those of the truth.'),
    ('suricata-verify__tcp-split-handshake-02-5whs__split-handshake-5whs.pcap', '1'): (
        0, '1.1.1.1:12345', 'a4cae81b6d0480d3ab6b52a6dfb5eae63346252bd00c4df5e27fcf96851bb84e',
        '-',
        'The truth counts two connections where there is one, with a split handshake: frame 1 is '
        'a SYN of 1.1.1.1:12345 (number 1000), which frame 2 acknowledges (1001); frame 3 is a SYN '
        'of 2.2.2.2:80 (3000); frame 4 acknowledges that and repeats the SYN with the number of '
        'frame 1, not a new one. tshark begins stream 1 at frame 3, because a SYN came for ports '
        'that it knows, and takes its sender for the client. The 4 bytes (frame 6, number 1001, '
        'from 1.1.1.1:12345) are those that we have, on the connection that frame 1 began, to the '
        'server. In split-handshake-4whs, the same without frame 2, tshark sees one connection '
        'with 1.1.1.1:12345 for its client too.'),
}


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


def explanation(name, stream, candidates):
    """Why the row differs, when it differs in the way that was explained."""
    if (name, stream) not in EXPLAINED:
        return None
    at, client, to_server, to_client, why = EXPLAINED[name, stream]
    if at >= len(candidates):
        return None
    who, up, down, gaps, _ = candidates[at]
    if who != endpoint(client):
        up, down = down, up
    return why if (sha(up), sha(down), gaps) == (to_server, to_client, 0) else None


totals, equal, exceptions = collections.Counter(), collections.Counter(), []
explained = []
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
        why = explanation(name, row['stream'], candidates)
        if why:
            explained.append((kind, name, row['stream'], why))
            continue
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
    others = sum(1 for one in explained if one[0] == kind)
    note = f', {others} more with a reason' if others else ''
    print(f'{kind}: {equal[kind]} of {totals[kind]} equal{note}')
for one in explained:
    print('explained\t' + '\t'.join(one))
for row in sorted(set(EXPLAINED) - {one[1:3] for one in explained}):
    print('explained, but not so any more\t' + '\t'.join(row))
for exception in exceptions:
    if exception[0] == 'yes' or '-v' in sys.argv:
        print('\t'.join(exception))
