// A Pushgateway that does nothing as fast as it can: it reads each request to the end of its body and answers 200.
// Prints its port, which is one that was free.
//
//   upstream
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

struct peer {
    int fd;
    bool is_in_body;
    size_t held, body_left;
    char bytes[65536];
};

static void leave(struct peer *peer) {
    close(peer->fd);
    free(peer);
}

// Takes what is held as far as it is understood. Returns how many requests have ended.
static int take(struct peer *peer) {
    int count = 0;
    size_t at = 0;
    for (;;) {
        if (!peer->is_in_body) {
            char *end = memmem(peer->bytes + at, peer->held - at, "\r\n\r\n", 4);
            if (!end) break;
            *end = 0;
            char *length = strcasestr(peer->bytes + at, "\r\ncontent-length:");
            peer->body_left = length ? strtoul(length + strlen("\r\ncontent-length:"), NULL, 10) : 0;
            peer->is_in_body = true;
            at = (size_t)(end + 4 - peer->bytes);
        }
        size_t here = peer->held - at < peer->body_left ? peer->held - at : peer->body_left;
        at += here;
        peer->body_left -= here;
        if (peer->body_left) break;
        peer->is_in_body = false;
        count++;
    }
    memmove(peer->bytes, peer->bytes + at, peer->held - at);
    peer->held -= at;
    return count;
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), poller = epoll_create1(0);
    struct epoll_event events[64], event = {.events = EPOLLIN, .data.ptr = NULL};
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&address, &size) ||
        epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event))
        return perror("upstream"), 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poller, events, 64, -1);
        for (int index = 0; index < ready; index++) {
            struct peer *peer = events[index].data.ptr;
            if (!peer) {
                if (!(peer = calloc(1, sizeof *peer))) return 1;
                peer->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                // As Go's servers do, and so the Pushgateway: an answer does not wait for the last one's receipt.
                setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
                event.data.ptr = peer;
                if (epoll_ctl(poller, EPOLL_CTL_ADD, peer->fd, &event)) leave(peer);
                continue;
            }
            ssize_t count = recv(peer->fd, peer->bytes + peer->held, sizeof peer->bytes - peer->held, 0);
            if (count <= 0) {
                leave(peer);
                continue;
            }
            peer->held += (size_t)count;
            for (int left = take(peer); left > 0; left--)
                if (send(peer->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) break;
        }
    }
}
