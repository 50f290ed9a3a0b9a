#!/bin/bash
# Runs every fuzz target for some seconds each, and fails if one finds something.
#   fuzz/run.sh SECONDS [TARGET…]
# No nightly toolchain: the coverage that libFuzzer steers by is a pass of LLVM, which stable rustc runs too.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:?how many seconds a target}
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for file in targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi

host=$(rustc -vV | sed -n 's/^host: //p')
target_dir=${CARGO_TARGET_DIR:-../target}/fuzz
# With --target, only what runs in the targets is instrumented: no build scripts, no macros.
RUSTFLAGS="-Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares \
-Cllvm-args=-simplifycfg-branch-fold-threshold=0" \
    cargo build --locked --release --target "$host" --target-dir "$target_dir" "${targets[@]/#/--bin=}"

# New inputs are kept apart from the committed seeds; what crashes is kept for a look.
found=$target_dir/corpus crashes=$target_dir/crashes
mkdir -p "$crashes"
fuzz() {
    local target=$1 log=$found/$1.log
    mkdir -p "$found/$target" "corpus/$target"
    # The server under `request` keeps what it is sent, in memory and on disk; parsers must not.
    local rss=512
    case $target in request | sign_in) rss=1024 ;; esac
    if "$target_dir/$host/release/$target" "$found/$target" "corpus/$target" \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=$rss -malloc_limit_mb=256 \
        -print_final_stats=1 -artifact_prefix="$crashes/$target-" >"$log" 2>&1; then
        printf 'ok    fuzz %-13s %10s inputs\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    else
        printf 'FAIL  fuzz %s; the input is in %s\n' "$target" "$crashes"
        tail -n 60 "$log"
        return 1
    fi
}

failed=0
for target in "${targets[@]}"; do
    fuzz "$target" || failed=$((failed + 1))
done
echo "$((${#targets[@]} - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
