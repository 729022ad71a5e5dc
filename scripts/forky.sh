#!/bin/sh
# Run a command in a copy of this folder on Debian's forky, which has Python 3.14 and 3.15. Needs root on Debian.
#
#   scripts/forky.sh                           make test, on forky's python3
#   scripts/forky.sh make test PYTHON=python3.15
#
# debootstrap makes the system in a folder that is removed afterwards; FORKY=folder keeps it for the next time. The mirror
# is the one that apt uses here. If this machine's keys are older than forky: apt install a newer debian-archive-keyring.
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "forky needs root on Debian" >&2
	exit 1
fi
[ $# -gt 0 ] || set -- make test

if [ -n "${FORKY:-}" ]; then
	root=$FORKY
else
	root=$(mktemp -d)
	trap 'rm -rf --one-file-system "$root"' EXIT
	trap 'exit 1' HUP INT TERM
fi

if [ ! -e "$root/.ready" ]; then
	apt-get update -qq
	command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1)
	echo "installing forky into $root"
	# The script of sid by its path: an older debootstrap does not know the name forky.
	debootstrap --variant=minbase --include=ca-certificates,git,make,python3-venv,python3.15-venv \
		forky "$root" "$mirror" /usr/share/debootstrap/scripts/sid >"$root.log" 2>&1 || { tail "$root.log" >&2; exit 1; }
	rm "$root.log"
	touch "$root/.ready"
fi

rm -rf "$root/root/neptun-sdk" # of the last time: a file that is gone here must be gone there
mkdir -p "$root/root/neptun-sdk" "$root/root/.cache/pip"
tar --create --exclude=./.git --exclude='./.venv*' --exclude=./.nox --exclude=./mutants --exclude=__pycache__ . |
	tar --extract --directory "$root/root/neptun-sdk"
cp /etc/resolv.conf "$root/etc/"

# The mounts are in a namespace of their own, which ends with the command, however it ends. The certificates let pip trust
# what this machine trusts; what pip has downloaded before is not downloaded again.
pip_cache=$(python3 -m pip cache dir 2>/dev/null) && [ -d "$pip_cache" ] || pip_cache=
export root pip_cache
unshare --mount sh -euc '
	for folder in /dev /dev/pts /dev/shm /proc /etc/ssl/certs; do mount --bind "$folder" "$root$folder"; done
	[ -z "$pip_cache" ] || mount --bind "$pip_cache" "$root/root/.cache/pip"
	exec env -u CI -u PYTHONPATH -u PIP_FIND_LINKS HOME=/root LC_ALL=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		chroot "$root" sh -c "cd /root/neptun-sdk && exec \"\$@\"" sh "$@"
' sh "$@"
