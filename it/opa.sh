#!/usr/bin/env bash
# A real Open Policy Agent on loopback for OpaRealIT, with the policy that the README shows.
#
#   eval "$(it/opa.sh start)"       build it where it is missing, start it, and export what the tests read (OPA_…)
#   mvn -Preal verify
#   it/opa.sh stop
#   it/opa.sh install               only build it
#
# Heard: OPA_BIN (default: the one that was built here, else opa from the PATH), KEYTURN_IT_DIR (default: it/work),
# KEYTURN_OPA_PORT (default 18181). It is built by Go, which takes some minutes, and kept in the user's cache folder. Exit 3:
# there is neither OPA nor Go. Runs as any user.
set -euo pipefail

version=v1.22.2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${KEYTURN_IT_DIR:-$here/work}
[[ $dir == /* ]] || dir=$PWD/$dir
port=${KEYTURN_OPA_PORT:-18181}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/keyturn/opa/$version

fail() {
    echo "it/opa.sh: $*" >&2
    exit 1
}

# install: prints where OPA is
install() {
    if [[ -n ${OPA_BIN:-} ]]; then
        echo "$OPA_BIN"
    elif [[ -x $cache/opa ]]; then
        echo "$cache/opa"
    elif type -P opa; then
        :
    elif PATH=$PATH:/usr/local/go/bin type -P go >/dev/null; then
        build >&2
        echo "$cache/opa"
    else
        echo "it/opa.sh: no OPA and no Go to build it: install one of them or set OPA_BIN" >&2
        exit 3
    fi
}

# Whoever is ended in the middle of it leaves nothing that looks like a program.
build() {
    local part=$cache.part.$$
    echo "building OPA $version, which takes some minutes"
    mkdir -p "$part" "$cache"
    PATH=$PATH:/usr/local/go/bin GOBIN=$part CGO_ENABLED=0 nice go install "github.com/open-policy-agent/opa@$version" ||
        fail "OPA $version could not be built"
    mv -f "$part/opa" "$cache/opa"
    rmdir "$part"
}

running() {
    [[ -s $dir/opa.pid ]] && kill -0 "$(<"$dir/opa.pid")" 2>/dev/null
}

healthy() {
    local answer
    { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    printf 'GET /health HTTP/1.0\r\n\r\n' >&3
    read -r answer <&3 || true
    exec 3>&-
    [[ $answer == *' 200 '* ]]
}

start() {
    running && fail "is running already (process $(<"$dir/opa.pid"), $dir)"
    healthy && fail "something else answers at port $port"
    local bin
    bin=$(install)
    mkdir -p "$dir"
    awk '/^```rego$/ { on = 1; next } /^```$/ { on = 0 } on' "$here/../README.md" >"$dir/policy.rego"
    [[ -s $dir/policy.rego ]] || fail "the README shows no policy"
    "$bin" run --server --addr "127.0.0.1:$port" --skip-version-check --log-level error "$dir/policy.rego" \
        >"$dir/opa.log" 2>&1 </dev/null &
    echo $! >"$dir/opa.pid"
    disown
    for _ in $(seq 100); do
        if healthy; then
            echo "export OPA_BIN='$bin'"
            echo "export OPA_URL='http://127.0.0.1:$port/v1/data/agent/allow'"
            return
        fi
        running || break
        sleep 0.1
    done
    stop
    fail "OPA did not start: see $dir/opa.log"
}

stop() {
    running || return 0
    local pid
    pid=$(<"$dir/opa.pid")
    kill -TERM "$pid"
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    fail "process $pid does not end"
}

case ${1:-} in
    start) start ;;
    install) install ;;
    stop) stop ;;
    *) fail "start | stop | install" ;;
esac
