#!/usr/bin/env bash
# AWS Secrets Manager and the SSM Parameter Store as moto plays them, on loopback for the Aws*RealIT tests: all in memory.
#
#   eval "$(it/moto.sh start)"      install it where it is missing, start it, and export what the tests read (AWS_…, MOTO_…)
#   mvn -Preal verify
#   it/moto.sh freeze               stopped by SIGSTOP: it takes connections and answers none
#   it/moto.sh thaw
#   it/moto.sh kill                 by SIGKILL, frozen or not
#   it/moto.sh stop                 frozen or not
#   it/moto.sh install              only install it
#
# Heard: KEYTURN_IT_DIR (default: it/work), KEYTURN_MOTO_PORT (default 18500). It comes through pip into a virtual environment
# in the user's cache folder. Exit 3: there is no Python that can make one, or pip has no moto for it. Runs as any user.
set -euo pipefail

version=5.2.5
# shellcheck source=it/server.sh
source "$(dirname "${BASH_SOURCE[0]}")/server.sh"
port=${KEYTURN_MOTO_PORT:-18500}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/keyturn/moto/$version

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

healthy() {
    answers "$port" /moto-api/data.json
}

start() {
    alone "$port"
    local python
    python=$(install)
    # -I: neither the folder it is started in nor PYTHON… variables decide what it imports.
    launch "$python" -I -m moto.server -H 127.0.0.1 -p "$port"
    # Names of the AWS SDKs. The keys are made up, and moto does not look at them unless it is told to.
    echo "export MOTO_PYTHON='$python'"
    echo "export AWS_ENDPOINT_URL='http://127.0.0.1:$port'"
    echo "export AWS_REGION='us-east-1'"
    echo "export AWS_ACCESS_KEY_ID='AKIAKTNITMADEUP00001'"
    echo "export AWS_SECRET_ACCESS_KEY='ktn_it_S_6Yc4Nq9RbT1mZ7w'"
}

told "$@"
