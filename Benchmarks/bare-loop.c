// The least that a reader of captures can do: pcap_next_ex until the end. What others are measured
// against.
//
//     bare-loop FILE
#include <pcap/pcap.h>
#include <stdio.h>

int main(int count, char **arguments) {
  char error[PCAP_ERRBUF_SIZE];
  pcap_t *capture = count == 2 ? pcap_open_offline(arguments[1], error) : NULL;
  if (!capture) {
    fprintf(stderr, "usage: bare-loop FILE\n");
    return 66;
  }
  struct pcap_pkthdr *header;
  const unsigned char *bytes;
  unsigned long long packets = 0, sum = 0;
  while (pcap_next_ex(capture, &header, &bytes) == 1) {
    packets++;
    sum += header->caplen;
  }
  printf("%llu packets, %llu bytes\n", packets, sum);
  pcap_close(capture);
  return 0;
}
