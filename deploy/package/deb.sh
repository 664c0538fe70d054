#!/usr/bin/env bash
# Makes a Debian package of what `make static` has built, in .build-static/. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/../.."

program=.build-static/release/kanmon
folder=.build-static
version=$(deploy/package/version.sh)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

main() {
    PREFIX=/usr DESTDIR=$stage/root deploy/package/install.sh
    # What a debugger wants is four times the program.
    strip --strip-unneeded "$stage/root/usr/bin/kanmon" "$stage/root/usr/bin/kanmon-ops"
    put_documents
    put_control
    local package
    package=$folder/kanmon_${version}_$(architecture).deb
    dpkg-deb --root-owner-group -Zxz --build "$stage/root" "$package" >/dev/null
    ln -sf "${package##*/}" "$folder/kanmon.deb"
    echo "Made $package; it needs: $(dpkg-deb --field "$package" Depends)"
}

put_documents() {
    local documents=$stage/root/usr/share/doc/kanmon
    install -m 0644 deploy/package/copyright "$documents/copyright"
    gzip -9nc CHANGELOG.md >"$documents/changelog.gz"
    chmod 0644 "$documents/changelog.gz"
}

put_control() {
    local control=$stage/root/DEBIAN script
    install -d -m 0755 "$control"
    sed -e "s|@VERSION@|$version|; s|@ARCHITECTURE@|$(architecture)|; s|@LIBRARIES@|$(libraries)|" \
        -e "s|@SIZE@|$(du -sk --exclude=DEBIAN "$stage/root" | cut -f1)|" \
        deploy/package/control.in >"$control/control"
    echo /etc/kanmon/kanmon.yml >"$control/conffiles"
    for script in postinst prerm postrm; do
        install -m 0755 "deploy/package/$script" "$control/$script"
    done
    (cd "$stage/root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$control/md5sums"
}

architecture() {
    dpkg --print-architecture
}

# The packages whose libraries the program is linked to, in the versions it needs.
libraries() {
    local work=$stage/libraries
    if ldd "$program" | grep -q libswift; then
        echo "$program needs Swift's own libraries, which no package has: make static" >&2
        exit 70
    fi
    mkdir -p "$work/debian"
    touch "$work/debian/control"
    (cd "$work" && dpkg-shlibdeps -O "$OLDPWD/$program" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
}

main
