// What Glibc's Swift module leaves out: the descriptors that Linux makes events of.
#pragma once
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
