#!/usr/bin/env bash
# A real Keycloak on loopback for the Keycloak*RealIT tests, with the realms of it/keycloak: `keyturn`, where the agent is a
# client, and `workload`, whose tokens play those that a platform gives to its workloads. Everything is in memory.
#
#   eval "$(it/keycloak.sh start)"  install it where it is missing, start it, and export what the tests read (KEYCLOAK_…)
#   mvn -Preal verify
#   it/keycloak.sh freeze           stopped by SIGSTOP: it takes connections and answers none
#   it/keycloak.sh thaw
#   it/keycloak.sh kill             by SIGKILL, frozen or not
#   it/keycloak.sh stop             frozen or not
#   it/keycloak.sh install          only install it
#
# Heard: KEYTURN_IT_DIR (default: it/work), KEYTURN_KEYCLOAK_PORT (default 18080; the next is its management port),
# KEYTURN_KEYCLOAK_PASSWORD (the administrator's; default: a made-up one), JAVA_HOME. It comes through Maven, 177 MB, and is
# prepared and kept in the user's cache folder. Exit 3: it is not there, and cannot be had through Maven. Needs Java and unzip
# (or jar of a JDK), and half a gigabyte of memory. Runs as any user.
set -euo pipefail

version=26.7.3
# Off by default; the exchange of another realm's token needs both of them. Keycloak is prepared for them once and for all, so
# the name of the cache folder tells.
features=token-exchange,admin-fine-grained-authz:v1
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.9.0
# shellcheck source=it/server.sh
source "$(dirname "${BASH_SOURCE[0]}")/server.sh"
port=${KEYTURN_KEYCLOAK_PORT:-18080}
password=${KEYTURN_KEYCLOAK_PASSWORD:-ktn_it_K_4Zq8Lb2WtD6jM9v}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/keyturn/keycloak/$version-${features//[,:]/-}

# Whatever the user has set for a Keycloak of his own must not decide what is tested here. The realm files name KEYCLOAK_URL.
own_environment() {
    local name
    for name in $(compgen -e KC_); do unset "$name"; done
    # It lives for minutes: compiling it less makes it start sooner.
    export JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1
    export KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=$password KEYCLOAK_URL=http://127.0.0.1:$port
}

# install: Keycloak lies in the cache folder
install() {
    [[ -x $cache/bin/kc.sh ]] && return
    local part=$cache.part.$$ log=$cache.log
    echo "installing Keycloak $version, which takes a minute or two" >&2
    mkdir -p "$part"
    if ! mvn_copy "$part" >"$log" 2>&1; then
        rm -rf "$part"
        echo "it/keycloak.sh: Maven gives no Keycloak $version: see $log" >&2
        exit 3
    fi
    # What `start-dev` would find out at its first start, once and for all: afterwards nothing here is written to.
    {
        (cd "$part" && { unzip -q ./*.zip || jar xf ./*.zip; })
        chmod +x "$part/keycloak-$version/bin/kc.sh"
        (own_environment && nice "$part/keycloak-$version/bin/kc.sh" build --db=dev-mem --health-enabled=true \
            --features="$features")
    } >>"$log" 2>&1 || fail "Keycloak could not be prepared: see $log"
    mv -T "$part/keycloak-$version" "$cache" || [[ -x $cache/bin/kc.sh ]] # another one was faster
    rm -rf "$part"
}

mvn_copy() {
    nice mvn -q -B -ntp "$plugin:copy" "-Dartifact=org.keycloak:keycloak-quarkus-dist:$version:zip" "-DoutputDirectory=$1"
}

# Ready is what it says at its management port.
healthy() {
    answers $((port + 1)) /health/ready
}

serve() {
    own_environment
    exec "$cache/bin/kc.sh" start --optimized --import-realm --cache=local --log-level=warn \
        --http-enabled=true --http-host=127.0.0.1 --http-port="$port" --hostname-strict=false \
        --http-management-host=127.0.0.1 --http-management-port=$((port + 1)) "-Dkc.home.dir=$dir/keycloak"
}

start() {
    alone "$port" $((port + 1))
    install
    local server
    # A home of its own, with links to what is shared: Keycloak looks for realms to import below its home only.
    rm -rf "$dir/keycloak"
    mkdir -p "$dir/keycloak/data/import"
    ln -s "$cache"/{bin,conf,lib,providers,themes} "$dir/keycloak/"
    cp "$here"/keycloak/*.json "$dir/keycloak/data/import/"
    launch serve
    # kc.sh waits for the server, its one child, and ends with it.
    server=$(pgrep -P "$(<"$dir/keycloak.pid")") || {
        stop
        fail "has ended again: see $dir/keycloak.log"
    }
    echo "$server" >"$dir/keycloak.pid"
    echo "export KEYCLOAK_URL='http://127.0.0.1:$port'"
    echo "export KEYCLOAK_ADMIN='admin'"
    echo "export KEYCLOAK_ADMIN_PASSWORD='$password'"
    echo "export KEYCLOAK_CONTROL=$(control)"
}

# How a test, which knows neither this script nor what it has heard, says `freeze`, `kill` or `start`.
control() {
    local words
    words=$(printf '%q ' env KEYTURN_IT_DIR="$dir" KEYTURN_KEYCLOAK_PORT="$port" KEYTURN_KEYCLOAK_PASSWORD="$password" \
        "$here/keycloak.sh")
    printf '%q' "$words"
}

told "$@"
