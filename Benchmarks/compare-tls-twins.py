#!/usr/bin/env python3
"""Compares the ledgers of recordings in TLS with those of their counterparts in the clear.

usage: compare-tls-twins.py PUSHBENCH RECORDED
RECORDED has NAME.pcap, NAME.truth.json (what was started and published) and NAME.keylog.

Recordings in TLS and in the clear were made at other times, with other clients, and carry other
numbers of messages. What has to agree is how a delivery of each kind goes: its QoS, its state, how
often it was sent, and the steps of its custody (TCP's acknowledgement and, of a subscriber whose
sessions end first, nothing else left out). How many there are of each kind has to be what the
truth says was published. With the same bytes (TLS taken off, the rest rewritten in the clear) the
whole ledger is compared, by `PUSHBENCH_RECORDED_CAPTURES=RECORDED swift test --filter
DecryptedCapturesTests`.
"""
import collections, json, re, subprocess, sys

pushbench, recorded = sys.argv[1:3]

# In TLS, in the clear, and the kinds of deliveries that only the clear one's workload has.
PAIRS = [
    ('mqtt_tls12', 'mqtt311_paho_qos2', set()),
    ('mqtt_tls13', 'mqtt311_paho_qos2', set()),
    ('mqtt_tls12', 'mqtt_tls13', set()),
    # Two more messages are published there while nobody is connected, and wait.
    ('ghost_mqtt_tls13_stop_kill9', 'ghost_mqtt311_stop_kill9', {'queued'}),
]


def published(name):
    """{QoS: messages} of a recording, by its truth."""
    counts = collections.Counter()
    for event in json.load(open(f'{recorded}/{name}.truth.json'))['events']:
        command = event.get('cmd', '')
        if 'mosquitto_pub' in command or re.search(r'paho_cli\.py pub', command):
            qos = re.search(r'(?:-q|--qos) (\d)', command)
            number = re.search(r'--n (\d+)', command)
            counts[int(qos[1]) if qos else 0] += int(number[1]) if number else 1
    return counts


def inspect(name):
    arguments = [pushbench, 'inspect', f'{recorded}/{name}.pcap', '--format', 'json']
    if 'tls' in name:
        arguments += ['--keylog', f'{recorded}/{name}.keylog']
    run = subprocess.run(arguments, capture_output=True, text=True)
    if run.returncode not in (0, 1):
        sys.exit(f'{name}: {run.stderr}')
    return json.loads(run.stdout)


def classes(document):
    """{(QoS, sent, state, steps): deliveries}, and the findings."""
    counts = collections.Counter()
    began = {s['id']: s['began']['time'] for s in document['sessions']}
    for delivery in document['deliveries']:
        steps = [e['event'] for e in delivery['events'] if e['event'] != 'transportAcknowledged']
        sent = [e for e in delivery['events'] if e['event'] == 'sent']
        accepted = [e['time'] for e in delivery['events'] if e['event'] == 'accepted']
        # It waited for a session that began after it was accepted.
        waited = sent and accepted and began.get(sent[0]['session'], 0) > accepted[0]
        # Who is first on the wire, the answer to the publisher or the copy, is chance.
        kind = 'queued' if waited else 'direct'
        counts[delivery['quality'], kind, delivery['attempts'], delivery['state'],
               ' '.join(sorted(set(steps), key=steps.index) if waited else sorted(steps))] += 1
    return counts


def check(condition, text):
    global failures
    failures += not condition
    print(f'  {"ok    " if condition else "DIFFER"}  {text}')


failures = 0
for encrypted, clear, only_clear in PAIRS:
    print(f'{encrypted} and {clear}')
    documents = inspect(encrypted), inspect(clear)
    ours, theirs = map(classes, documents)
    for name, found in ((encrypted, ours), (clear, theirs)):
        by_qos = collections.Counter()
        for (quality, *_), count in found.items():
            by_qos[quality] += count
        want = published(name)
        check(by_qos == {q: n for q, n in want.items() if q > 0},
              f'{name}: deliveries by QoS {dict(by_qos)}, published {dict(want)}')
    qualities = {c[0] for c in ours} & {c[0] for c in theirs}
    for one in sorted(set(ours) | set(theirs)):
        quality, kind, attempts, state, steps = one
        if quality not in qualities:
            continue
        text = f'QoS {quality}, {kind}, {state}, sent {attempts}×: {ours[one]} and {theirs[one]}'
        if kind in only_clear and one not in ours:
            print(f'  -       {text} (only the clear workload has any)')
        else:
            check(one in ours and one in theirs, f'{text}: {steps}')
    stories = [sorted((f['label'], f['verdict'], len(f['deliveries'])) for f in d['findings'])
               for d in documents]
    check(stories[0] == stories[1], f'findings {stories[0]} and {stories[1]}')
sys.exit(1 if failures else 0)
