#!/usr/bin/env bash
# Answers a golden bundle on arm64 under emulation and holds it to what was recorded on x86-64.
#
#   scripts/check_arm64.sh [BUNDLE]      (default: tests/golden/v1_0/rings)
#
# Debian's qemu-user runs an arm64 Python of Debian's packages, with the aarch64 wheels of NumPy, ONNX Runtime
# and SentencePiece. Everything lies in build/arm64; nothing is installed on the machine, no root is needed.
# Needs apt-get, dpkg-deb and pip, and downloads about 150 MB once. Takes minutes: not part of CI.
# qemu 7.2 (Debian 12) was tried: importing ONNX Runtime 1.32 ends in a segmentation fault; qemu 10 runs it.
set -euo pipefail
cd "$(dirname "$0")/.."
bundle=${1:-tests/golden/v1_0/rings}
work=$PWD/build/arm64
root=$work/root
# The mirror of this machine's own apt, unless another is named.
mirror=${DEBIAN_MIRROR:-$(apt-cache policy | awk '/http/ && /debian / { print $2; exit }')}
[ -n "$mirror" ] || { echo "no Debian mirror in apt's sources; name one: DEBIAN_MIRROR=URL $0" >&2; exit 2; }

apt_of() {  # apt_of ARCHITECTURE ARGUMENTS...: an apt that keeps its lists and state in build/arm64
    local state=$work/apt-$1 suite=bookworm
    [ "$1" = arm64 ] || suite=trixie
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/etc"
    touch "$state/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
        >"$state/etc/sources.list"
    apt-get --quiet --quiet -o APT::Architecture="$1" -o APT::Architectures="$1" -o APT::Install-Recommends=false \
        -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
        -o Dir::Etc::SourceList="$state/etc/sources.list" -o Dir::Etc::SourceParts=- -o Debug::NoLocking=true \
        -o APT::Sandbox::User= -o Acquire::Languages=none "${@:2}"
}

unpack() {  # unpack ARCHITECTURE FOLDER: what was downloaded, unpacked and not installed
    mkdir -p "$2"
    for package in "$work/apt-$1"/cache/archives/*.deb; do dpkg-deb --extract "$package" "$2"; done
}

if [ ! -e "$work/ready" ]; then
    echo "Downloading qemu, Debian's arm64 Python and the aarch64 wheels into build/arm64 ..."
    host=$(dpkg --print-architecture)
    apt_of "$host" update
    (mkdir -p "$work/apt-$host/cache/archives" && cd "$_" && apt_of "$host" download qemu-user)  # a static binary
    unpack "$host" "$work/host"
    apt_of arm64 update
    apt_of arm64 install --yes --download-only python3 libstdc++6
    unpack arm64 "$root"
    python3 -m pip download --quiet --disable-pip-version-check --only-binary=:all: --dest "$work/wheels" \
        --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
        --platform manylinux2014_aarch64 numpy onnxruntime sentencepiece
    mkdir -p "$work/site"
    for wheel in "$work"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$work/site"; done
    touch "$work/ready"
fi

export QEMU_LD_PREFIX=$root PYTHONHOME=$root/usr PYTHONPATH=$work/site:$PWD/runtime PYTHONDONTWRITEBYTECODE=1
exec "$work/host/usr/bin/qemu-aarch64" "$root/usr/bin/python3.11" -S scripts/check_arm64.py "$bundle"
