# shellcheck shell=bash
# What the scripts share: sourced, not run.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
export CARGO_TERM_PROGRESS_WHEN=never
# shellcheck disable=SC2034 # used by those who source this
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
# the oldest Rust that will do
RUST=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

# A login without root's paths (su, cron) lacks ip(8) and friends; rustup's cargo may not be in the PATH of a script.
PATH=$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# The first cargo in the PATH whose Rust is new enough, made the one that is used.
use_rust() {
    local folder have
    while IFS= read -rd: folder; do
        [[ -x $folder/cargo && -x $folder/rustc ]] || continue
        have=$("$folder/rustc" --version 2>/dev/null | cut -d' ' -f2) || continue
        if printf '%s\n' "$RUST" "$have" | sort -CV; then
            PATH=$folder:$PATH
            return
        fi
    done <<<"$PATH:"
    return 1
}

# Whether everything was tested with this very Rust: perf/instructions has a baseline of each such release.
is_tested_rust() { grep -q "\"$(rustc --version | cut -d' ' -f1,2)," perf/instructions.json; }
