#!/usr/bin/env bash
# Installs what is missing for a purpose, and nothing that is there.
#
#   deploy/dev/install.sh build|run|test|attacks|e2e|smoke|bench|differential|package|package-test|confined|watchdog
#
# KANMON_INSTALL=no skips it: for a system without apt where the same things are there under other names.
set -euo pipefail

build=(libssl-dev libnghttp2-dev libcrypt-dev libyaml-dev zlib1g-dev pkg-config git)
serve=(prometheus-pushgateway curl openssl util-linux)
journeys=("${serve[@]}" prometheus nginx python3 gcc)
package=(dpkg-dev binutils python3)
faults=(strace libfaketime iproute2)
stack=("${journeys[@]}" prometheus-alertmanager busybox dash shellcheck python3-yaml redis-server systemd iproute2)
purpose=${1-}
parser=(golang-go golang-github-prometheus-common-dev)
load=(wrk nghttp2-client gcc)
case $purpose in
    build) packages=("${build[@]}") ;;
    run) packages=("${build[@]}" "${serve[@]}") ;;
    test) packages=("${build[@]}" "${journeys[@]}" "${faults[@]}") ;;
    attacks) packages=("${build[@]}" "${serve[@]}" python3 python3-hpack python3-h2
        nghttp2-client golang-go) ;;
    e2e) packages=("${build[@]}" "${stack[@]}" "${package[@]}") ;;
    watchdog) packages=("${build[@]}" "${serve[@]}" prometheus python3 tar) ;;
    confined) packages=("${build[@]}" "${journeys[@]}" systemd linux-libc-dev) ;;
    package) packages=("${package[@]}") ;;
    package-test) packages=("${package[@]}" "${serve[@]}" systemd iproute2) ;;
    smoke) packages=(curl openssl) ;;
    differential) packages=("${build[@]}" "${parser[@]}" golang-github-prometheus-client-golang-dev) ;;
    bench) packages=("${build[@]}" "${parser[@]}" "${serve[@]}" "${load[@]}" nginx haproxy python3) ;;
    *)
        echo "usage: $0 build|run|test|attacks|e2e|smoke|bench|differential|package|package-test|confined|watchdog" >&2
        exit 64
        ;;
esac

purpose_of() {
    case $1 in
        libssl-dev) echo "OpenSSL, to build the TLS side of the gate" ;;
        libnghttp2-dev) echo "libnghttp2, which knows the frames of HTTP/2" ;;
        libcrypt-dev) echo "libxcrypt, which checks bcrypt passwords" ;;
        libyaml-dev) echo "libyaml, which reads the configuration" ;;
        zlib1g-dev) echo "zlib, which undoes gzip" ;;
        pkg-config) echo "tells the Swift compiler where these libraries are" ;;
        git) echo "fetches the one Swift package the command line uses" ;;
        prometheus-pushgateway) echo "what the gate stands in front of" ;;
        prometheus) echo "scrapes the Pushgateway, and promtool reads the gate's own metrics" ;;
        curl) echo "pushes, and asks whether something answers" ;;
        openssl) echo "makes passwords and the odd certificate for tests" ;;
        util-linux) echo "prlimit, setpriv and taskset, to confine what is started" ;;
        nginx) echo "a Pushgateway's front with TLS and login; what the gate is measured against" ;;
        tar) echo "packs a snapshot of an incident" ;;
        strace) echo "makes system calls of a gate fail, for tests" ;;
        libfaketime) echo "lets the time of day jump under a gate, for tests" ;;
        prometheus-alertmanager) echo "sends what Prometheus finds to a person" ;;
        busybox) echo "one of the shells the push script has to run in" ;;
        dash) echo "one of the shells the push script has to run in" ;;
        redis-server) echo "what the two sites of the bot share, in the compose file" ;;
        shellcheck) echo "finds mistakes in shell scripts" ;;
        python3-yaml) echo "reads the compose file, to check what it names" ;;
        haproxy) echo "what the gate is measured against" ;;
        wrk) echo "makes the load of the benchmark" ;;
        nghttp2-client) echo "h2load, which makes the load over HTTP/2, and nghttp, a client" ;;
        gcc) echo "builds what makes the other loads, and what counts allocations" ;;
        python3) echo "passes sockets to the gate, writes the manual from its help; small helpers of tests" ;;
        python3-h2) echo "a client of HTTP/2" ;;
        python3-hpack) echo "reads the heads of HTTP/2 answers" ;;
        systemd) echo "says which system calls its groups are, and runs the units" ;;
        linux-libc-dev) echo "the numbers of the system calls" ;;
        iproute2) echo "ip, to give a machine for tests its loopback" ;;
        dpkg-dev) echo "finds the packages of the libraries that the gate is linked to" ;;
        binutils) echo "strip, which leaves out what only a debugger wants" ;;
        golang-go) echo "builds the Pushgateway's own parser, to compare with, and a client" ;;
        golang-github-prometheus-common-dev) echo "the Pushgateway's own parser" ;;
        golang-github-prometheus-client-golang-dev) echo "the Pushgateway's own check" ;;
    esac
}

main() {
    [[ $purpose == smoke ]] || need_swift
    [[ ${KANMON_INSTALL-} == no ]] && return
    local missing=() package
    for package in "${packages[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    [[ ${#missing[@]} -eq 0 ]] && return
    echo "Needed and not installed:"
    for package in "${missing[@]}"; do
        printf '  %-24s %s\n' "$package" "$(purpose_of "$package")"
    done
    if ! command -v apt-get >/dev/null; then
        echo "There is no apt here: install the same for your system, then set KANMON_INSTALL=no." >&2
        exit 1
    fi
    install_with_apt "${missing[@]}"
    tell_of_services "${missing[@]}"
}

need_swift() {
    command -v swift >/dev/null && return
    echo "Swift 6.3 or later is needed to build this: https://www.swift.org/install" >&2
    exit 1
}

is_installed() {
    dpkg-query --show --showformat='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

install_with_apt() {
    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        if ! command -v sudo >/dev/null; then
            echo "Neither root nor sudo: let root run  apt-get install $*" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    echo "Installing with apt-get ..."
    # A source that is down need not matter: whether all was found, the installation shows.
    "${as_root[@]}" apt-get -qq update </dev/null || true
    "${as_root[@]}" apt-get -qq install --yes --no-install-recommends "$@" </dev/null
}

# Debian starts some of these at once, and for everybody.
tell_of_services() {
    local service port
    for service in prometheus-pushgateway:9091 prometheus:9090 prometheus-alertmanager:9093 redis-server:6379 nginx:80; do
        port=${service#*:} service=${service%:*}
        if [[ " $* " == *" $service "* ]] && systemctl is-active --quiet "$service" 2>/dev/null; then
            echo "Note: Debian has started $service on port $port of every address, without a login."
            echo "      To stop it: systemctl disable --now $service"
        fi
    done
}

main
