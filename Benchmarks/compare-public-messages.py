#!/usr/bin/env python3
"""Counts MQTT and WebSocket messages with `pushbench inspect`, and compares with a table of truth.

usage: compare-public-messages.py PUSHBENCH FOLDER
FOLDER has captures/NAME (and NAME.keylog), truth/NAME.tsv with a row per message, and decode_as.tsv
for protocols on unusual ports. Prints what differs, and how many rows are equal.
"""
import collections, csv, glob, json, os, subprocess, sys

pushbench, folder = sys.argv[1:3]

MQTT = {
    'Connect Command': 'CONNECT', 'Connect Ack': 'CONNACK', 'Publish Message': 'PUBLISH',
    'Publish Ack': 'PUBACK', 'Publish Received': 'PUBREC', 'Publish Release': 'PUBREL',
    'Publish Complete': 'PUBCOMP', 'Subscribe Request': 'SUBSCRIBE', 'Subscribe Ack': 'SUBACK',
    'Unsubscribe Request': 'UNSUBSCRIBE', 'Unsubscribe Ack': 'UNSUBACK',
    'Ping Request': 'PINGREQ', 'Ping Response': 'PINGRESP', 'Disconnect Req': 'DISCONNECT',
    'Authentication Exchange': 'AUTH',
}
WEBSOCKET = {
    'TEXT': 'text', 'BINARY': 'binary', 'CONT': 'continuation', 'PING': 'ping', 'PONG': 'pong',
    'CLOSE': 'close',
}
DIRECTION = {'c2s': 'toServer', 's2c': 'toClient'}


def rows(path):
    return csv.DictReader((l for l in open(path) if not l.startswith('#')), delimiter='\t')


def expected(path):
    counts = collections.Counter()
    for row in rows(path):
        direction = DIRECTION.get(row['dir'], row['dir'])
        kinds = {'mqtt': MQTT, 'websocket': WEBSOCKET}.get(row['proto'])
        if kinds:
            kind = kinds.get(row['msg_type'], row['msg_type'])
            counts[(int(row['tcp.stream']), row['proto'], kind, direction)] += 1
    return counts


def ours(name, assigned):
    capture = os.path.join(folder, 'captures', name)
    command = [pushbench, 'inspect', '--format', 'json', capture]
    if os.path.exists(capture + '.keylog'):
        command += ['--keylog', capture + '.keylog']
    for text in assigned:
        command += ['--as', text]
    done = subprocess.run(command, capture_output=True, text=True)
    report = json.loads(done.stdout)
    counts = collections.Counter()
    for session in report['sessions']:
        for kind, by_direction in session['messages'].items():
            for direction, count in by_direction.items():
                counts[(session['connection'], 'mqtt', kind, direction)] += count
    for connection in report['connections']:
        for direction in DIRECTION.values() if connection['webSocket'] else ():
            for kind in WEBSOCKET.values():
                count = connection['webSocket'][direction][kind]
                counts[(connection['connection'], 'websocket', kind, direction)] += count
    return +counts


assigned = collections.defaultdict(list)
table = os.path.join(folder, 'decode_as.tsv')
for line in open(table) if os.path.exists(table) else ():
    name, rule = line.rstrip('\n').split('\t')[:2]
    port, protocol = rule.split('==')[1].split(',')
    if protocol in ('mqtt', 'websocket'):
        assigned[name].append(f'{protocol}={port}')

equal, total, captures, extra = collections.Counter(), collections.Counter(), 0, 0
for path in sorted(glob.glob(os.path.join(folder, 'truth', '*.tsv'))):
    if path.endswith(('.streams.tsv', '.tls.tsv')):
        continue
    name = os.path.basename(path)[:-len('.tsv')]
    truth = expected(path)
    if not truth:
        continue
    captures += 1
    mine = ours(name, assigned[name])
    for key in sorted(set(truth) | set(mine)):
        total[key[1]] += truth[key]
        equal[key[1]] += min(truth[key], mine[key])
        extra += max(0, mine[key] - truth[key])
        if truth[key] != mine[key]:
            stream, protocol, kind, direction = key
            print(f'{name} stream {stream}: {protocol} {kind} {direction}: '
                  f'{mine[key]} here, {truth[key]} in the table')
for protocol in sorted(total):
    print(f'{protocol}: {equal[protocol]} of {total[protocol]} rows are counted here too')
print(f'{extra} messages are counted here and not in the table; {captures} captures')
