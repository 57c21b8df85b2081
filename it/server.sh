# shellcheck shell=bash
# What the scripts beside this one have in common; each sources it. Of it/NAME.sh the process is kept in $dir/NAME.pid, and
# what it prints in $dir/NAME.log. It has its own `start`, and where it uses `launch`, `healthy`.
#
# Heard: KEYTURN_IT_DIR (default: it/work).

name=${0##*/}
name=${name%.sh}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${KEYTURN_IT_DIR:-$here/work}
[[ $dir == /* ]] || dir=$PWD/$dir

fail() {
    echo "it/$name.sh: $*" >&2
    exit 1
}

running() {
    [[ -s $dir/$name.pid ]] && kill -0 "$(<"$dir/$name.pid")" 2>/dev/null
}

# alone PORT…: it does not run already, and nobody else has its ports
alone() {
    if running; then fail "is running already (process $(<"$dir/$name.pid"), $dir)"; fi
    local port
    for port in "$@"; do
        if (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then fail "something else listens at port $port"; fi
    done
}

# launch COMMAND…: runs it in the background, and waits until it is healthy
launch() {
    local until=$((SECONDS + 300))
    mkdir -p "$dir"
    "$@" >"$dir/$name.log" 2>&1 </dev/null &
    echo $! >"$dir/$name.pid"
    disown
    while running && ((SECONDS < until)); do
        if healthy; then return; fi
        sleep 0.1
    done
    stop
    fail "did not start: see $dir/$name.log"
}

# answers PORT PATH: whether a GET is answered with 200
answers() {
    local answer=''
    { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&3
    read -r -t 10 answer <&3 || true
    exec 3>&-
    [[ $answer == *' 200 '* ]]
}

stop() {
    running || return 0
    local pid
    pid=$(<"$dir/$name.pid")
    kill -TERM "$pid"
    # It may be frozen.
    kill -CONT "$pid" 2>/dev/null || true
    for _ in $(seq 200); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    fail "process $pid does not end"
}

signal() {
    running || fail "is not running"
    kill "-$1" "$(<"$dir/$name.pid")"
}

# told COMMAND: what a server that is one process can be told
told() {
    case ${1:-} in
        start) start ;;
        freeze) signal STOP ;;
        thaw) signal CONT ;;
        kill)
            signal KILL
            while running; do sleep 0.1; done
            ;;
        stop) stop ;;
        install) install ;;
        *) fail "start | freeze | thaw | kill | stop | install" ;;
    esac
}
