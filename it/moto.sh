#!/usr/bin/env bash
# AWS Secrets Manager and the SSM Parameter Store as moto plays them, on loopback for the Aws*RealIT tests: all in memory.
#
#   eval "$(it/moto.sh start)"      install it where it is missing, start it, and export what the tests read (AWS_…, MOTO_…)
#   mvn -Preal verify
#   it/moto.sh freeze               stopped by SIGSTOP: it takes connections and answers none
#   it/moto.sh thaw
#   it/moto.sh stop                 frozen or not
#   it/moto.sh install              only install it
#
# Heard: KEYTURN_IT_DIR (default: it/work), KEYTURN_MOTO_PORT (default 18500). It comes through pip into a virtual environment
# in the user's cache folder. Exit 3: there is no Python that can make one, or pip has no moto for it. Runs as any user.
set -euo pipefail

version=5.2.5
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${KEYTURN_IT_DIR:-$here/work}
[[ $dir == /* ]] || dir=$PWD/$dir
port=${KEYTURN_MOTO_PORT:-18500}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/keyturn/moto/$version

fail() {
    echo "it/moto.sh: $*" >&2
    exit 1
}

# install: prints the Python that has moto. It is made aside and moved when it is whole, which a virtual environment survives
# as long as its scripts are not used (they name its first place): so it is always called as a module.
install() {
    if [[ ! -x $cache/bin/python ]]; then
        local part=$cache.part.$$ log=$cache.log
        echo "installing moto $version" >&2
        mkdir -p "${cache%/*}"
        if ! {
            python3 -m venv "$part" &&
                nice "$part/bin/python" -m pip install --quiet --only-binary :all: "moto[secretsmanager,ssm]==$version" flask flask-cors
        } >"$log" 2>&1; then
            rm -rf "$part"
            echo "it/moto.sh: no moto $version can be installed here: see $log" >&2
            exit 3
        fi
        mv -T "$part" "$cache" || [[ -x $cache/bin/python ]] # another one was faster
    fi
    echo "$cache/bin/python"
}

running() {
    [[ -s $dir/moto.pid ]] && kill -0 "$(<"$dir/moto.pid")" 2>/dev/null
}

healthy() {
    local answer=''
    { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    printf 'GET /moto-api/data.json HTTP/1.0\r\n\r\n' >&3
    read -r -t 10 answer <&3 || true
    exec 3>&-
    [[ $answer == *' 200 '* ]]
}

start() {
    running && fail "is running already (process $(<"$dir/moto.pid"), $dir)"
    (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && fail "something else listens at port $port"
    local python
    python=$(install)
    mkdir -p "$dir"
    # -I: neither the folder it is started in nor PYTHON… variables decide what it imports.
    "$python" -I -m moto.server -H 127.0.0.1 -p "$port" >"$dir/moto.log" 2>&1 </dev/null &
    echo $! >"$dir/moto.pid"
    disown
    for _ in $(seq 300); do
        if healthy; then
            # Names of the AWS SDKs. The keys are made up, and moto does not look at them unless it is told to.
            echo "export MOTO_PID='$(<"$dir/moto.pid")'"
            echo "export AWS_ENDPOINT_URL='http://127.0.0.1:$port'"
            echo "export AWS_REGION='us-east-1'"
            echo "export AWS_ACCESS_KEY_ID='AKIAKTNITMADEUP00001'"
            echo "export AWS_SECRET_ACCESS_KEY='ktn_it_S_6Yc4Nq9RbT1mZ7w'"
            return
        fi
        running || break
        sleep 0.1
    done
    stop
    fail "moto did not start: see $dir/moto.log"
}

stop() {
    running || return 0
    local pid
    pid=$(<"$dir/moto.pid")
    kill -TERM "$pid"
    kill -CONT "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    fail "process $pid does not end"
}

signal() {
    running || fail "is not running"
    kill "-$1" "$(<"$dir/moto.pid")"
}

case ${1:-} in
    start) start ;;
    install) install ;;
    freeze) signal STOP ;;
    thaw) signal CONT ;;
    stop) stop ;;
    *) fail "start | freeze | thaw | stop | install" ;;
esac
