#!/usr/bin/env bash
# A real Open Policy Agent on loopback for OpaRealIT, with the policy that the README shows.
#
#   eval "$(it/opa.sh start)"       build it where it is missing, start it, and export what the tests read (OPA_…)
#   mvn -Preal verify
#   it/opa.sh freeze                stopped by SIGSTOP: it takes connections and answers none
#   it/opa.sh thaw
#   it/opa.sh kill                  by SIGKILL, frozen or not
#   it/opa.sh stop                  frozen or not
#   it/opa.sh install               only build it
#
# Heard: OPA_BIN (default: the one that was built here, else opa from the PATH), KEYTURN_IT_DIR (default: it/work),
# KEYTURN_OPA_PORT (default 18181). It is built by Go, which takes some minutes, and kept in the user's cache folder. Exit 3:
# there is neither OPA nor Go. Runs as any user.
set -euo pipefail

version=v1.22.2
# shellcheck source=it/server.sh
source "$(dirname "${BASH_SOURCE[0]}")/server.sh"
port=${KEYTURN_OPA_PORT:-18181}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/keyturn/opa/$version

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

healthy() {
    answers "$port" /health
}

start() {
    alone "$port"
    local bin
    bin=$(install)
    mkdir -p "$dir"
    awk '/^```rego$/ { on = 1; next } /^```$/ { on = 0 } on' "$here/../README.md" >"$dir/policy.rego"
    [[ -s $dir/policy.rego ]] || fail "the README shows no policy"
    launch "$bin" run --server --addr "127.0.0.1:$port" --skip-version-check --log-level error "$dir/policy.rego"
    echo "export OPA_BIN='$bin'"
    echo "export OPA_URL='http://127.0.0.1:$port/v1/data/agent/allow'"
}

told "$@"
