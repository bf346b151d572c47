// Writes a capture of many MQTT clients that receive notifications, for speed and memory.
//
//     generate-mqtt-capture OUT CLIENTS BYTES SEED        OUT may be - for standard output
//
// All clients talk to one server, interleaved at random. A client connects, subscribes, and then
// gets PUBLISHes of QoS 1 and 2 (20 to 900 bytes of payload), most of which it acknowledges; one in
// twenty it never does. In between: pings, bare acknowledgements, segments that are sent twice,
// frames that change places, connections that are reset or closed and come back. The same
// arguments give the same bytes. Lengths, sequence numbers and checksums are right.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { up, down };
enum { FIN = 1, SYN = 2, RST = 4, PUSH = 8, ACK = 16 };
enum { ethernet = 14, ip = 20, tcp = 32, headers = ethernet + ip + tcp, longest = 2048 };

struct client {
  uint32_t address, sequence[2];
  uint16_t port, identifier;
  int subscribed, connections;
};

static FILE *out;
static uint64_t state, written, packets, publishes, unanswered, now = 1700000000000000;
static uint8_t held[longest];
static int heldLength;

// splitmix64
static uint32_t random32(void) {
  uint64_t z = state += 0x9E3779B97F4A7C15;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return (z ^ z >> 31) >> 32;
}

static int chance(int perMille) { return random32() % 1000 < (uint32_t)perMille; }

static void put16(uint8_t *at, uint32_t value) {
  at[0] = value >> 8;
  at[1] = value;
}

static void put32(uint8_t *at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}

static uint16_t checksum(const uint8_t *bytes, int count, uint32_t sum) {
  for (int at = 0; at + 1 < count; at += 2) sum += bytes[at] << 8 | bytes[at + 1];
  if (count & 1) sum += bytes[count - 1] << 8;
  while (sum >> 16) sum = (sum & 0xFFFF) + (sum >> 16);
  return ~sum;
}

static void writeRecord(const uint8_t *frame, int length) {
  now += 1 + random32() % 6;
  uint32_t header[4] = {now / 1000000, now % 1000000, length, length};
  fwrite(header, sizeof header, 1, out);
  fwrite(frame, length, 1, out);
  written += sizeof header + length;
  packets++;
}

// Sends a segment, which may be lost on the way to the recorder's queue: later, or twice.
static void send(struct client *client, int way, int flags, const uint8_t *payload, int count) {
  static const uint8_t server[6] = {2, 0, 0, 0, 0, 1}, gateway[6] = {2, 0, 0, 0, 0, 2};
  const uint32_t serverAddress = 0x0A000001;
  uint8_t frame[longest] = {0};
  memcpy(frame, way == down ? gateway : server, 6);
  memcpy(frame + 6, way == down ? server : gateway, 6);
  put16(frame + 12, 0x0800);

  uint8_t *packet = frame + ethernet;
  uint32_t from = way == down ? serverAddress : client->address;
  uint32_t to = way == down ? client->address : serverAddress;
  packet[0] = 0x45;
  put16(packet + 2, ip + tcp + count);
  put16(packet + 4, random32());
  packet[6] = 0x40;
  packet[8] = 64;
  packet[9] = 6;
  put32(packet + 12, from);
  put32(packet + 16, to);
  put16(packet + 10, checksum(packet, ip, 0));

  uint8_t *segment = packet + ip;
  put16(segment, way == down ? 1883 : client->port);
  put16(segment + 2, way == down ? client->port : 1883);
  put32(segment + 4, client->sequence[way]);
  put32(segment + 8, flags & ACK ? client->sequence[!way] : 0);
  segment[12] = tcp / 4 << 4;
  segment[13] = flags;
  put16(segment + 14, 0xFFFF);
  memcpy(segment + 20, "\1\1\10\12", 4);  // The option of time stamps, filled up.
  put32(segment + 24, now / 1000);
  put32(segment + 28, now / 1000 - 3);
  memcpy(segment + tcp, payload, count);
  uint32_t pseudo = (from >> 16) + (from & 0xFFFF) + (to >> 16) + (to & 0xFFFF) + 6 + tcp + count;
  put16(segment + 16, checksum(segment, tcp + count, pseudo));
  client->sequence[way] += count + !!(flags & SYN) + !!(flags & FIN);

  int length = headers + count;
  if (count > 0 && heldLength == 0 && chance(3)) {
    memcpy(held, frame, length);
    heldLength = length;
    return;
  }
  writeRecord(frame, length);
  if (heldLength > 0) writeRecord(held, heldLength);
  heldLength = 0;
  if (count > 0 && chance(5)) writeRecord(frame, length);
}

static void say(struct client *client, int way, const void *bytes, int count) {
  send(client, way, PUSH | ACK, bytes, count);
}

static void connectAndSubscribe(struct client *client) {
  client->sequence[up] = random32();
  client->sequence[down] = random32();
  client->identifier = 0;
  send(client, up, SYN, 0, 0);
  send(client, down, SYN | ACK, 0, 0);
  send(client, up, ACK, 0, 0);
  // CONNECT of 3.1.1: clean session 0, keep-alive 60 s.
  uint8_t connect[64] = "\20\0\0\4MQTT\4\0\0\74\0";
  int name = sprintf((char *)connect + 14, "device-%08x", client->address);
  connect[1] = 12 + name;
  connect[13] = name;
  say(client, up, connect, 14 + name);
  uint8_t connack[4] = {0x20, 2, client->connections++ > 0, 0};
  say(client, down, connack, 4);
  say(client, up, "\x82\12\0\1\0\5push/\1", 12);
  say(client, down, "\x90\3\0\1\1", 5);
  client->subscribed = 1;
}

static void publish(struct client *client, int quality) {
  static uint8_t packet[longest];
  static const char topic[10] = "push/0001x";
  int payload = 20 + random32() % 880;
  int rest = 2 + (int)sizeof topic + 2 + payload;
  int at = 0;
  client->identifier = client->identifier % 65000 + 1;
  packet[at++] = 0x30 | quality << 1;
  if (rest > 127) packet[at++] = 0x80 | rest % 128;
  packet[at++] = rest > 127 ? rest / 128 : rest;
  put16(packet + at, sizeof topic);
  memcpy(packet + at + 2, topic, sizeof topic);
  put16(packet + at + 12, client->identifier);
  memset(packet + at + 14, 'x', payload);
  say(client, down, packet, at + rest);
  publishes++;
  if (chance(500)) send(client, up, ACK, 0, 0);
  if (chance(50)) {
    unanswered++;
    return;
  }
  uint8_t answer[4] = {quality == 2 ? 0x50 : 0x40, 2};
  put16(answer + 2, client->identifier);
  say(client, up, answer, 4);
  if (quality < 2) return;
  answer[0] = 0x62;
  say(client, down, answer, 4);
  answer[0] = 0x70;
  say(client, up, answer, 4);
}

static void leave(struct client *client) {
  if (chance(500)) {
    send(client, up, RST, 0, 0);
  } else {
    send(client, up, FIN | ACK, 0, 0);
    send(client, down, FIN | ACK, 0, 0);
    send(client, up, ACK, 0, 0);
  }
  client->port = 10000 + (client->port - 10000 + 7) % 50000;
  client->subscribed = 0;
}

static void act(struct client *client) {
  if (!client->subscribed) return connectAndSubscribe(client);
  int what = random32() % 1000;
  if (what < 700) {
    publish(client, 1);
  } else if (what < 796) {
    publish(client, 2);
  } else if (what < 996) {
    say(client, up, "\xC0\0", 2);
    say(client, down, "\xD0\0", 2);
    send(client, up, ACK, 0, 0);
  } else if (what < 999) {
    send(client, down, ACK, 0, 0);
  } else {
    leave(client);
  }
}

int main(int count, char **arguments) {
  if (count != 5) {
    fprintf(stderr, "usage: generate-mqtt-capture OUT CLIENTS BYTES SEED\n");
    return 64;
  }
  int clients = atoi(arguments[2]);
  uint64_t bytes = strtoull(arguments[3], 0, 10);
  state = strtoull(arguments[4], 0, 10);
  out = strcmp(arguments[1], "-") == 0 ? stdout : fopen(arguments[1], "wb");
  struct client *all = calloc(clients > 0 ? clients : 1, sizeof *all);
  if (!out || !all || clients < 1) {
    perror(arguments[1]);
    return 66;
  }
  setvbuf(out, 0, _IOFBF, 1 << 20);
  for (int index = 0; index < clients; index++) {
    all[index].address = 0x0A010000 + index;
    all[index].port = 10000 + random32() % 50000;
  }
  const uint32_t header[6] = {0xA1B2C3D4, 4 << 16 | 2, 0, 0, 262144, 1};
  fwrite(header, sizeof header, 1, out);
  written = sizeof header;
  while (written < bytes && !ferror(out)) act(&all[random32() % clients]);
  if (fclose(out) != 0) {
    perror(arguments[1]);
    return 74;
  }
  fprintf(stderr, "%llu bytes, %llu packets, %llu deliveries, %llu of them never acknowledged\n",
          (unsigned long long)written, (unsigned long long)packets, (unsigned long long)publishes,
          (unsigned long long)unanswered);
  return 0;
}
