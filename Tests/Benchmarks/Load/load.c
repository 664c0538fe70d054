// Pushes over TLS 1.3 in the ways that wrk cannot: a handshake for each push, full or resumed; at a pace; all
// within a second; each client from an address of its own; held idle afterwards. One thread, one epoll.
//
//   load PORT REQUEST-FILE [clients=32] [seconds=2] [once=0] [kept=0] [resumed=0] [within_ms=0]
//        [interval_ms=0] [own_addresses=0] [address=127.0.0.1] [hold=0] [guess=0]
//
// once         each client pushes once, and the run ends with the last; otherwise it ends after `seconds`
// kept         a connection carries all pushes of its client; otherwise each push has its own
// resumed      a client's handshakes, but for its first, resume its newest session
// within_ms    the clients begin evenly within that time
// interval_ms  from one push of a client to its next; a push is as old as it is late
// hold         when all are served it says so, and waits for the end of its input with all connections open
// guess        the login of the request becomes another for each push: bench:wrong-NNNNNNNNN
//
// Prints one line of JSON. A push counts when its answer was complete; statuses other than 200 are "refused".
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static struct {
    long clients, seconds, once, kept, resumed, within_ms, interval_ms, own_addresses, hold, guess;
    char address[16];
} option = {.clients = 32, .seconds = 2, .address = "127.0.0.1"};

enum phase { WAITING, CONNECTING, HANDSHAKING, SENDING, RECEIVING, ENDED };

struct client {
    enum phase phase;
    int fd;
    SSL *ssl;
    SSL_SESSION *session;
    double due, began;
    size_t sent, received;
    char answer[4096];
};

static struct client *clients;
static struct sockaddr_in server;
static SSL_CTX *context;
static int poller;
static char *request, *login;
static size_t request_bytes;
static long pushes, full, resumed, refused, failed, unanswered, guesses, waiting, ended;
static double *latencies, last_served;
static size_t noted, room;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int keep_session(SSL *ssl, SSL_SESSION *session) {
    struct client *client = SSL_get_app_data(ssl);
    SSL_SESSION_free(client->session);
    client->session = session;
    return 1;
}

static void watch(struct client *client, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(poller, operation, client->fd, &event)) die("epoll_ctl");
}

static void leave(struct client *client) {
    if (client->ssl) SSL_shutdown(client->ssl);
    SSL_free(client->ssl);
    client->ssl = NULL;
    if (client->fd >= 0) close(client->fd);
    client->fd = -1;
}

// The login that stands in the request has as many bytes, or it would not fit.
static void guess(void) {
    unsigned char plain[32], encoded[64];
    int bytes = snprintf((char *)plain, sizeof plain, "bench:wrong-%09ld", guesses++ % 1000000000);
    memcpy(login, encoded, (size_t)EVP_EncodeBlock(encoded, plain, bytes));
}

static void advance(struct client *client);

static void begin(struct client *client) {
    client->sent = client->received = 0;
    client->began = option.interval_ms ? client->due : now();
    if (login) guess();
    client->phase = SENDING;
    if (client->ssl) return advance(client);

    client->phase = CONNECTING;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0) die("socket");
    struct sockaddr_in own = {.sin_family = AF_INET};
    long index = client - clients;
    inet_pton(AF_INET, option.address, &own.sin_addr);
    if (option.own_addresses)
        own.sin_addr.s_addr = htonl(0x7f010000u + (uint32_t)(index / 200 * 256 + index % 200 + 1));
    int yes = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (bind(client->fd, (struct sockaddr *)&own, sizeof own)) die("bind");
    if (connect(client->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) die("connect");
    watch(client, EPOLLOUT, EPOLL_CTL_ADD);
}

// What comes after a push, whatever became of it.
static void next(struct client *client, bool is_kept) {
    if (!is_kept) leave(client);
    if (option.once) {
        client->phase = ENDED;
        ended++;
        return;
    }
    client->phase = WAITING;
    client->due = option.interval_ms ? client->due + (double)option.interval_ms / 1e3 : 0;
    waiting++;
}

static void fail(struct client *client) {
    failed++;
    next(client, false);
}

static void note_latency(double seconds) {
    if (noted == room) latencies = realloc(latencies, (room = room * 2 + 1024) * sizeof *latencies);
    if (!latencies) die("realloc");
    latencies[noted++] = seconds;
}

static void finish(struct client *client) {
    last_served = now();
    note_latency(last_served - client->began);
    pushes++;
    if (strncmp(client->answer, "HTTP/1.1 200", 12)) refused++;
    next(client, (option.kept || option.hold) && !strcasestr(client->answer, "\r\nConnection: close"));
}

// Whether the whole answer is here.
static bool is_complete(struct client *client) {
    client->answer[client->received] = 0;
    char *end = strstr(client->answer, "\r\n\r\n");
    if (!end) return false;
    char *length = strcasestr(client->answer, "\r\nContent-Length:");
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return client->received >= (size_t)(end + 4 - client->answer) + body;
}

// Goes on with a step of TLS that did not succeed: later, or never.
static void pause_or_fail(struct client *client, int result) {
    int error = SSL_get_error(client->ssl, result);
    if (error == SSL_ERROR_WANT_READ) return watch(client, EPOLLIN, EPOLL_CTL_MOD);
    if (error == SSL_ERROR_WANT_WRITE) return watch(client, EPOLLOUT, EPOLL_CTL_MOD);
    fail(client);
}

static void secure(struct client *client) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) return fail(client);
    client->ssl = SSL_new(context);
    SSL_set_fd(client->ssl, client->fd);
    SSL_set_app_data(client->ssl, client);
    if (option.resumed && client->session) SSL_set_session(client->ssl, client->session);
    client->phase = HANDSHAKING;
}

static void advance(struct client *client) {
    int result;
    ERR_clear_error();
    if (client->phase == CONNECTING) {
        secure(client);
        if (client->phase != HANDSHAKING) return;
    }
    if (client->phase == HANDSHAKING) {
        if ((result = SSL_connect(client->ssl)) != 1) return pause_or_fail(client, result);
        SSL_session_reused(client->ssl) ? resumed++ : full++;
        client->phase = SENDING;
    }
    if (client->phase == SENDING) {
        size_t sent = 0;
        result = SSL_write_ex(client->ssl, request + client->sent, request_bytes - client->sent, &sent);
        client->sent += sent;
        if (result != 1) return pause_or_fail(client, result);
        if (client->sent < request_bytes) return watch(client, EPOLLOUT, EPOLL_CTL_MOD);
        client->phase = RECEIVING;
        return watch(client, EPOLLIN, EPOLL_CTL_MOD);
    }
    if (client->phase == RECEIVING) {
        size_t space = sizeof client->answer - 1 - client->received;
        result = SSL_read(client->ssl, client->answer + client->received, (int)space);
        if (result <= 0) return pause_or_fail(client, result);
        client->received += (size_t)result;
        if (is_complete(client)) return finish(client);
        if (client->received == sizeof client->answer - 1) return fail(client);
        return;
    }
    leave(client);  // Nobody asked for a word: the other side has closed.
    failed += option.hold;
}

// Begins what is due, and says how many milliseconds the next thing is away; -1 when nothing is to come.
static int begin_due(double end) {
    double first = option.once ? 1e18 : end;
    for (long index = 0; waiting && index < option.clients; index++) {
        struct client *client = &clients[index];
        if (client->phase != WAITING) continue;
        if (client->due <= now()) {
            waiting--;
            begin(client);
        } else if (client->due < first) {
            first = client->due;
        }
    }
    if (waiting == 0 && option.once) first = end;
    double away = (first - now()) * 1e3;
    return away < 0 ? 0 : (int)away + (away > 1);
}

// A paced push that has no answer when time is up is as slow as it is old, at least.
static void count_unanswered(double end) {
    for (long index = 0; index < option.clients; index++) {
        struct client *client = &clients[index];
        bool is_late = client->phase == WAITING && client->due < end;
        if (client->phase == ENDED || (client->phase == WAITING && !is_late)) continue;
        note_latency(end - client->due);
        unanswered++;
    }
}

static int ascending(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double percentile_ms(double part) {
    return noted ? latencies[(size_t)(part * (double)(noted - 1))] * 1e3 : 0;
}

static void read_options(int count, char **arguments) {
    static const struct { const char *name; long *value; } known[] = {
        {"clients", &option.clients}, {"seconds", &option.seconds}, {"once", &option.once},
        {"kept", &option.kept}, {"resumed", &option.resumed}, {"within_ms", &option.within_ms},
        {"interval_ms", &option.interval_ms}, {"own_addresses", &option.own_addresses},
        {"hold", &option.hold}, {"guess", &option.guess}};
    for (int index = 3; index < count; index++) {
        char *value = strchr(arguments[index], '=');
        bool is_known = false;
        if (!value) die(arguments[index]);
        *value++ = 0;
        for (size_t at = 0; at < sizeof known / sizeof *known; at++)
            if (!strcmp(known[at].name, arguments[index])) {
                *known[at].value = strtol(value, NULL, 10);
                is_known = true;
            }
        if (!strcmp("address", arguments[index])) {
            snprintf(option.address, sizeof option.address, "%s", value);
            is_known = true;
        }
        if (!is_known) die(arguments[index]);
    }
}

static void read_request(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    fseek(file, 0, SEEK_END);
    request_bytes = (size_t)ftell(file);
    rewind(file);
    request = calloc(1, request_bytes + 1);
    if (!request || fread(request, 1, request_bytes, file) != request_bytes) die(path);
    fclose(file);
    if (option.guess && (login = strstr(request, "Basic "))) login += strlen("Basic ");
}

int main(int count, char **arguments) {
    if (count < 3) die("usage: load PORT REQUEST-FILE [NAME=VALUE]...");
    read_options(count, arguments);
    read_request(arguments[2]);
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
    inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);

    signal(SIGPIPE, SIG_IGN);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);

    poller = epoll_create1(0);
    clients = calloc((size_t)option.clients, sizeof *clients);
    if (poller < 0 || !clients) die("start");
    double start = now(), end = start + (double)option.seconds;
    double spread = option.within_ms ? (double)option.within_ms : (double)option.interval_ms;
    for (long index = 0; index < option.clients; index++) {
        clients[index].fd = -1;
        clients[index].due = start + spread / 1e3 * (double)index / (double)option.clients;
    }
    waiting = option.clients;

    struct epoll_event events[256];
    while (now() < end && ended < option.clients) {
        int ready = epoll_wait(poller, events, 256, begin_due(end));
        for (int index = 0; index < ready; index++) advance(events[index].data.ptr);
    }
    double seconds = now() - start;
    if (option.interval_ms) count_unanswered(now());

    if (option.hold) {
        printf("held\n");
        fflush(stdout);
        while (getchar() != EOF) {}
        for (int ready; (ready = epoll_wait(poller, events, 256, 0)) > 0;)
            for (int index = 0; index < ready; index++) advance(events[index].data.ptr);
    }
    qsort(latencies, noted, sizeof *latencies, ascending);
    printf("{\"pushes\": %ld, \"seconds\": %.4f, \"last_served\": %.4f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"full\": %ld, \"resumed\": %ld, \"refused\": %ld, \"failed\": %ld, \"unanswered\": %ld}\n",
           pushes, seconds, pushes ? last_served - start : 0, percentile_ms(0.5), percentile_ms(0.99), full,
           resumed, refused, failed, unanswered);
    return 0;
}
