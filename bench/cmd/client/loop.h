/*
 * The client's hot loop: it must cost less than any server's, or it is the
 * client that is measured. Go reads the latencies of a whole turn at a time.
 */
#include <stdint.h>

struct client;

/* A client of n connected, non-blocking sockets and messages of size bytes; NULL without memory. */
struct client *client_new(const int *fds, int n, int size);

/* Closed loop: sends on the connections [from, to), and again at each reply until client_stop. */
int client_closed(struct client *c, int from, int to);
void client_stop(struct client *c);

/*
 * Fixed rate: message m is due at now + m * period ns, on connection m modulo n,
 * whether or not the one before it has been answered. Its latency counts from
 * when it was due, so a server that stalls pays for all it kept waiting.
 */
void client_paced(struct client *c, double period, int64_t total);

/*
 * Waits once; stores the latencies (ns) of at most cap replies and returns their
 * number, or a negative errno: -EBADMSG for a byte that isn't the one sent.
 */
int client_turn(struct client *c, int64_t *latency, int cap);

int64_t client_now(const struct client *c);     /* the clock, as of the last turn */
int64_t client_waiting(const struct client *c); /* messages without a whole reply; paced: without being sent, too */

/* The latency so far of paced messages never answered, cap at most; the loop can't be used after it. */
int client_abandon(struct client *c, int64_t *latency, int cap);

void client_free(struct client *c);
