#!/usr/bin/env python3
"""Counts HTTP/2 frames with `pushbench inspect`, and compares with tshark.

usage: compare-http2.py PUSHBENCH CAPTURE...
A key log lies beside a capture as CAPTURE.keylog or NAME.keylog. Every TCP stream in which tshark
sees HTTP/2 is read as a provider's (`--as`), so that all of its frames are counted. Prints what
differs, by stream, direction and type of frame.
"""
import collections, json, os, subprocess, sys

pushbench, captures = sys.argv[1], sys.argv[2:]
NAMES = ['DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM', 'SETTINGS', 'PUSH_PROMISE', 'PING', 'GOAWAY',
         'WINDOW_UPDATE', 'CONTINUATION']


def key_log(capture):
    for path in (capture + '.keylog', os.path.splitext(capture)[0] + '.keylog'):
        if os.path.exists(path):
            return path


def tshark(capture, *arguments):
    command = ['tshark', '-r', capture]
    if key_log(capture):
        command += ['-o', 'tls.keylog_file:' + key_log(capture)]
    done = subprocess.run(command + list(arguments), capture_output=True, text=True)
    return [line.split('\t') for line in done.stdout.splitlines()]


equal = total = looked = 0
for capture in captures:
    opened = []
    if key_log(capture):
        # The key log opens streams on ports that tshark does not know.
        ports = {row[0] for row in tshark(capture, '-Y', 'tcp.flags.syn==1 and tcp.flags.ack==1',
                                          '-T', 'fields', '-e', 'tcp.srcport')}
        for port in sorted(ports):
            opened += ['-d', f'tcp.port=={port},tls']
    rows = tshark(capture, *opened, '-Y', 'http2', '-T', 'fields', '-e', 'tcp.stream', '-e',
                  'tcp.srcport', '-e', 'tcp.dstport', '-e', 'http2.type', '-e', 'http2.streamid')
    theirs, ports = collections.Counter(), {}
    for stream, source, target, types, _ in rows:
        stream = int(stream.split(',')[0])
        pair = (int(source.split(',')[0]), int(target.split(',')[0]))
        ports.setdefault(stream, set()).update(pair)
        for kind in types.split(','):
            if kind:
                name = NAMES[int(kind)] if int(kind) < len(NAMES) else 'unknown'
                theirs[(stream, int(source.split(',')[0]), name)] += 1
    if not theirs:
        continue
    looked += 1
    # The lower port is the server's.
    servers = {min(pair) for pair in ports.values()}
    command = [pushbench, 'inspect', '--format', 'json', capture]
    command += sum((['--as', f'apns-provider={port}'] for port in sorted(servers)), [])
    if key_log(capture):
        command += ['--keylog', key_log(capture)]
    report = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    ours = collections.Counter()
    for session in report['sessions']:
        if session['connection'] not in ports:
            continue
        client, server = (int(session[end].rsplit(':', 1)[1]) for end in ('client', 'server'))
        for name, counts in session['messages'].items():
            ours[(session['connection'], client, name)] += counts['toServer']
            ours[(session['connection'], server, name)] += counts['toClient']
    ours = +ours
    for key in sorted(set(ours) | set(theirs)):
        total += theirs[key]
        equal += min(theirs[key], ours[key])
        if theirs[key] != ours[key]:
            print(f'{os.path.basename(capture)} stream {key[0]} from port {key[1]}: '
                  f'{ours[key]} {key[2]} here, {theirs[key]} in tshark')
print(f'{equal} of {total} frames are counted here too; {looked} captures with HTTP/2')
